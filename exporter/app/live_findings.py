"""Judgement of `slod check --live`: what a source's samples say against an SLO."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import isfinite

from exporter.config.duration import approximate
from exporter.config.findings import Findings
from exporter.core.alert import Alert
from exporter.core.engine import Engine
from exporter.core.events import Term, derives, terms
from exporter.core.instance import BURN
from exporter.core.query_sli import QuerySLI
from exporter.core.sample import Batch, NativeHistogram, Reading
from exporter.core.selector import Want
from exporter.core.slo import SLO, CounterSLI, HistogramSLI
from exporter.core.wrong_kind import number_text, shape_of, wrong_histogram, wrong_kind
from exporter.sources.prometheus import PrometheusSource

_CONSTANTLY = 0.25
"""An alert that fires for so much of the time is noise, or the objective is a wish."""
_MORE_THAN_TOTAL = 0.01
_PART_LEFT = 0.2
"""Share of its value that a sum over workers keeps when one of them ends. Less may be a restart
that the start time on the page does not show, as on that of another process' exporter."""
_RESTARTS = 5
"""Falls of one series in a day without a start time: more are no restarts any more."""
_JITTER = 1e-6
_NAMED = 3
"""Targets that a finding names."""


class History:
    """Samples of a source, as far as findings need them. `bounds`: by SLO, what its histogram
    has, where the threshold is none of them."""

    def __init__(self, slos: Sequence[SLO], is_history: bool) -> None:
        self.slos = slos
        self.is_history = is_history
        self.bounds: dict[str, list[float]] = {}
        self.last: dict[Want, dict[str, float]] = defaultdict(dict)
        """The newest value of each series, by want."""
        self.looks = 0
        self.fired: Counter[tuple[str, str]] = Counter()
        """How many looks saw an alert of an SLO and severity active."""
        self.parts: dict[str, tuple[float, float]] = {}
        """By SLO, surplus of the part over its total, and all events."""
        self.pages: dict[str, Batch] = {}
        """The newest batch of each target; of an upstream the readings of all of them together."""
        self.falls: dict[Want, Counter[str]] = defaultdict(Counter)
        """How often each series fell while its process cannot be seen to have begun anew."""
        self.worn: dict[Want, set[str]] = defaultdict(set)
        """Series that fell to a part of their value in a process that went on."""
        self._started: dict[str, float] = {}
        self._newest: dict[tuple[Want, str], float] = {}

    def take(self, batch: Batch, target: str) -> None:
        """Keep what a batch shows. `target`: what was polled."""
        if self.is_history:
            before = self.pages.setdefault(target, Batch(batch.source, batch.at, own_clock=False))
            before.types |= batch.types
        else:
            before = self.pages[target] = Batch(batch.source, batch.at, own_clock=True)
            before.types = batch.types
        for want, readings in batch.readings.items():
            known = {id(r.series) for r in before.readings.setdefault(want, [])}
            before.readings[want] += [r for r in readings if id(r.series) not in known]
            for reading in readings:
                self._follow(want, reading, batch)
        for name, state in batch.targets.items():
            if state.started is not None:
                self._started[name] = state.started

    def _follow(self, want: Want, reading: Reading, batch: Batch) -> None:
        """Compare a series' samples with those before them."""
        name = f"{reading.series.target} {reading.series.key}"
        state = batch.targets.get(reading.series.target)
        moves = list(state.starts) if state is not None else []
        for time, value in reading.samples:
            number = value.count if isinstance(value, NativeHistogram) else value
            before = self.last[want].get(name)
            newest = self._newest.get((want, name))
            if not isfinite(number) or (newest is not None and time <= newest):
                continue
            if before is not None and number < before * (1 - _JITTER):
                start = self._started.get(reading.series.target)
                moved = any((newest or 0.0) < at <= time and s != start for at, s in moves)
                if not moved:
                    self.falls[want][name] += 1
                if not moved and start is not None and number >= _PART_LEFT * before:
                    self.worn[want].add(name)
            self.last[want][name] = number
            self._newest[want, name] = time

    def count_alerts(self, engine: Engine) -> None:
        """Note which alerts are active, and how parts and totals stand, after a tick."""
        self.looks += 1
        for name, account in engine.accounts.items():
            active = {a.labels["severity"] for a in account.alerts() if a.firing and _burns(a)}
            self.fired.update((name, severity) for severity in active)
            instances = account.memory.instances.values()
            self.parts[name] = (
                sum(i.debt for i in instances),
                sum(i.ledger.all.total for i in instances),
            )

    @property
    def when(self) -> str:
        """Where, or in which time, the samples were."""
        return " in the last day" if self.is_history else " on the targets' pages"

    def lacking(self, slo: SLO) -> tuple[list[str], int]:
        """Targets on which the threshold of a histogram is no bucket bound, of how many; empty when
        all have it, or native histograms."""
        assert isinstance(slo.sli, HistogramSLI)
        targets: list[set[str]] = [set(), set(), set()]
        for batch in self.pages.values():
            for kind, want in enumerate(slo.sli.wants()):
                targets[kind] |= {
                    r.series.target
                    for r in batch.readings.get(want, ())
                    if kind == 1 or _is_bucket(r, slo.sli.threshold)
                }
        bucket, count, native = targets
        return sorted(count - bucket - native), len(count | native)


