"""From the samples of one counter to increases: resets, births, duplicates, gaps.

Theory of operation: an increase is what a counter gained between two samples that were really
taken. It is never estimated. What a sample is refused for is counted, not guessed around.

| sample | what it means |
| --- | --- |
| the first one of a series | the baseline; all of it if the series was born under our eyes |
| value at or over the last | the difference |
| value under the last | the counter was reset: the value itself is the increase |
| any value, but of a new process or a counter created anew | a reset that had caught up |
| time at or before the last | refused: `duplicate` or `out_of_order` |
| NaN (stale marker or not), infinite, negative | refused: `not_a_number`, `negative` |

Source: Prometheus documentation, `rate()` and `resets()`; OpenMetrics 1.0, created timestamps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf, isfinite, log
from typing import NamedTuple

from exporter.core.sample import NativeHistogram, Reading, Target, Value

BIRTH_GRACE = 120.0
"""A target met for the first time may have started this many seconds before the last poll, which
could not see it yet: discovery and the upstream's own scrape take their time."""

_START_JITTER = 2.0
"""Some exporters compute their start time anew at each scrape, a little different each time."""


class Increase(NamedTuple):
    """What a counter gained between two moments; `under` is the part at or under the threshold
    for native histograms, and the same as `amount` for plain counters."""

    start: float
    end: float
    amount: float
    under: float


class Last(NamedTuple):
    """The newest sample of a series that was taken; `created` as the source told it then."""

    time: float
    value: float
    under: float
    created: float | None = None


@dataclass(slots=True)
class Facts:
    """What happened while samples became increases; the edges count and log it."""

    samples: int = 0
    resets: int = 0
    births: int = 0
    refused: dict[str, int] | None = None

    def refuse(self, reason: str) -> None:
        """One sample was not taken."""
        if self.refused is None:
            self.refused = {}
        self.refused[reason] = self.refused.get(reason, 0) + 1


class Known(NamedTuple):
    """What is remembered of a target: when it was last observed, and when its process started."""

    last: float
    started: float | None


def began_after(when: float, created: float | None, started: float | None) -> bool:
    """Whether the counter, or at least its process, began after a moment."""
    begin = created if created is not None else started
    return begin is not None and begin > when


def is_birth(
    reading: Reading, known: Known | None, target: Target | None, polled: float | None, since: float
) -> bool:
    """Whether an unknown series began at zero under our eyes, so that its first value counts.

    `known`: the target as remembered from earlier polls; `polled` and `since`: the newest and the
    first poll of the SLO, None before the first.
    """
    if polled is None:
        return False
    first = reading.samples[0][0]
    if known is not None and known.last < first:
        return True
    started = target.started if target else None
    earliest = max(since, polled - BIRTH_GRACE)
    if began_after(earliest, reading.created, started):
        return True
    # The upstream scraped the target before the series was there, and after we began to look.
    observed = target.observed if target else None
    return observed is not None and earliest < first and observed < first


def increases(
    reading: Reading,
    last: Last | None,
    *,
    born: float | None,
    restarted: bool,
    threshold: float,
    facts: Facts,
) -> tuple[list[Increase], Last | None]:
    """The increases of one reading and the sample to go on from.

    `born`: where an unknown series' first increase begins in time, None when its first value is
    only the baseline. `restarted`: the target's process is another one than at the last sample.
    """
    out: list[Increase] = []
    for time, value in reading.samples:
        sample = _read(time, value, reading.created, threshold, facts)
        if sample is None:
            continue
        if last is None:
            if born is not None:
                facts.births += 1
                out.append(Increase(min(born, time), time, sample.value, sample.under))
        elif time <= last.time:
            facts.refuse("duplicate" if time == last.time else "out_of_order")
            continue
        elif sample.value < last.value or restarted or created_anew(last, sample):
            facts.resets += 1
            out.append(Increase(last.time, time, sample.value, sample.under))
        else:
            amount = sample.value - last.value
            under = min(amount, max(0.0, sample.under - last.under))
            out.append(Increase(last.time, time, amount, under))
        facts.samples += 1
        last, restarted = sample, False
    return out, last


def created_anew(last: Last, sample: Last) -> bool:
    """Whether a sample is of a counter that began again since the one before."""
    # Against what the source itself said before, not against our clock: theirs may be ahead.
    before, now = last.created, sample.created
    return before is not None and now is not None and now > before + _START_JITTER


def restarted(known: Known | None, target: Target | None) -> bool:
    """Whether the target's process is another one than when it was last observed."""
    before = known.started if known else None
    now = target.started if target else None
    return before is not None and now is not None and now > before + _START_JITTER


def _read(
    time: float, value: Value, created: float | None, threshold: float, facts: Facts
) -> Last | None:
    if isinstance(value, NativeHistogram):
        count, under = value.count, under_threshold(value, threshold)
    else:
        count = under = value
    if not isfinite(count):
        facts.refuse("not_a_number")
        return None
    if count < 0:
        facts.refuse("negative")
        return None
    return Last(time, count, under, created)


def under_threshold(histogram: NativeHistogram, threshold: float) -> float:
    """How many observations were at or under the threshold, interpolated within its bucket.

    As Prometheus' `histogram_fraction`: on a logarithmic scale inside an exponential bucket, linear
    inside the zero bucket.
    """
    total = 0.0
    for lower, upper, count in histogram.buckets:
        if upper <= threshold:
            total += count
        elif lower < threshold:
            total += count * _share(lower, upper, threshold)
    return total


def _share(lower: float, upper: float, threshold: float) -> float:
    if upper == inf or lower == -inf:
        return 0.0
    if lower > 0.0:
        return _log_share(lower, upper, threshold)
    if upper < 0.0:
        return 1.0 - _log_share(-upper, -lower, -threshold)
    return (threshold - lower) / (upper - lower)


def _log_share(lower: float, upper: float, threshold: float) -> float:
    return log(threshold / lower) / log(upper / lower)


def relabelled(
    reading: Reading, gone: Sequence[tuple[str, Last]], name_of: str
) -> tuple[str, Last] | None:
    """The vanished series that this new one goes on from, where a target changed its labels.

    `gone` are the target's series that ended before this one began; the newest value that is not
    over the new series' first and shares most of its identity is taken. Without this a relabelled
    target's whole past would be counted a second time.
    """
    first = reading.samples[0][1]
    value = first.count if isinstance(first, NativeHistogram) else first
    fits = [(key, last) for key, last in gone if last.value <= value]
    if not fits:
        return None
    return max(fits, key=lambda pair: (_common(pair[0], name_of), pair[1].value))


def _common(one: str, other: str) -> int:
    """How many label pairs two series keys share."""
    return len(_pairs(one) & _pairs(other))


# Where a target changes its labels, each of its new series is compared with each of the old ones.
@lru_cache(maxsize=1024)
def _pairs(key: str) -> frozenset[str]:
    return frozenset(key.partition("{")[2].rstrip("}").split('",'))
