"""What a query needs to know, and the columns of samples that answer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from exporter.core.selector import Matcher

LOOKBACK = 300.0
"""How old the newest sample may be, in seconds; as in Prometheus."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one selector asks for, at moments in ascending order, in unix seconds.

    `range` 0: the newest sample at or before each moment, less than `LOOKBACK` old. Else: all
    samples in (moment - range, moment] of each; more than these do no harm.
    """

    matchers: tuple[Matcher, ...]
    moments: Sequence[float]
    range: float = 0.0


class InstantColumn(NamedTuple):
    """One series by moment: values, None where there is no sample, and the samples' own times."""

    labels: Mapping[str, str]
    values: Sequence[float | None]
    times: Sequence[float | None]


class RangeColumn(NamedTuple):
    """The samples of one series, in ascending order of time."""

    labels: Mapping[str, str]
    times: Sequence[float]
    values: Sequence[float]
