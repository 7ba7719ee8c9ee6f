"""An SLI of queries, and what the values of its queries count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.core.selector import Query, Want


class Scale(NamedTuple):
    """Unit of a query's values: `events` in the last `reach` seconds, `rate` (events per second) or
    `ratio` (a share, which weighs by time). A `reach` of 0 is the query's own window."""

    unit: str
    reach: float = 0.0

    def weight(self, width: float) -> float:
        """Factor from one value to the events of `width` seconds, the time that it stands for."""
        if self.unit != "events":
            return width
        return width / self.reach if self.reach else 1.0


@dataclass(frozen=True, slots=True)
class QuerySLI:
    """Any PromQL. Either `error_ratio` alone, or one of `good` and `bad` with `total`.

    `scales`: the unit by role; events of the window for a role that is left out. They are kept out
    of the `repr`, which tells one SLI's ledger from another's: the same query goes on with its
    counts when its unit is named.
    """

    good: Query | None = None
    bad: Query | None = None
    total: Query | None = None
    error_ratio: Query | None = None
    scales: Mapping[str, Scale] = field(default_factory=dict, repr=False, hash=False)

    def wants(self) -> tuple[Want, ...]:
        """The queries a source has to answer."""
        return tuple(q for q in (self.good, self.bad, self.total, self.error_ratio) if q)
