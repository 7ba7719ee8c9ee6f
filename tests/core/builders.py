"""Small things to build engines from, and pages to feed them: series are written as on a page."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from exporter.core.engine import Engine
from exporter.core.outbox import Route
from exporter.core.sample import Batch, Reading, Series, Target
from exporter.core.selector import Selector, parse_matchers, parse_selector
from exporter.core.slo import (
    SLI,
    SLO,
    BudgetStep,
    CounterSLI,
    HistogramSLI,
    Period,
    Rule,
    Window,
    burn_rate_of_share,
)
from exporter.core.status import SLOStatus, WindowStatus

T = 1_700_000_000.0
"""A Tuesday evening; every test begins about here."""

OK, ERROR = 'http_requests_total{code="200"}', 'http_requests_total{code="500"}'
LONG_AGO = T - 1e6

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def window(label: str) -> Window:
    """`5m` as a window."""
    return Window(label, float(label[:-1]) * _UNITS[label[-1]])


AVAILABILITY = CounterSLI(
    bad=parse_selector('http_requests_total{code=~"5.."}'),
    total=parse_selector("http_requests_total"),
)


def histogram(threshold: float = 0.5, good_if: str = "") -> HistogramSLI:
    """Latency by a histogram of the metric `latency`."""
    return HistogramSLI(parse_selector("latency"), threshold, parse_matchers(good_if))


def rule(severity: str, long: str, short: str, rate: float, **more: Any) -> Rule:
    """One burn rate rule."""
    return Rule(severity, window(long), window(short), rate, **more)


def workbook(period: str = "30d", **more: Any) -> tuple[Rule, ...]:
    """The workbook's four rules for a period."""
    table = [
        ("page", 0.02, "1h", "5m"),
        ("page", 0.05, "6h", "30m"),
        ("ticket", 0.10, "1d", "2h"),
        ("ticket", 0.10, "3d", "6h"),
    ]
    return tuple(
        rule(severity, long, short, burn_rate_of_share(share, window(period), window(long)), **more)
        for severity, share, long, short in table
    )


STEPS = (
    BudgetStep(0.00, "exhausted", gate_open=False),
    BudgetStep(0.25, "freeze_discussion"),
    BudgetStep(0.50, "warning"),
)


def slo(
    name: str = "slo",
    sli: SLI = AVAILABILITY,
    *,
    objective: float = 0.999,
    period: Period | str = "30d",
    interval: float = 10.0,
    **more: Any,
) -> SLO:
    """An SLO of the source `app`, without rules unless they are given."""
    over = window(period) if isinstance(period, str) else period
    return SLO(name, "shop", objective, over, more.pop("source", "app"), sli, interval, **more)


def show(seconds: float) -> str:
    """Seconds for people."""
    return f"{seconds:.0f}s"


def engine(*slos: SLO, routes: Sequence[Route] = ()) -> Engine:
    """An engine with these SLOs, or one plain SLO."""
    return Engine(slos or (slo(),), routes, show)


def aged(of: Engine, until: float = T, *names: str) -> Engine:
    """The same engine, as if all SLOs or these had watched a quiet service for a whole period."""
    for name in names or of.accounts:
        account = of.accounts[name]
        length = account.slo.period.length(until)
        for group in account.memory.instances:
            account.memory.do("cover", group, until - length, until)
    return of


Page = Mapping[str, Any]
"""Series as written on a page, each with a value or a list of (time, value)."""
Pages = Mapping[str, Page]


def batch(
    of: Engine,
    at: float,
    pages: Pages,
    *,
    source: str = "app",
    started: Mapping[str, float | list[tuple[float, float]]] | None = None,
    observed: Mapping[str, float | Sequence[float]] | None = None,
    created: float | Mapping[str, float] | None = None,
    page: str = "",
    down: Collection[str] = (),
    own_clock: bool = True,
    **more: Any,
) -> Batch:
    """What a source would answer: each want gets the series of all pages that it selects.

    `pages`: by target, then by series as written on a page; a bare value is sampled at `at`.
    `created`: of all series, or by series as written. `page`: the page that passes the targets on.
    `down`: targets where nobody listened.
    """
    out = Batch(source, at, own_clock, **more)
    for want in {want: None for ask in of.asks(source) for want in ask.wants}:
        readings = out.readings.setdefault(want, [])
        for target, series in pages.items():
            for text, value in series.items():
                written = parse_selector(text)
                labels = {m.label: m.value for m in written.matchers} | {"instance": target}
                samples = value if isinstance(value, list) else [(at, value)]
                name = want.name if isinstance(want, Selector) else str(want)
                if name == written.name and (
                    not isinstance(want, Selector) or want.matches(labels)
                ):
                    begun = created.get(text) if isinstance(created, Mapping) else created
                    one = Series(text, target, labels, page)
                    readings.append(Reading(one, samples, begun))
    for target in (*pages, *down, *([page] if page else ())):
        out.targets[target] = Target(
            starts=_starts(at, (started or {}).get(target)),
            looks=_looks((observed or {}).get(target)),
            down=target in down,
        )
    return out


