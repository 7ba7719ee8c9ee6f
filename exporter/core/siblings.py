"""The pace of series that have none of their own yet: that of their siblings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from statistics import median

from exporter.core.series import Last, pace_of
from exporter.core.target_state import TargetState
from exporter.core.verdicts import pairs

_SIBLINGS = 16
_MOST_TWINS = 200
"""Other processes, and series of each, whose pace is asked for where one has none of its own."""
_OF_PROCESSES = frozenset(
    {"instance", "job", "pod", "container", "namespace", "cluster", "node", "host"}
    | {"exported_instance", "exported_job", "exported_pod", "service_instance_id"}
)
"""Labels that tell processes apart, whatever else they may mean."""


class Siblings:
    """Events per second of the series of other processes, as they are remembered by now: those
    that were counted earlier in the batch have their newest pace."""

    def __init__(self, others: Mapping[str, TargetState]) -> None:
        self._others = others
        self._paces: list[float] | None = None
        self._twins: dict[tuple[int, frozenset[str]], list[float]] | None = None

    def usual(self, own: Iterable[tuple[int, Last]]) -> float | None:
        """The pace of a series of a process, or of other processes: of the term that has most,
        since the first errors take the place of good events. None also where nothing ever
        happened. `own`: the newest samples of its series, with their terms."""
        marks: dict[int, list[Last]] = {}
        for index, last in own:
            marks.setdefault(index, []).append(last)
        if pace := _median_pace(marks):
            return pace
        if self._paces is None:
            others = islice(self._others.values(), _SIBLINGS)
            self._paces = [pace for o in others if (pace := _pace_of_state(o))]
        return median(self._paces) if self._paces else None

    def of_twins(self, index: int, key: str) -> float | None:
        """The pace of the same series of other processes; None if none is the same."""
        if self._twins is None:
            self._twins = {}
            for state in islice(self._others.values(), _SIBLINGS):
                for term, series in enumerate(state.series):
                    for name, last in islice(series.items(), _MOST_TWINS):
                        if (pace := pace_of(last.paces)) is not None:
                            self._twins.setdefault((term, _without_process(name)), []).append(pace)
        found = self._twins.get((index, _without_process(key)))
        return median(found) if found else None


def _without_process(key: str) -> frozenset[str]:
    """A series' labels but for those that tell processes apart."""
    return frozenset(pair for pair in pairs(key) if pair.partition("=")[0] not in _OF_PROCESSES)


def _median_pace(marks: Mapping[int, Sequence[Last]]) -> float | None:
    found: list[float] = []
    for some in marks.values():
        paces = [pace for last in some if (pace := pace_of(last.paces)) is not None]
        if paces:
            found.append(median(paces))
    return max(found, default=None)


def _pace_of_state(state: TargetState) -> float | None:
    return _median_pace({i: list(series.values()) for i, series in enumerate(state.series)})
