"""What alert rules would have said of an incident that nobody watched: a backtest in small.

It reads the ledger at every sample of the incident and judges the rules of now, as a tick does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from exporter.core.alert import PAGE, Alert
from exporter.core.burn import judge
from exporter.core.history import History
from exporter.core.incidents import Stretch
from exporter.core.instance import Instance
from exporter.core.ledger import Counts
from exporter.core.noticed import noticed
from exporter.core.slo import Rule
from exporter.core.watch import by_chance, had_burst

_MOST = 20_000
"""Moments that one rule is judged at; of a longer time only some samples are looked at."""
_AT_ONCE = 500
"""Moments that are read off the ledger together: most pages come early."""


class _Page(NamedTuple):
    """An alert as `noticed` wants it."""

    start: float
    end: float | None
    severity: str = PAGE
    spent: float = 0.0
    incident: int | None = 0


def verdict(instance: Instance, start: float, end: float) -> tuple[float | None, float | None]:
    """Return after how many seconds the first page would have come, and how many seconds after the
    incident's end the last one would have been over; None as in `noticed`."""
    history = History(instance)
    now = end if instance.seen is None else max(end, instance.seen)
    pages = [
        page
        for rule in instance.slo.rules
        if rule.severity == PAGE
        for page in _pages(instance, history, rule, (start, end, now))
    ]
    return noticed(Stretch(start, end, 0.0, 0.0), 0, pages)


def _pages(
    instance: Instance, history: History, rule: Rule, span: tuple[float, float, float]
) -> list[_Page]:
    """The pages of one rule that began from the incident's beginning to its end."""
    start, end, now = span
    objective = instance.slo.objective
    step = max(instance.slo.interval, (end - start) / _MOST)
    alert = Alert({}, {})
    pages: list[_Page] = []
    begin = start
    while begin <= now:
        moments = [begin + k * step for k in range(_AT_ONCE) if begin + k * step <= now]
        begin = moments[-1] + step
        long, short = (_counts(history, w.seconds, moments) for w in (rule.long, rule.short))
        known = history.coverage(rule.long.seconds, moments)
        for when, *counts, share in zip(moments, long, short, known, strict=True):
            if when > end and not alert.firing:
                return pages
            burst = partial(had_burst, rule, objective, instance.ledger.readings, when)
            condition = judge(
                rule,
                objective,
                *counts,
                firing=alert.firing,
                coverage=share,
                burst=burst if by_chance(instance.slo) else None,
            )
            if alert.step(condition, when, rule.keep_firing_for):
                if alert.firing:
                    pages.append(_Page(when, None))
                else:
                    pages[-1] = pages[-1]._replace(end=when)
    return pages


def _counts(history: History, seconds: float, moments: Sequence[float]) -> list[Counts]:
    return [
        Counts(total - bad, bad)
        for bad, total in zip(*history.window(seconds, moments), strict=True)
    ]
