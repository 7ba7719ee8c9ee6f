"""What sources hand to the core: samples of series, a poll's worth at a time.

A source is one question asked again and again: all raw samples after the last one I have, up to
now. Its answer is a `Batch`, whatever the source: a page, a range selector, a catch-up of hours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from exporter.core.presence import Presence
from exporter.core.selector import Want


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The identity of one time series, made once by its source and used again for every poll.

    `key` names it within its target and stays the same when only the target's labels change.
    `target` is the process whose counters begin anew together: the URL of a scraped page, or the
    labels that tell processes apart. `page`: the page that passes this process on (a federation, a
    Pushgateway), empty where the target answers for itself or behind a Prometheus.
    `labels` are all its labels, those of the target included, without the metric's name.
    """

    key: str
    target: str
    labels: Mapping[str, str]
    page: str = ""


@dataclass(frozen=True, slots=True)
class NativeHistogram:
    """One sample of a native histogram: cumulative over time, as counters are.

    `buckets` are (lower, upper, count) in ascending order, not cumulative over buckets; the zero
    bucket is one of them.
    """

    count: float
    buckets: tuple[tuple[float, float, float], ...]


Value = float | NativeHistogram


class Reading(NamedTuple):
    """What one poll saw of one series.

    `samples` are (unix seconds, value) in ascending time, NaN for a stale marker or a NaN alike.
    `created` is when the counter was last zero (OpenMetrics `_created`, a created timestamp of
    protobuf), in unix seconds, where the source says so.
    """

    series: Series
    samples: list[tuple[float, Value]]
    created: float | None = None


@dataclass(slots=True)
class Target:
    """What one poll learnt of a target; times in unix seconds, ascending.

    `starts`: (time of the sample that showed it, start of the process) for the first start time
    that is known and for each change of it. `looks`: when an upstream scraped it (`up` 1), also
    where none of the wanted series was there; empty for scrapes, whose one look is the batch's
    time. `down`: nobody listened at the newest look (connection refused, `up` 0).
    """

    starts: Sequence[tuple[float, float]] = ()
    looks: Sequence[float] = ()
    down: bool = False

    def started(self, time: float) -> float | None:
        """When the process that answered by a time began, where that is known."""
        return next((start for when, start in reversed(self.starts) if when <= time), None)


class Ask(NamedTuple):
    """What one SLO wants of its source; `since`: when it was counted last, None for never."""

    slo: str
    wants: tuple[Want, ...]
    since: float | None = None


@dataclass
class Batch:
    """The answer of a source to its wants; it is whole before it is counted.

    `at`: the poll's time in unix seconds. `own_clock`: sample times come from this machine's clock
    (a scrape), not from an upstream. `readings`: by want; a want that matched nothing has an empty
    list. `failed`: wants that were not answered; an SLO that needs one of them takes nothing from
    this batch, and the next one bridges it. `complete`: False for all but the last chunk of a
    catch-up; alerts wait for the last. `slos`: for whom it was asked, None for all of the source.
    `types`: the TYPE that the page gives to wanted metrics, by name, where it gives one
    (`counter`, `gauge`, `histogram`, `summary`, `untyped`, ...; `vmrange`: buckets without bounds).
    `widths`: seconds before it that each value of a query stands for, where that is not the poll
    interval. `asked`: after which time samples were asked for, where that is known: a look before
    that would not have shown a series. `too_long`: by want, series that are left out because their
    names are too long.
    """

    source: str
    at: float
    own_clock: bool
    readings: dict[Want, list[Reading]] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    failed: frozenset[Want] = frozenset()
    complete: bool = True
    slos: frozenset[str] | None = None
    types: dict[str, str] = field(default_factory=dict)
    widths: dict[Want, float] = field(default_factory=dict)
    asked: dict[Want, float] = field(default_factory=dict)
    too_long: dict[Want, int] = field(default_factory=dict)

    @cached_property
    def presence(self) -> Presence:
        """When there were samples, whichever series they are of."""
        found = (r.samples for readings in self.readings.values() for r in readings)
        return Presence([samples for samples in found if samples])
