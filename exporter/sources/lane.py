"""A lane: SLOs of one source that are asked for together, each from its own cursor on.

Those that are up to date share one lane, the live one. Those that have history to fetch are in
lanes of a few, so that what is in memory at once stays small, and so that one that cannot be
fetched holds up nobody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from exporter.core.sample import Ask, NativeHistogram, Reading, Value
from exporter.core.selector import Query, Want
from exporter.errors import SourceError

_FORGET_AFTER = 86_400.0
FIRST_CHUNK = 2 * 3600.0
"""Seconds to ask for before it is known how many samples they bring."""
_OWN_FAULT = frozenset({"bad_query", "too_much", "too_large"})
_ENOUGH = 30_000
"""Samples that one chunk should bring: some megabytes."""


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
        self._seen: dict[str, tuple[float, float]] = {}
        """By series: the end of the chunk that had it last, and its newest value."""
        self._swept = 0.0

    @property
    def start(self) -> float:
        """The cursor that is furthest behind."""
        return min(self.cursors.values(), default=0.0)

    @property
    def fresh(self) -> bool:
        """Nothing was ever asked for: what is found first is the baseline."""
        return len(self._fresh) == len(self.cursors)

    @property
    def stuck(self) -> bool:
        """It fails by its own fault: the server is well, and refuses this."""
        return self.error is not None and self.error.reason in _OWN_FAULT

    def wants(self) -> dict[Want, float]:
        """What to ask for, each want once, and from when on."""
        out: dict[Want, float] = {}
        for slo, cursor in self.cursors.items():
            for want in self._wants[slo]:
                out[want] = min(cursor, out.get(want, cursor))
        return out

    def answered(self, failed: Iterable[Want]) -> list[str]:
        """The SLOs that have all they wanted."""
        gone = set(failed)
        return [slo for slo in self.cursors if gone.isdisjoint(self._wants[slo])]

    def moved(self, slos: Iterable[str], end: float) -> None:
        """These have their samples up to `end`."""
        for slo in slos:
            self.cursors[slo] = end
            self._fresh.discard(slo)

    # --- SLOs come and go ------------------------------------------------------------------------

    def split(self, slos: Iterable[str]) -> Lane:
        """Take these out, into a lane of their own."""
        names = set(slos)
        part = Lane(self.asks(names), 0.0, self.chunk, self.most)
        part.cursors = {slo: self.cursors.pop(slo) for slo in list(self.cursors) if slo in names}
        part._fresh = self._fresh & names
        self._fresh -= names
        return part

    def join(self, other: Lane) -> None:
        """Take all of another lane's in."""
        self._wants |= other._wants
        self._fresh |= other._fresh
        self.cursors |= other.cursors
        # What one of them has seen may be news to another: ask about all targets once more.
        self._seen.clear()

    def asks(self, slos: Iterable[str]) -> list[Ask]:
        """What these want, from where they are."""
        return [
            Ask(slo, self._wants[slo], None if slo in self._fresh else self.cursors[slo])
            for slo in self.cursors
            if slo in slos
        ]

    # --- what was learnt from an answer ----------------------------------------------------------

    def to_ask_about(
        self, readings: Mapping[Want, Sequence[Reading]], end: float, *, all_: bool
    ) -> dict[str, tuple[tuple[str, str], float]]:
        """The targets of series that were not there before or fell, or all of them: each with its
        job and instance, and when a sample of it was taken first."""
        chosen: set[str] = set()
        found: dict[str, tuple[tuple[str, str], float]] = {}
        for want, some in readings.items():
            if isinstance(want, Query):
                continue
            for series, samples, _ in some:
                if not samples:
                    continue
                if all_ or self._is_news(series.key, samples):
                    chosen.add(series.target)
                self._seen[series.key] = (end, _number(samples[-1][1]))
                first = found[series.target][1] if series.target in found else samples[0][0]
                where = (series.labels.get("job", ""), series.labels.get("instance", ""))
                found[series.target] = (where, min(first, samples[0][0]))
        if end - self._swept > _FORGET_AFTER / 24:
            self._swept = end
            self._seen = {k: s for k, s in self._seen.items() if end - s[0] < _FORGET_AFTER}
        return {target: found[target] for target in chosen}

    def _is_news(self, key: str, samples: Sequence[tuple[float, Value]]) -> bool:
        """A new series, or one that was reset: perhaps its whole process is a new one."""
        if key not in self._seen:
            return True
        values = [_number(value) for _, value in samples]
        return values[-1] < self._seen[key][1] or any(b < a for a, b in pairwise(values))

    def got(self, samples: int) -> None:
        """A chunk brought so many samples: the next one may be longer, or should be shorter."""
        longer = max(2 * self.chunk, FIRST_CHUNK)
        self.chunk = min(self.most, longer, self.chunk * _ENOUGH / max(samples, 1))

    def too_much(self) -> None:
        """The server refused a chunk as too large."""
        self.most = self.chunk = self.chunk / 2


def _number(value: Value) -> float:
    return value.count if isinstance(value, NativeHistogram) else value