def _is_bucket(reading: Reading, threshold: float) -> bool:
    """Check that a series is the threshold's bucket, or a native histogram."""
    if "le" not in reading.series.labels:
        return any(isinstance(value, NativeHistogram) for _, value in reading.samples)
    try:
        return float(reading.series.labels["le"]) == threshold
    except ValueError:
        return False


# --- judging --------------------------------------------------------------------------------------


def judge(slo: SLO, seen: History, findings: Findings) -> None:
    """Report what the samples say about one SLO."""
    if not _judge_kind(slo, seen, findings):
        _judge_series(slo, seen, findings)
        _judge_bounds(slo, seen, findings)
        _judge_falls(slo, seen, findings)
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


def _judge_kind(slo: SLO, seen: History, findings: Findings) -> bool:
    """Report metrics of another kind than is meant; whether one of them counts nothing at all."""
    targets: dict[tuple[str, str], list[str]] = defaultdict(list)
    for target in seen.pages:
        for role, text in _wrong(slo, seen, target).items():
            targets[role, text].append(target)
    for (role, _), names in targets.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        where = "" if seen.is_history else names[0] + more
        text = _wrong(slo, seen, names[0], where)[role]
        findings.warning(("slo", slo.name, "sli", role), text)
    empty = isinstance(slo.sli, HistogramSLI) and bool(targets)
    return empty and sum(map(len, targets.values())) == len(seen.pages)


def _wrong(slo: SLO, seen: History, target: str, where: str = "") -> Mapping[str, str]:
    batch = seen.pages[target]
    if not isinstance(slo.sli, HistogramSLI):
        return wrong_kind(slo.sli, batch.types, where)
    shape = shape_of(slo.sli, batch.readings)
    bounds = seen.bounds.get(slo.name, ())
    text = wrong_histogram(slo.sli, batch.types, shape, where, bounds)
    return {} if text is None else {"histogram": text}


def _judge_series(slo: SLO, seen: History, findings: Findings) -> None:
    found = {term.role: len(seen.last.get(term.want, {})) for term in terms(slo.sli)}
    for term in terms(slo.sli):
        if not found[term.role] and _is_missed(slo, term, found):
            path = ("slo", slo.name, "sli", _key(slo, term))
            findings.warning(path, f"{term.want} matches nothing{seen.when}")


def _is_missed(slo: SLO, term: Term, found: Mapping[str, int]) -> bool:
    """Check that a term ought to have series: errors may be yet to come."""
    sli = slo.sli
    if isinstance(sli, HistogramSLI):
        # Either the classic histogram or the native one; the threshold is another finding.
        return term.role == "total" and not found["native"]
    if isinstance(sli, CounterSLI) and term.role == "bad" and sli.bad is not None:
        whole = sli.total or sli.good
        return whole is None or whole.name != sli.bad.name
    return True


def _judge_bounds(slo: SLO, seen: History, findings: Findings) -> None:
    if slo.name not in seen.bounds or not isinstance(slo.sli, HistogramSLI):
        return
    lacking, all_ = seen.lacking(slo)
    where = ""
    if len(lacking) < all_:
        where = f" on {len(lacking)} of {all_} targets ({_some(lacking)}), whose events are unknown"
    there = ", ".join(map(number_text, seen.bounds[slo.name])) or "none"
    findings.warning(
        ("slo", slo.name, "sli", "threshold"),
        f"{number_text(slo.sli.threshold)} is no bucket bound of {slo.sli.histogram.name}{where}; "
        f"there are {there}",
    )


def _judge_falls(slo: SLO, seen: History, findings: Findings) -> None:
    """Report counters that fall in a process that goes on."""
    if not isinstance(slo.sli, CounterSLI | HistogramSLI):
        return
    for term in terms(slo.sli):
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
    debt, events = seen.parts.get(slo.name, (0.0, 0.0))
    values, total = (sum(seen.last.get(t.want, {}).values()) for t in (part, whole))
    more = debt > _MORE_THAN_TOTAL * events if events or debt else values > total * 1.01
    if more:
        findings.warning(
            ("slo", slo.name, "sli", part.role),
            f"counts more than total{seen.when}: it is not a part of it, and {derived} events "
            f"cannot be told",
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _burns(alert: Alert) -> bool:
    return alert.labels["alertname"] == BURN


def _key(slo: SLO, term: Term) -> str:
    if isinstance(slo.sli, HistogramSLI):
        return "histogram"
    return f"{term.role}_query" if isinstance(slo.sli, QuerySLI) else term.role
