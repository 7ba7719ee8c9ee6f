"""The page of one objective: how it stands, how it came to that, what may come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

from exporter.charts import figures
from exporter.core import gate
from exporter.core.explained import Explanation
from exporter.core.status import SLOStatus
from exporter.page import detail_charts as charts
from exporter.page.marks import bar
from exporter.page.shell import document, more, table
from exporter.page.state import WORDS, Seen

SPANS = {
    "1h": 3600.0,
    "6h": 21_600.0,
    "1d": 86_400.0,
    "3d": 259_200.0,
    "7d": 604_800.0,
    "30d": 2_592_000.0,
}
USUAL = "1d"
SPAN = "chart-span"
"""The span's name in an address, which no label has."""
MOST = 100
"""So many alerts, events and exclusions are listed."""


@dataclass(frozen=True, slots=True)
class Detail:
    """All there is to show. `span`: which of `SPANS`; `budget`, `burns`, `traffic`: the pictures'
    values; `beside`: what went on in the period."""

    seen: Seen
    gate: gate.Behind
    explanation: Explanation
    span: str
    budget: charts.Columns
    burns: charts.Columns
    traffic: charts.Columns
    beside: Sequence[charts.Beside]
    now: float


def render(detail: Detail) -> str:
    """The document."""
    status = detail.seen.status
    name = gate.title(status)
    recent = [b for b in detail.beside if b.end >= detail.burns.moments[0]]
    parts = [
        _head(detail, name),
        charts.budget(status, detail.budget, detail.beside, detail.now),
        _spans(detail),
        charts.burn(status, detail.burns, recent),
        charts.traffic(detail.traffic, recent),
        f"<h2>Alert rules</h2>{_rules(detail)}",
        f"<h2>Budget policy</h2>{_policy(detail)}",
        f"<h2>What went on</h2>{_beside(detail)}",
        f"<h2>How these numbers came to be</h2>{_explained(detail)}",
    ]
    return document(name, "", "".join(parts))


def _head(detail: Detail, name: str) -> str:
    seen, status, said = detail.seen, detail.seen.status, detail.explanation
    slo = status.slo
    labels = " · ".join(f"{k}: {v}" for k, v in status.labels.items())
    state = f'<span class="badge {seen.state.value}">{WORDS[seen.state]}</span>'
    unknown = f'<p class="bad">{escape(seen.unknown)}</p>' if seen.unknown else ""
    period = status.windows[-1]
    facts = [
        ("Budget left", f"{figures.left(status.whole_remaining)}{_events(status)}"),
        ("Lasts", _lasts(status)),
        ("SLI", "-" if period.sli is None else _sli(period.sli)),
        ("Objective", f"{figures.ratio(slo.objective)} over {slo.period.label}"),
        ("Gate", _gate(detail.gate)),
        *([("Age", part)] if (part := status.part(figures.lasting)) else []),
        ("Data for", f"{math.floor(period.coverage * 1000 + 1e-6) / 10:g}% of the period"),
    ]
    if status.excluded_seconds:
        without = figures.left(status.whole_unadjusted)
        hours = figures.lasting(status.excluded_seconds)
        facts.append(("Excluded", f"{hours}; without that {without} would be left"))
    service = escape("/?" + urlencode({"label": f"service:{slo.service}"}))
    listed = "".join(f"<div><dt>{key}</dt><dd>{escape(text)}</dd></div>" for key, text in facts)
    return (
        f'<p class="soft crumb"><a href="{service}">{escape(slo.service)}</a>'
        f"{escape(f' · {labels}' if labels else '')}</p>"
        f'<h1 id="headline">{escape(name)} {state}</h1>{unknown}'
        f'<p class="summary">{escape(said.summary)}</p>'
        f'<p class="wholebar">{bar(status.whole_remaining, seen.state)}</p>'
        f'<dl class="facts">{listed}</dl>'
    )


def _events(status: SLOStatus) -> str:
    left = status.whole_remaining_events
    if left is None:
        return ""
    if left < 0:
        return f" ({figures.number(math.ceil(-left))} bad events too many)"
    return f" (room for {figures.number(math.floor(left))} more bad events)"


def _lasts(status: SLOStatus) -> str:
    seconds = status.exhaustion_seconds
    if seconds is None:
        return "unknown"
    if seconds <= 0:
        return "it is gone"
    said = "no end in sight" if math.isinf(seconds) else figures.lasting(seconds)
    low, high = status.exhaustion_lower, status.exhaustion_upper
    # While an alert fires the present rate is the soonest that a forecast may say.
    if low is None or math.isinf(low) or low == seconds:
        return said
    until = "never" if high is None or math.isinf(high) else figures.lasting(high)
    return f"{said} (80%: {figures.lasting(low)} to {until})"


