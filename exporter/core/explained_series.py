"""The series of an SLO, by what it asks for: what memory and its tally know of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from exporter.core import events
from exporter.core.explained import SeriesSaid, WantSaid
from exporter.core.memory import Memory
from exporter.core.query_sli import QuerySLI
from exporter.core.selector import parse_selector
from exporter.core.slo import GaugeSLI
from exporter.core.tally import Line, Seen
from exporter.core.target_state import LOST
from exporter.core.verdicts import GOES_ON, Kind


def wants_said(memory: Memory, group: Mapping[str, str]) -> tuple[WantSaid, ...]:
    """For each want of the SLI its series, those that gained most first; those of one group."""
    if memory.tally is None:
        return ()
    counts = not isinstance(memory.slo.sli, GaugeSLI | QuerySLI)
    seen, others = memory.tally.seen()
    out = []
    for index, term in enumerate(events.terms(memory.slo.sli)):
        mine = [s for s in seen if s.index == index and _belongs(s, group)]
        number, more, rest = others.get(index, (0, 0.0, Line()))
        lines = [s.line for s in mine] + ([] if group else [rest])
        refused: Counter[str] = Counter()
        for line in lines:
            refused.update(line.refused)
        said = [_series(s, counts) for s in mine]
        said.sort(key=lambda s: (-(s.increase or 0.0), s.series, s.target))
        out.append(
            WantSaid(
                term.role,
                str(term.want),
                tuple(said),
                0 if group else number,
                sum(s.increase or 0.0 for s in said) + (0.0 if group else more) if counts else None,
                sum(line.resets for line in lines),
                sum(sum(line.births.values()) for line in lines),
                dict(refused),
            )
        )
    return tuple(out)


def _series(seen: Seen, counts: bool) -> SeriesSaid:
    last, line = seen.last, seen.line
    return SeriesSaid(
        seen.key,
        seen.target,
        line.labels,
        last.value if counts and last is not None and last.value != LOST else None,
        last.time if last is not None else None,
        seen.increase if counts else None,
        line.resets,
        line.gaps,
        line.births,
        line.refused,
        _by_kind(line),
    )


def _by_kind(line: Line) -> dict[str, dict[str, int]]:
    out: dict[str, dict[str, int]] = {}
    refused = {(Kind.REFUSED.value, reason): n for reason, n in line.refused.items()}
    for (kind, evidence), n in (line.readings | refused).items():
        if (kind, evidence) != (GOES_ON.kind.value, GOES_ON.evidence):
            out.setdefault(kind, {})[evidence] = n
    return out


def _belongs(seen: Seen, group: Mapping[str, str]) -> bool:
    """Whether a series is of a group; one that is only known by name is taken by that."""
    if not group:
        return True
    labels = seen.line.labels
    if labels is None:
        try:
            labels = {m.label: m.value for m in parse_selector(seen.key).matchers}
        except ValueError:
            return True
        return all(labels.get(name, value) == value for name, value in group.items())
    return all(labels.get(name, "") == value for name, value in group.items())