def _starts(
    at: float, started: float | list[tuple[float, float]] | None
) -> list[tuple[float, float]]:
    if started is None or isinstance(started, list):
        return started or []
    return [(at, started)]


def _looks(observed: float | Sequence[float] | None) -> Sequence[float]:
    if observed is None:
        return ()
    return [observed] if isinstance(observed, float) else observed


def feed(of: Engine, at: float, page: Page, target: str = "a", **more: Any) -> Any:
    """One batch of one target goes in; what came of it for the first SLO comes out."""
    taken = of.ingest(batch(of, at, {target: page}, **more))
    return next(iter(taken.values()), None)


def status(of: Engine, now: float, name: str = "slo") -> SLOStatus:
    """The one instance of an SLO."""
    (found,) = (s for s in of.status(now).slos if s.slo.name == name)
    return found


def counted(of: Engine, name: str = "slo") -> tuple[float, float]:
    """Good and bad events ever counted, over all instances."""
    found = [s for s in of.status(T).slos if s.slo.name == name]
    return sum(s.good_total for s in found), sum(s.bad_total for s in found)


def in_window(of: Engine, now: float, label: str) -> WindowStatus:
    """One window of the only SLO."""
    return next(w for w in status(of, now).windows if w.label == label)


def said(of: Engine, now: float) -> list[tuple[str, str]]:
    """A tick; what it said as pairs of reason and alert, severity or state added for telling."""
    out = []
    for n in of.tick(now).said:
        more = n.labels.get("state") or n.labels.get("long_window") or ""
        out.append((n.reason.value, f"{n.labels['alertname']} {more}".strip()))
    return out


def wait(of: Engine, since: float, until: float) -> list[tuple[str, str]]:
    """Ticks at least once a minute, as the daemon makes them; what they said."""
    out = []
    while since < until:
        since = min(since + 50, until)
        out += said(of, since)
    return out


def packed(value: Any) -> Any:
    """Through the format of the state file and back: tuples become lists."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value))


class Traffic:
    """A service that is scraped by the clock; `log` keeps what was said and when, since `T`."""

    def __init__(self, of: Engine, interval: float = 10.0) -> None:
        self.engine, self.interval = of, interval
        self.now, self.good, self.bad = T, 0.0, 0.0
        self.log: list[tuple[float, str, str]] = []
        self._poll()

    def run(self, seconds: float, good: float, bad: float = 0) -> list[tuple[float, str, str]]:
        """So long, with so many events for each scrape; what was said meanwhile."""
        before = len(self.log)
        for _ in range(round(seconds / self.interval)):
            self.now += self.interval
            self.good += good
            self.bad += bad
            self._poll()
        return self.log[before:]

    def silence(self, seconds: float) -> list[tuple[float, str, str]]:
        """Nothing comes, time goes on; what was said meanwhile."""
        before = len(self.log)
        for _ in range(round(seconds / self.interval)):
            self.now += self.interval
            self._tick()
        return self.log[before:]

    def _poll(self) -> None:
        feed(self.engine, self.now, {OK: self.good, ERROR: self.bad})
        self._tick()

    def _tick(self) -> None:
        self.log += [(self.now - T, *one) for one in said(self.engine, self.now)]


def resets(taken: Any) -> int:
    """How many readings of a batch were resets."""
    return sum(n for (kind, _), n in taken.readings.items() if kind == "reset")


def births(taken: Any) -> int:
    """How many readings of a batch were births."""
    return sum(n for (kind, _), n in taken.readings.items() if kind == "birth")


class Reader:
    """slod as it reads one source, with everything that it must keep; `restarts`: how it comes back
    before each poll, `state` from a dump or `log` from all operations, if at all."""

    def __init__(self, restarts: str, *slos: SLO) -> None:
        self.engine = engine(*slos)
        self._restarts = restarts
        self._begun = {name: packed(self.engine.dump(name)) for name in self.engine.accounts}
        self._logs: dict[str, list[Any]] = {name: [] for name in self.engine.accounts}

    def poll(self, after: float, page: Page, target: str = "a", **more: Any) -> Any:
        """So many seconds after `T`, one target is read; what came of it."""
        return self.polls(after, {target: page}, **more)

    def polls(self, after: float, pages: Pages, **more: Any) -> Any:
        """As `poll`, of several targets at once."""
        self._restart()
        taken = self.engine.ingest(batch(self.engine, T + after, pages, **more))
        for name, log in self.engine.drain().items():
            self._logs[name].append(packed(log))
        return next(iter(taken.values()), None)

    def _restart(self) -> None:
        if not self._restarts:
            return
        old = self.engine
        self.engine = engine(*(account.slo for account in old.accounts.values()))
        for name in old.accounts:
            if self._restarts == "state":
                fault = self.engine.restore(name, packed(old.dump(name)), [])
            else:
                fault = self.engine.restore(name, self._begun[name], self._logs[name])
            assert fault is None

    @property
    def counted(self) -> tuple[float, float]:
        """Good and bad events of the first SLO."""
        return counted(self.engine, next(iter(self.engine.accounts)))


def told(taken: Any) -> set[tuple[str, str]]:
    """Kinds and evidence of the readings of a batch."""
    return set(taken.readings)
