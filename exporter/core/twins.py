"""Series that go on under other names: each new one with the one that went and is most alike."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import inf

from exporter.core.verdicts import Seen, common, pairs

_MOST = 64
"""Series that are compared with one whose labels changed in a way of their own: the highest of
those that fit. With all of them, work would grow with the square of a page's series."""

Place = tuple[float, int]
"""The newest value of a series that went, and its number, negative so that the first is highest."""


class Twins:
    """The series that went from a look, for those that came in it.

    Labels that changed for all are found first: those of which no value stayed. Who shares all
    others is as much alike as any can be, so it is looked up, not searched for.
    """

    def __init__(self, gone: Sequence[Seen], came: Sequence[Seen]) -> None:
        before, after = _values(gone), _values(came)
        names = {*before, *after}
        self._changed = {name for name in names if not before[name] & after[name]}
        self._gone = gone
        self._alike: dict[tuple[int, frozenset[str]], list[Place]] = defaultdict(list)
        self._left: dict[int, list[Place]] = defaultdict(list)
        for place in sorted((old.last or 0.0, -i) for i, old in enumerate(gone)):
            for some in self._lists(gone[-place[1]]):
                some.append(place)

    def take(self, new: Seen) -> Seen | None:
        """The series that a new one goes on from, which is no other one's from now on: of its role,
        not above it, the most alike by its labels, the highest of those; None if there is none."""
        alike, left = self._lists(new)
        top = (new.value or 0.0, inf)
        if end := bisect_right(alike, top):
            place = alike[end - 1]
        elif end := bisect_right(left, top):
            near = left[max(0, end - _MOST) : end]
            place = max(near, key=lambda p: (common(self._gone[-p[1]].key, new.key), p))
        else:
            return None
        twin = self._gone[-place[1]]
        for some in self._lists(twin):
            del some[bisect_left(some, place)]
        return twin

    def _lists(self, s: Seen) -> tuple[list[Place], list[Place]]:
        """The places of those with the same labels but for those that changed, and of its role."""
        rest = frozenset(p for p in pairs(s.key) if p.partition("=")[0] not in self._changed)
        return self._alike[s.role, rest], self._left[s.role]


def _values(seen: Iterable[Seen]) -> dict[str, set[str]]:
    """By name of a label, the pairs that there are of it."""
    out: dict[str, set[str]] = defaultdict(set)
    for s in seen:
        for pair in pairs(s.key):
            out[pair.partition("=")[0]].add(pair)
    return out
