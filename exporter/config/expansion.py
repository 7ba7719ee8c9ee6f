"""Spans of an exclusion that recurs: followed once from its start, kept, and extended as time goes
on. Following anew for each reader would cost as much as all that has happened since.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING

from exporter.config.recurrence import starts
from exporter.core import exclusion as core

if TYPE_CHECKING:
    from exporter.config.exclusions import Planned

MOST_SPANS = 10_000
"""So many times one exclusion may happen in the time that is looked at."""


class Expansion:
    """The spans of one exclusion. Not to be used by two threads at a time."""

    def __init__(self, plan: Planned) -> None:
        self.plan = plan
        self._begins = array("d")
        """When it happens from `_since` on, as far as it was followed; ascending."""
        self._since = inf
        self._more: Iterator[float] = iter(())
        self._ended = True
        self._fault = ""
        """Why it cannot be followed any further."""
        self._merged: tuple[tuple[float, float, int], tuple[core.Span, ...]] | None = None

    def spans(self, start: float, end: float) -> tuple[core.Span, ...]:
        """Return its spans that touch the time from `start` to `end`, in order, whole, without
        overlaps; `ValueError` when there are too many of them."""
        plan = self.plan
        if plan.rule is None or plan.first is None or plan.zone is None:
            only = (plan.start, plan.start + plan.seconds)
            return (only,) if only[0] < end and only[1] > start else ()
        self._begin(start - plan.seconds)
        self._extend(end)
        if self._fault and not self._reaches(end):
            raise ValueError(self._fault)
        many = bisect_left(self._begins, end)
        if many > MOST_SPANS:
            raise ValueError(f"it happens more than {MOST_SPANS} times in the time looked at")
        key = (self._begins[0], self._begins[many - 1], many) if many else (0.0, 0.0, 0)
        if self._merged is None or self._merged[0] != key:
            begins = self._begins[:many]
            self._merged = key, core.merged((begin, begin + plan.seconds) for begin in begins)
        return self._merged[1]

    def following(self, now: float) -> core.Span | None:
        """Return the next span that begins after `now`, however far away; None without one."""
        plan = self.plan
        if plan.rule is None:
            return (plan.start, plan.start + plan.seconds) if plan.start > now else None
        if now < self._since:
            self._begin(now)
        while not self._ended and (not self._begins or self._begins[-1] <= now):
            self._follow()
        later = bisect_right(self._begins, now)
        if later == len(self._begins):
            if self._fault:
                raise ValueError(self._fault)
            return None
        return self._begins[later], self._begins[later] + plan.seconds

    def _begin(self, since: float) -> None:
        """Forget what was before; begin anew if more of the past is wanted than is kept."""
        plan = self.plan
        if since < self._since and plan.rule and plan.first and plan.zone:
            self._begins, self._fault, self._ended = array("d"), "", False
            self._more = starts(plan.rule, plan.first, plan.zone, since)
        else:
            del self._begins[: bisect_left(self._begins, since)]
        self._since = since

    def _extend(self, end: float) -> None:
        while not self._ended and not self._reaches(end) and len(self._begins) <= MOST_SPANS:
            self._follow()

    def _reaches(self, end: float) -> bool:
        return bool(self._begins) and self._begins[-1] >= end

    def _follow(self) -> None:
        """Take one step."""
        try:
            begin = next(self._more, None)
        except ValueError as error:
            self._fault, begin = str(error), None
        if begin is None:
            self._ended = True
        elif begin >= self._since:
            self._begins.append(begin)
