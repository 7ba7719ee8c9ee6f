"""Judgement of `slod check --live`: what a source's samples say against an SLO."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from exporter.app.live_history import History
from exporter.config.duration import approximate
from exporter.config.findings import Findings, nearest
from exporter.core.events import Term, derives, terms
from exporter.core.numerals import number_text
from exporter.core.query_sli import QuerySLI
from exporter.core.selector import Selector
from exporter.core.slo import SLO, CounterSLI, HistogramSLI
from exporter.core.wrong_kind import (
    families_of,
    shape_of,
    wrong_histogram,
    wrong_kind,
)
from exporter.sources.prometheus import PrometheusSource

_CONSTANTLY = 0.25
"""An alert that fires for so much of the time is noise, or the objective is a wish."""
_MORE_THAN_TOTAL = 0.01
_RESTARTS = 5
"""Falls of one series in a day without a start time: more are no restarts any more."""
_NAMED = 3
"""Targets that a finding names."""


def judge(slo: SLO, seen: History, findings: Findings) -> None:
    """Report what the samples say about one SLO."""
    wrong = _judge_kind(slo, seen, findings)
    if not (isinstance(slo.sli, HistogramSLI) and wrong.get("histogram") == len(seen.pages)):
        _judge_series(slo, seen, findings)
        _judge_groups(slo, seen, findings)
        _judge_bounds(slo, seen, findings)
        _judge_falls(slo, seen, wrong, findings)
    _judge_parts(slo, seen, findings)
    for severity in sorted({rule.severity for rule in slo.rules}):
        share = seen.fired[slo.name, severity] / max(seen.looks, 1)
        if seen.is_history and share >= _CONSTANTLY:
            findings.warning(
                ("slo", slo.name, "objective"),
                f"its {severity} alerts would have fired for {share:.0%} of the last day; "
                f"`slod backtest --since 30d` shows an objective that can be met",
            )


async def judge_history(
    slo: SLO, seen: History, source: PrometheusSource, now: float, findings: Findings
) -> None:
    """Report when the source does not reach as far back as the SLO's period."""
    if isinstance(slo.sli, QuerySLI):
        return
    period = slo.period.length(now)
    there = [want for want in slo.sli.wants() if seen.last.get(want)]
    if not there or await source.reaches(there[-1], now - period, now):
        return
    known, unknown = 0.0, period
    while unknown - known > max(3600.0, known / 20):
        middle = (known + unknown) / 2
        if await source.reaches(there[-1], now - middle, now):
            known = middle
        else:
            unknown = middle
    findings.warning(
        ("source", slo.source),
        f"its samples of slo {slo.name} reach back {approximate(known)} only, of a period of "
        f"{slo.period.label}: a first start knows no more; see the retention of that server",
    )


def _judge_kind(slo: SLO, seen: History, findings: Findings) -> Counter[str]:
    """Report metrics of another kind than is meant; by role, on how many targets."""
    targets: dict[tuple[str, str], list[str]] = defaultdict(list)
    for target in seen.pages:
        for role, text in _wrong(slo, seen, target).items():
            targets[role, text].append(target)
    for (role, _), names in targets.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        where = "" if seen.is_history else names[0] + more
        text = _wrong(slo, seen, names[0], where)[role]
        # What is no histogram counts nothing; a gauge counts, if wrongly.
        report = findings.error if isinstance(slo.sli, HistogramSLI) else findings.warning
        report(("slo", slo.name, "sli", role), text)
    wrong: Counter[str] = Counter()
    for (role, _), names in targets.items():
        wrong[role] += len(names)
    return wrong


def families(slos: Iterable[SLO]) -> set[str]:
    """Names under which the types of the SLOs' metrics may be known."""
    names = {want.name for slo in slos for want in slo.sli.wants() if isinstance(want, Selector)}
    return names | {base for name in names for base in families_of(name)}


def _wrong(slo: SLO, seen: History, target: str, where: str = "") -> Mapping[str, str]:
    batch = seen.pages[target]
    types = {**seen.types, **batch.types}
    if not isinstance(slo.sli, HistogramSLI):
        return wrong_kind(slo.sli, types, where)
    shape = shape_of(slo.sli, batch.readings)
    bounds = seen.bounds.get(slo.name, ())
    text = wrong_histogram(slo.sli, types, shape, where, bounds)
    return {} if text is None else {"histogram": text}


