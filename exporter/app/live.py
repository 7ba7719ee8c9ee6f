"""What `slod check --live` finds: whether the sources have what the SLOs ask for.

A Prometheus is asked for the last day, which goes through an engine as it would in the daemon; of
targets one page each is taken.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from exporter.app.parts import make_source
from exporter.clock import Clock
from exporter.config.duration import approximate
from exporter.config.findings import Finding, Findings, in_order
from exporter.config.load import Config
from exporter.config.settings import Duration
from exporter.config.settings import PrometheusSource as PrometheusSettings
from exporter.core.alert import Alert
from exporter.core.burn_alerts import BURN
from exporter.core.engine import Engine
from exporter.core.events import Term, derives, terms
from exporter.core.sample import Ask, NativeHistogram
from exporter.core.selector import Want
from exporter.core.slo import SLO, CounterSLI, HistogramSLI, QuerySLI, bound_text
from exporter.errors import SourceError
from exporter.sources.base import Poll, Source
from exporter.sources.prometheus import PrometheusSource

DAY = 86_400.0
_AT_ONCE = 8
_LOOK_EVERY = 900.0
_CONSTANTLY = 0.25
"""An alert that fires for so much of the time is noise, or the objective is a wish."""
_MORE_THAN_TOTAL = 0.01


async def look(config: Config, clock: Clock, since: float = DAY) -> list[Finding]:
    """Findings in the order of the file; a source that cannot be asked is one of them."""
    findings = Findings(config.path, config.keys.lines)
    for name, settings in config.sources.items():
        slos = [slo for slo in config.slos if slo.source == name]
        for low in range(0, len(slos), _AT_ONCE):
            if isinstance(settings, PrometheusSettings):
                # Alerts are looked at after every chunk.
                settings = replace(settings, chunk=Duration(_LOOK_EVERY))
            source = make_source(settings, clock)
            seen = Seen(slos[low : low + _AT_ONCE])
            try:
                await seen.ask(source, clock, since)
                for slo in seen.slos:
                    seen.judge(slo, findings)
                    await seen.judge_history(slo, source, clock.now(), findings)
            except SourceError as error:
                findings.warning(("source", name), f"cannot be asked: {error}")
                break
            finally:
                await source.close()
    return in_order(findings.found)


class Seen:
    """What a source has for a few SLOs."""

    def __init__(self, slos: Sequence[SLO]) -> None:
        self.slos = slos
        self._engine = Engine(slos, (), approximate)
        self._last: dict[Want, dict[str, float]] = {}
        """The newest value of each series, by want."""
        self._looks = 0
        self._fired: Counter[tuple[str, str]] = Counter()
        """How many looks saw an alert of an SLO and severity firing."""
        self._bucketless: set[str] = set()
        self._history = False
        self._bounds: dict[str, list[float]] = {}

    async def ask(self, source: Source, clock: Clock, since: float) -> None:
        """Fetch what there is; `SourceError` when nothing can be had."""
        now = clock.now()
        asks = [Ask(slo.name, slo.sli.wants(), now - since) for slo in self.slos]
        if isinstance(source, PrometheusSource):
            self._history = True
            await source.history(asks, now, self._take)
        else:
            await self._one_round(source, asks)
        for slo in self.slos:
            if slo.name in self._bucketless and isinstance(slo.sli, HistogramSLI):
                self._bounds[slo.name] = await source.bounds(slo.sli.histogram)

    async def _one_round(self, source: Source, asks: Sequence[Ask]) -> None:
        polled: set[str] = set()
        done = asyncio.Event()
        errors: list[SourceError] = []

        async def sink(poll: Poll) -> None:
            await self._take(poll)
            polled.add(poll.target)
            if poll.error is not None:
                errors.append(poll.error)
            if set(source.targets) <= polled:
                done.set()

        polling = asyncio.create_task(source.run(asks, sink))
        await asyncio.wait(
            [polling, waiting := asyncio.create_task(done.wait())],
            return_when=asyncio.FIRST_COMPLETED,
        )
        for task in (polling, waiting):
            task.cancel()
        await asyncio.gather(polling, waiting, return_exceptions=True)
        if errors and not self._last:
            raise errors[0]

    async def _take(self, poll: Poll) -> None:
        if poll.batch is None:
            return
        for want, readings in poll.batch.readings.items():
            known = self._last.setdefault(want, {})
            for series, samples, _ in readings:
                if samples:
                    value = samples[-1][1]
                    number = value.count if isinstance(value, NativeHistogram) else value
                    known[f"{series.target} {series.key}"] = number
        poll.batch.complete = True
        for name, taken in self._engine.ingest(poll.batch).items():
            if taken.bucket_missing:
                self._bucketless.add(name)
        self._engine.tick(poll.batch.at)
        self._looks += 1
        for name, account in self._engine.accounts.items():
            firing = {a.labels["severity"] for a in account.alerts() if a.firing and _burns(a)}
            self._fired.update((name, severity) for severity in firing)

    # --- judging --------------------------------------------------------------------------------

    def judge(self, slo: SLO, findings: Findings) -> None:
        """What the samples say about one SLO."""
        path = ("slo", slo.name, "sli")
        found = {term.role: len(self._last.get(term.want, {})) for term in terms(slo.sli)}
        for term in terms(slo.sli):
            if not found[term.role] and self._is_missed(slo, term, found):
                findings.warning(
                    (*path, _key(slo, term)), f"{term.want} matches nothing{self._when}"
                )
        if slo.name in self._bounds and isinstance(slo.sli, HistogramSLI):
            there = ", ".join(map(bound_text, self._bounds[slo.name])) or "none"
            findings.warning(
                (*path, "threshold"),
                f"{bound_text(slo.sli.threshold)} is no bucket bound of {slo.sli.histogram.name}; "
                f"there are {there}",
            )
        self._judge_parts(slo, findings)
        for severity in sorted({rule.severity for rule in slo.rules}):
            share = self._fired[slo.name, severity] / max(self._looks, 1)
            if self._history and share >= _CONSTANTLY:
                findings.warning(
                    ("slo", slo.name, "objective"),
                    f"its {severity} alerts would have fired for {share:.0%} of the last day; "
                    f"`slod backtest --since 30d` shows an objective that can be met",
                )

    async def judge_history(self, slo: SLO, source: Source, now: float, findings: Findings) -> None:
        """Whether the source reaches as far back as the SLO's period."""
        period = slo.period.length(now)
        if not isinstance(source, PrometheusSource) or isinstance(slo.sli, QuerySLI):
            return
        there = [want for want in slo.sli.wants() if self._last.get(want)]
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

    @property
    def _when(self) -> str:
        return " in the last day" if self._history else " on the targets' pages"

    def _is_missed(self, slo: SLO, term: Term, found: dict[str, int]) -> bool:
        """Whether it ought to be there: errors may be yet to come."""
        sli = slo.sli
        if isinstance(sli, HistogramSLI):
            # Either the classic histogram or the native one; the threshold is another finding.
            return term.role == "total" and not found["native"]
        if isinstance(sli, CounterSLI) and term.role == "bad" and sli.bad is not None:
            whole = sli.total or sli.good
            return whole is None or whole.name != sli.bad.name
        return True

    def _judge_parts(self, slo: SLO, findings: Findings) -> None:
        """Whether the part that is counted is more than the whole it should be a part of."""
        if not (derived := derives(slo.sli)) or isinstance(slo.sli, HistogramSLI | QuerySLI):
            return
        part = next(t for t in terms(slo.sli) if t.role != "total")
        whole = next(t for t in terms(slo.sli) if t.role == "total")
        debt = sum(i.debt for i in self._engine.accounts[slo.name].memory.instances.values())
        events = sum(
            i.ledger.all.total for i in self._engine.accounts[slo.name].memory.instances.values()
        )
        values, total = (sum(self._last.get(t.want, {}).values()) for t in (part, whole))
        more = debt > _MORE_THAN_TOTAL * events if events or debt else values > total * 1.01
        if more:
            findings.warning(
                ("slo", slo.name, "sli", part.role),
                f"counts more than total{self._when}: it is not a part of it, and {derived} events "
                f"cannot be told",
            )


def _burns(alert: Alert) -> bool:
    return alert.labels["alertname"] == BURN


def _key(slo: SLO, term: Term) -> str:
    if isinstance(slo.sli, HistogramSLI):
        return "histogram"
    return f"{term.role}_query" if isinstance(slo.sli, QuerySLI) else term.role
