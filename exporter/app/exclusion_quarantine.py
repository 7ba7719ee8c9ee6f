"""Saved exclusions that this version refuses, such as one by a regular expression of an older
dialect: kept, listed, and announced. Their time counts meanwhile, and budgets must not change
without a word.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import structlog

from exporter.app.exclusion_rows import Refused
from exporter.core.engine import Engine
from exporter.core.notices import Notice
from exporter.web.exclusions_api import Entry

log = structlog.get_logger()


class Quarantine:
    """The refused exclusions by id. `now`: the current time, in unix seconds."""

    def __init__(self, engine: Engine, now: Callable[[], float]) -> None:
        self._engine = engine
        self._now = now
        self._rows: dict[str, Refused] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, ident: str) -> Refused | None:
        """Return one by its id."""
        return self._rows.get(ident)

    def start(self, rows: dict[str, Refused], sound: Iterable[str]) -> None:
        """Take the refused rows of the state file, and the ids of those that are applied."""
        self._rows = rows
        for ident in sound:
            self._engine.notices.end(_key(ident), self._now())
        for ident, row in rows.items():
            log.error(
                "exclusion.quarantined", id=ident, error=row.reason, outcome="its time counts"
            )
            self._engine.notices.put(_notice(ident, row, self._now()))

    def remove(self, ident: str) -> None:
        """Forget one, and resolve its alert."""
        del self._rows[ident]
        self._engine.notices.end(_key(ident), self._now())

    def entries(self, origin: str) -> Iterator[Entry]:
        """List them as the API does."""
        for ident, row in self._rows.items():
            yield Entry(
                id=ident,
                origin=origin,
                document=row.document,
                by=row.by,
                at=row.at,
                last=None,
                next=None,
                active=False,
                covers=(),
                quarantined=row.reason,
            )


def _key(ident: str) -> str:
    return f"exclusion/{ident}"


def _notice(ident: str, row: Refused, now: float) -> Notice:
    labels = {"alertname": "ExclusionQuarantined", "severity": "ticket", "exclusion": ident}
    annotations = {
        "summary": f"The exclusion {ident} is not applied: its time counts in error budgets",
        "description": f"{row.reason}. It was made by {row.by} ({row.document['reason']}). Make it "
        f"anew, then remove this one: slod exclude remove {ident}",
        "owner": row.by,
    }
    return Notice(_key(ident), labels, annotations, now, math.inf)