def _judge_series(slo: SLO, seen: History, findings: Findings) -> None:
    found = {term.role: len(seen.last.get(term.want, {})) for term in terms(slo.sli)}
    for term in terms(slo.sli):
        path = ("slo", slo.name, "sli", _key(slo, term))
        if found[term.role] or not _is_missed(slo, term, found):
            continue
        text = f"{term.want} matches nothing{seen.when}"
        if term.role == "bad" and any(found.values()):
            findings.note(path, f"{text}; that is so where nothing ever failed")
        else:
            findings.error(path, text)


def _is_missed(slo: SLO, term: Term, found: Mapping[str, int]) -> bool:
    """Check that a term ought to have series, and that no other finding says that it has none."""
    sli = slo.sli
    if isinstance(sli, HistogramSLI):
        # Either the classic histogram or the native one; the threshold is another finding.
        return term.role == "total" and not found["native"]
    if isinstance(sli, CounterSLI) and term.role == "bad" and sli.bad is not None:
        whole = sli.total or sli.good
        return any(found.values()) or whole is None or whole.name != sli.bad.name
    return True


def _judge_groups(slo: SLO, seen: History, findings: Findings) -> None:
    """Report a label to group by that no series of the SLO has."""
    readings = (
        reading
        for batch in seen.pages.values()
        for want in slo.sli.wants()
        for reading in batch.readings.get(want, ())
    )
    there = {label for reading in readings for label in reading.series.labels}
    for index, label in enumerate(slo.group_by):
        if there and label not in there:
            findings.error(
                ("slo", slo.name, "group_by", index),
                f"no series of this SLO has the label {label!r}{nearest(label, there)}",
            )


def _judge_bounds(slo: SLO, seen: History, findings: Findings) -> None:
    if slo.name not in seen.bounds or not isinstance(slo.sli, HistogramSLI):
        return
    lacking, all_ = seen.lacking(slo)
    where, report = "", findings.error
    if len(lacking) < all_:
        report = findings.warning
        where = f" on {len(lacking)} of {all_} targets ({_some(lacking)}), whose events are unknown"
    there = ", ".join(map(number_text, seen.bounds[slo.name])) or "none"
    report(
        ("slo", slo.name, "sli", "threshold"),
        f"{number_text(slo.sli.threshold)} is no bucket bound of {slo.sli.histogram.name}{where}; "
        f"there are {there}",
    )


def _judge_falls(slo: SLO, seen: History, wrong: Collection[str], findings: Findings) -> None:
    """Report counters that fall in a process that goes on, but those that are `wrong` anyway."""
    if not isinstance(slo.sli, CounterSLI | HistogramSLI):
        return
    for term in terms(slo.sli):
        if _key(slo, term) in wrong:
            continue
        falls = seen.falls.get(term.want, Counter())
        often = 1 if not seen.is_history else _RESTARTS
        names = {name for name, count in falls.items() if count >= often}
        names |= seen.worn.get(term.want, set())
        if names:
            how = "fell" if not seen.is_history else f"fell {max(falls[n] for n in names)} times"
            findings.warning(
                ("slo", slo.name, "sli", _key(slo, term)),
                f"{_some(sorted(names))} {how}{seen.when} while the process went on: it is a gauge,"
                " or a sum over workers, connections or channels that end; what ended with them is "
                "not known. Use a counter that outlives them",
            )


def _judge_parts(slo: SLO, seen: History, findings: Findings) -> None:
    """Report a part that is more than the whole it should be a part of."""
    if not (derived := derives(slo.sli)) or isinstance(slo.sli, HistogramSLI | QuerySLI):
        return
    part = next(t for t in terms(slo.sli) if t.role != "total")
    whole = next(t for t in terms(slo.sli) if t.role == "total")
    surplus, events = seen.parts.get(slo.name, (0.0, 0.0))
    values, total = (sum(seen.last.get(t.want, {}).values()) for t in (part, whole))
    if not events and not surplus:
        # Two pages of a quiet target show no events: their values tell as much.
        surplus, events = values - total, total
    if surplus > _MORE_THAN_TOTAL * events:
        findings.warning(
            ("slo", slo.name, "sli", part.role),
            f"counts more than total{seen.when}: it is not a part of it, and {derived} events "
            f"cannot be told",
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _key(slo: SLO, term: Term) -> str:
    if isinstance(slo.sli, HistogramSLI):
        return "histogram"
    return f"{term.role}_query" if isinstance(slo.sli, QuerySLI) else term.role