def _sli(sli: float) -> str:
    return f"{math.floor(sli * 1e6 + 1e-6) / 1e4:.4f}%"


def _gate(said: gate.Behind) -> str:
    if said.override is not None:
        return f"{said.override.verdict.value}, overridden by {said.override.owner}"
    return f"{said.verdict.value}"


def _spans(detail: Detail) -> str:
    slo = detail.seen.status.slo
    group = {label: detail.seen.status.labels[label] for label in slo.group_by}
    links = "".join(
        f'<a href="?{escape(urlencode({**group, SPAN: span}))}"'
        f"{' aria-current=true' if span == detail.span else ''}>{span}</a>"
        for span, seconds in SPANS.items()
        if seconds <= slo.period.nominal or span in (detail.span, "1h")
    )
    return f'<nav class="states spans" aria-label="How far back">{links}</nav>'


def _rules(detail: Detail) -> str:
    rules = detail.explanation.rules
    if not rules:
        return "<p>There are none.</p>"
    rows = "".join(
        f'<tr id="rule-{k}"><td><span class="badge {charts.figures_kind(rule.severity)}">'
        f'{escape(rule.severity)}</span></td><td class="n">{rule.rate:.4g}</td>'
        f'<td class="n">{_burn(rule.long_burn_rate)} over {escape(rule.long)}</td>'
        f'<td class="n">{_burn(rule.short_burn_rate)} over {escape(rule.short)}</td>'
        f"<td>{_firing(rule.since)}</td>"
        f"<td>{escape(rule.why)}</td></tr>"
        for k, rule in enumerate(rules)
    )
    head = ["Severity", "*Fires above", "*Long window", "*Short window", "State", "Why"]
    return table(head, rows, "Alert rules")


def _firing(since: float | None) -> str:
    if since is None:
        return "quiet"
    return f'<span class="badge paging">firing</span> since {figures.when(since)}'


def _burn(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.3g}"


def _policy(detail: Detail) -> str:
    status = detail.seen.status
    if not status.steps:
        return "<p>There is none.</p>"
    rows = []
    for step in status.steps:
        due = f", due {figures.when(step.due)}" if step.due is not None else ""
        holds = f"since {figures.when(step.since)}{due}" if step.since is not None else ""
        state = f'<span class="badge low">holds</span> {holds}' if step.holds else ""
        rows.append(
            f'<tr><th scope="row">{escape(step.step.state.replace("_", " "))}</th>'
            f"<td>{_condition(status, step.step.below)}</td>"
            f"<td>{'open' if step.step.gate_open else 'closed'}</td>"
            f"<td>{state}</td><td>{escape(step.step.action)}</td></tr>"
        )
    reason = f"<p>{escape(detail.gate.reason)}</p>"
    return reason + table(["State", "When", "Gate", "Now", "Action"], "".join(rows), "Steps")


def _condition(status: SLOStatus, below: float | None) -> str:
    return "" if below is None else f"under {below * 100:g}% of {escape(status.slo.period.label)}"


def _beside(detail: Detail) -> str:
    if not detail.beside:
        return "<p>No incident, alert, event or exclusion in this period.</p>"
    newest = sorted(detail.beside, key=lambda one: -one.start)
    rows = "".join(
        f"<tr><td>{figures.when(one.start)}</td><td>{escape(one.lane)}</td>"
        f"<td>{escape(one.said)}</td></tr>"
        for one in newest[:MOST]
    )
    shown = table(["Begin (UTC)", "Kind", "What"], rows, "Incidents, alerts, events and exclusions")
    return shown + more(len(newest), MOST, "older ones")


def _explained(detail: Detail) -> str:
    said = detail.explanation
    counted = f", counted since {figures.when(said.counted_since)}" if said.counted_since else ""
    source = f"Source {escape(said.source)}" if said.source else "Of other objectives"
    events = (
        f"<p>{source}, every {figures.lasting(said.interval)}{counted}: "
        f"{figures.number(said.good_total)} good and {figures.number(said.bad_total)} bad "
        f"{escape(said.unit)} so far.</p>"
    )
    parts = [f"<p><code>{escape(said.sli.text)}</code></p><p>{escape(said.sli.why)}</p>", events]
    if said.budget.sure:
        parts.append(f"<p>When it is gone at this pace: {escape(said.budget.sure)}.</p>")
    if said.fault:
        parts.append(f'<p class="bad">It cannot be computed now: {escape(said.fault)}</p>')
    parts += [_series(want.want, want.role, want.increase, want.resets) for want in said.wants]
    return "".join(parts)


def _series(want: str, role: str, increase: float | None, resets: int) -> str:
    grew = "" if increase is None else f"; grew by {figures.number(increase)} since this start"
    lost = f", {figures.plural(resets, 'reset')}" if resets else ""
    return f"<p>{escape(role)}: <code>{escape(want)}</code>{grew}{lost}</p>"
