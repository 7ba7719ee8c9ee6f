"""A lane: SLOs of one source that are asked for together, each from its own cursor on.

Those that are up to date share one lane, the live one. Those that have history to fetch are in
lanes of a few, so that what is in memory at once stays small, and so that one that cannot be
fetched holds up nobody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import floor, inf
from typing import NamedTuple

from exporter.core.sample import Ask
from exporter.core.selector import Query, Want
from exporter.errors import SourceError

FIRST_CHUNK = 2 * 3600.0
"""Seconds to ask for before it is known how many samples they bring."""
_OWN_FAULT = frozenset({"bad_query", "too_much", "too_large"})
_ENOUGH = 100_000
"""Samples that one chunk should bring, those about targets among them: some megabytes."""


class Due(NamedTuple):
    """From when on a want is to be asked for; `fresh`: nothing of it was ever asked for."""

    cursor: float
    fresh: bool


class _Steps(NamedTuple):
    """Of a query: no step at or before `after` is its business; the newest asked for, the width."""

    after: float
    newest: float
    width: float


class Lane:
    """`cursors`: up to when each SLO has its samples. `chunk`: how many seconds to ask for at once,
    never more than `most`. `error`: why the last chunk failed."""

    def __init__(self, asks: Sequence[Ask], start: float, chunk: float, most: float) -> None:
        self.cursors = {ask.slo: start if ask.since is None else ask.since for ask in asks}
        self.chunk = min(chunk, most)
        self.most = most
        self.error: SourceError | None = None
        self._wants = {ask.slo: ask.wants for ask in asks}
        self._fresh = {ask.slo for ask in asks if ask.since is None}
        self._steps: dict[Query, _Steps] = {}

    @property
    def start(self) -> float:
        """The cursor that is furthest behind."""
        return min(self.cursors.values(), default=0.0)

    @property
    def stuck(self) -> bool:
        """It fails by its own fault: the server is well, and refuses this."""
        return self.error is not None and self.error.reason in _OWN_FAULT

    def wants(self) -> dict[Want, Due]:
        """What to ask for, each want once."""
        out: dict[Want, Due] = {}
        for slo, cursor in self.cursors.items():
            fresh = slo in self._fresh
            for want in self._wants[slo]:
                due = out.get(want, Due(inf, True))
                out[want] = Due(min(cursor, due.cursor), fresh and due.fresh)
        return out

    def together(self, starts: Mapping[Want, float]) -> dict[Want, float]:
        """From when on to ask for all wants of the SLOs that want one of these: what an SLO wants
        is asked for over one time."""
        out: dict[Want, float] = {}
        for wants in self._wants.values():
            first = min((starts[want] for want in wants if want in starts), default=inf)
            if first < inf:
                for want in wants:
                    out[want] = min(first, out.get(want, inf))
        return out

    def answered(self, failed: Iterable[Want]) -> list[str]:
        """The SLOs that have all they wanted."""
        gone = set(failed)
        return [slo for slo in self.cursors if gone.isdisjoint(self._wants[slo])]

    def wanting(self, want: Want) -> list[str]:
        """The SLOs that want it."""
        return [slo for slo in self.cursors if want in self._wants[slo]]

    def moved(self, slos: Iterable[str], end: float) -> None:
        """These have their samples up to `end`."""
        for slo in slos:
            self.cursors[slo] = end
            self._fresh.discard(slo)

    def first_step(self, want: Query, due: Due, late: float, last: float, width: float) -> float:
        """The first step of a query to ask for: the first after its cursor, or up to `late` seconds
        before that where none that was counted overlaps it.

        `last`: the newest step there can be. Of what is fresh that one is news, whenever it was.
        """
        steps = self._steps.get(want)
        if steps is None:
            after = min(due.cursor, last - width / 2) if due.fresh else -inf
            steps = _Steps(after, -inf, width)
        elif steps.width != width:
            # Windows of the new width begin where the last of the old width ended.
            steps = _Steps(steps.newest + width * 0.999, -inf, width)
        self._steps[want] = steps._replace(newest=max(steps.newest, last))
        after = max(due.cursor - late, steps.after)
        return (floor(after / width) + 1) * width

    # --- SLOs come and go ------------------------------------------------------------------------

    def split(self, slos: Iterable[str]) -> Lane:
        """Take these out, into a lane of their own."""
        names = set(slos)
        part = Lane(self.asks(names), 0.0, self.chunk, self.most)
        part.cursors = {slo: self.cursors.pop(slo) for slo in list(self.cursors) if slo in names}
        part._fresh = self._fresh & names
        part._steps = dict(self._steps)
        self._fresh -= names
        return part

    def join(self, other: Lane) -> None:
        """Take all of another lane's in."""
        self._wants |= other._wants
        self._fresh |= other._fresh
        self.cursors |= other.cursors
        self._steps = other._steps | self._steps

    def asks(self, slos: Iterable[str]) -> list[Ask]:
        """What these want, from where they are."""
        return [
            Ask(slo, self._wants[slo], None if slo in self._fresh else self.cursors[slo])
            for slo in self.cursors
            if slo in slos
        ]

    # --- what was learnt from an answer ----------------------------------------------------------

    def got(self, samples: int) -> None:
        """A chunk brought so many samples: the next one may be longer, or should be shorter."""
        longer = max(2 * self.chunk, FIRST_CHUNK)
        self.chunk = min(self.most, longer, self.chunk * _ENOUGH / max(samples, 1))

    def too_much(self) -> None:
        """The server refused a chunk as too large."""
        self.most = self.chunk = self.chunk / 2
