"""Gathers what the page of one objective shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from exporter.app.timeline import Timeline
from exporter.charts import figures
from exporter.config.duration import approximate
from exporter.core import gate
from exporter.core.account import Account
from exporter.core.burn_alerts import BURN
from exporter.core.events import Group
from exporter.core.exclusion import Exclusion, Span
from exporter.core.explain import explain
from exporter.core.foresight import FORECAST
from exporter.core.history import History, burn_rates
from exporter.core.incidents import Incident
from exporter.core.instance import MISSING, Instance
from exporter.core.status import Snapshot
from exporter.core.steps import POLICY
from exporter.core.timeline import cost
from exporter.page.detail import MOST, SPANS, USUAL, Detail
from exporter.page.detail_charts import Beside, Columns, figures_kind
from exporter.page.state import Seen, see
from exporter.series.spans import Fired

_POINTS = 180
_EVENTS = 1000
"""So many of the newest are drawn; what one spent is computed for those that are listed."""
Excluded = Callable[[], Iterable[tuple[Exclusion, str]]]


class Details:
    """`excluded`: the exclusions and their reasons; `fired`: the alerts there were."""

    def __init__(self, timeline: Timeline, excluded: Excluded, fired: Fired) -> None:
        self._timeline = timeline
        self._excluded = excluded
        self._fired = fired

    def of(
        self, account: Account, group: Group, span: str | None, snapshot: Snapshot
    ) -> Detail | None:
        """What is to be shown of an instance; None while its numbers cannot be computed."""
        instance = account.memory.instances.get(group)
        seen = _seen(snapshot, instance) if instance is not None else None
        if instance is None or seen is None:
            return None
        now = snapshot.now
        chosen = _span(span, instance.slo.period.nominal)
        past = History(instance)
        start = max(instance.slo.period.start(now), min(past.first, now - 60.0))
        return Detail(
            seen=seen,
            gate=gate.instance(seen.status, snapshot),
            explanation=explain(account, group, now, approximate),
            span=chosen,
            budget=_budget(past, instance, _moments(start, now)),
            burns=_burns(past, instance, _recent(past, chosen, now)),
            traffic=_traffic(past, instance, _recent(past, chosen, now)),
            beside=[*self._beside(account, instance, start, now)],
            now=now,
        )

    def _beside(
        self, account: Account, instance: Instance, start: float, now: float
    ) -> Iterator[Beside]:
        slo = account.slo
        labels = {**instance.labels, "slo": slo.name, "service": slo.service}
        for exclusion, reason in self._excluded():
            if exclusion.covers(labels):
                for begin, end in _until_next(exclusion.spans, now):
                    if end > start:
                        when = "to be excluded" if begin > now else "excluded"
                        said = f"{when} for {figures.lasting(end - begin)}: {reason}"
                        yield Beside("excluded", "excluded", begin, end, said)
        for one in instance.incidents.known():
            if one.end > start:
                yield Beside("incidents", "incident", one.start, one.end, _incident(one))
        events = self._timeline.concerning(slo.name, slo.service, start, now)
        for k, (event, (begin, end)) in enumerate(islice(events, _EVENTS)):
            kind = "incident" if event.kind == "incident" else "event"
            lane = event.kind.replace("_", " ")
            share = cost(slo, instance, begin, end, now).share if k < MOST else None
            spent = f", spent {figures.share(share)} of the budget" if share is not None else ""
            yield Beside(lane, kind, begin, min(end, now), f"{lane} {event.name}{spent}")
        yield from self._alerts(instance, start, now)

    def _alerts(self, instance: Instance, start: float, now: float) -> Iterator[Beside]:
        order = [_rule(r.severity, r.long.label, r.short.label) for r in instance.slo.rules]
        found = [
            (lane, alert)
            for alert in self._fired.of(instance.slo.name)
            # That data are missing is said of all groups at once.
            if all(alert.labels.get(k, v) == v for k, v in instance.group.items())
            and (lane := _lane(alert.labels)) is not None
        ]
        for lane, alert in sorted(found, key=lambda one: _place(one[0], order)):
            for begin, end in alert.spans:
                if begin < now and end > start:
                    lasted = "still firing" if end > now else figures.lasting(end - begin)
                    kind = figures_kind(alert.labels.get("severity", ""))
                    yield Beside(lane, kind, begin, min(end, now), f"{lane}: {lasted}")


def _incident(one: Incident) -> str:
    lasts = figures.lasting(one.end - one.start)
    return (
        f"incident {f'for {lasts} so far' if one.ongoing else f'of {lasts}'}: "
        f"{figures.number(round(one.bad))} bad events, {figures.share(one.spent)} of the budget"
    )


def _until_next(spans: Iterable[Span], now: float) -> Iterator[Span]:
    """Those that have begun and the one to come."""
    for span in spans:
        yield span
        if span[0] > now:
            return


def _lane(labels: Mapping[str, str]) -> str | None:
    """What an alert is called for short; None where something else on the page tells it."""
    name = labels["alertname"]
    if name == BURN:
        return _rule(*(labels.get(k, "") for k in ("severity", "long_window", "short_window")))
    if name == POLICY:
        return labels.get("state", "").replace("_", " ")
    return {FORECAST: "forecast", MISSING: "no data"}.get(name)


def _rule(severity: str, long: str, short: str) -> str:
    return f"{severity} {long}/{short}"


def _place(lane: str, order: Sequence[str]) -> int:
    return order.index(lane) if lane in order else len(order)


def _seen(snapshot: Snapshot, instance: Instance) -> Seen | None:
    for one in see(snapshot):
        if one.status.slo.name == instance.slo.name and one.status.labels == instance.labels:
            return one
    return None


def _span(asked: str | None, period: float) -> str:
    if asked in SPANS:
        return str(asked)
    # The longest that fits into a short period.
    fitting = [span for span, seconds in SPANS.items() if seconds <= period]
    return USUAL if USUAL in fitting else (fitting or ["1h"])[-1]


def _moments(start: float, end: float) -> Sequence[float]:
    return [start + (end - start) * k / _POINTS for k in range(_POINTS + 1)]


def _recent(past: History, span: str, now: float) -> Sequence[float]:
    """Not from before anything is known, which would press all that is to one edge."""
    return _moments(max(now - SPANS[span], min(past.first, now - 60.0)), now)


def _budget(past: History, instance: Instance, moments: Sequence[float]) -> Columns:
    rates = burn_rates(past.period(moments), instance.slo.objective)
    left = [None if r is None else 1 - r for r in rates]
    return Columns(moments, [("budget left", left)])


def _burns(past: History, instance: Instance, moments: Sequence[float]) -> Columns:
    slo = instance.slo
    lines = []
    for w in slo.windows:
        rates = burn_rates(past.window(w.seconds, moments), slo.objective)
        # Events between two samples are spread evenly: over a gap that says nothing.
        shares = past.coverage(w.seconds, moments)
        known = [r if share > 0 else None for r, share in zip(rates, shares, strict=True)]
        lines.append((w.label, known))
    if all(label != slo.period.label for label, _ in lines):
        lines.append((slo.period.label, burn_rates(past.period(moments), slo.objective)))
    return Columns(moments, lines)


def _traffic(past: History, instance: Instance, moments: Sequence[float]) -> Columns:
    """By steps; of a step half of which is excluded, or has no data, nothing is said."""
    step = moments[1] - moments[0]
    bads, totals = past.window(step, moments)
    kept = [step - instance.ledger.excluded(when - step, when) for when in moments]
    known = [
        seconds if seconds >= step / 2 and share >= 0.5 else None
        for seconds, share in zip(kept, past.coverage(step, moments), strict=True)
    ]
    rows = list(zip(bads, totals, known, strict=True))
    return Columns(
        moments,
        [
            ("events", [total / k if k is not None else None for _, total, k in rows]),
            ("bad", [bad / k if k is not None else None for bad, _, k in rows]),
        ],
    )
