"""Are we fine? All objectives, the most urgent first."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import groupby

from exporter.charts import figures
from exporter.core import gate
from exporter.core.override import Verdict
from exporter.core.slo import SLO
from exporter.core.status import SLOStatus, Snapshot
from exporter.page.filters import PAGE, Filters
from exporter.page.marks import bar, sparkline
from exporter.page.shell import document, more, slo_link
from exporter.page.state import WORDS, Seen, State, headline, paging_steps

COLUMNS = ("Objective", "Budget left", "Burn rate", "State", "Gate", "Coverage")


@dataclass(frozen=True, slots=True)
class Burned:
    """The burn rates of an instance over the last hours, oldest first, None without events.
    `window`: over what; `seconds`: how far back they go."""

    window: str
    seconds: float
    rates: Sequence[float | None]


def render(
    snapshot: Snapshot,
    seen: Sequence[Seen],
    waiting: Sequence[SLO],
    found: Sequence[Seen],
    filters: Filters,
    burned: Mapping[int, Burned],
    deaf: Sequence[str],
) -> str:
    """`waiting`: objectives that have no data yet; `found`: those seen that the filters mean;
    `burned`: of those shown, by `id` of the status. `deaf`: a sentence on each receiver that cannot
    be reached."""
    meant = [slo for slo in waiting if filters.means_waiting(slo)]
    said = headline(seen, len(waiting))
    parts = [
        f'<h1 id="headline" aria-live="polite">{escape(said)}</h1>',
        *(f'<p class="bad"><a href="/alerts">{escape(one)}</a></p>' for one in deaf),
        _form(seen, len(waiting), filters),
        _rows(snapshot, filters.shown(found), filters, burned) if found else _none(meant),
        _pages(found, filters),
        _waiting(meant, snapshot),
    ]
    return document("Objectives", "/", "".join(parts))


# --- the filters --------------------------------------------------------------------------------


def _form(seen: Sequence[Seen], waiting: int, filters: Filters) -> str:
    many = Counter(one.state for one in seen)
    many[State.UNKNOWN] += waiting
    states = [f"<a {_state_link(filters, None)}>all <b>{many.total():,}</b></a>"] + [
        f'<a class="{state.value}" {_state_link(filters, state)}>'
        f"{WORDS[state]} <b>{many[state]:,}</b></a>"
        for state in State
        if many[state] or filters.state is state
    ]
    hidden = "".join(
        f'<input type="hidden" name="label" value="{escape(f"{name}:{value}")}">'
        for name, value in filters.labels
    )
    if filters.state is not None:
        hidden += f'<input type="hidden" name="state" value="{filters.state.value}">'
    chips = "".join(
        f'<a class="chip" href="{escape(filters.without(name, value).address())}" '
        f'aria-label="without {escape(name)} {escape(value)}">'
        f"{escape(f'{name}: {value}')} &times;</a>"
        for name, value in filters.labels
    )
    return (
        '<form class="filters" action="/" method="get" role="search" data-live>'
        '<input type="search" name="q" id="q" placeholder="Search names and labels" '
        f'aria-label="Search names and labels" value="{escape(filters.words)}">{hidden}'
        '<button class="hidden-with-script">Search</button></form>'
        f'<nav class="states" aria-label="By state">{"".join(states)}{chips}</nav>'
    )


def _state_link(filters: Filters, state: State | None) -> str:
    address = escape(replace(filters, state=state, page=1).address())
    current = ' aria-current="true"' if filters.state is state else ""
    return f'href="{address}"{current}'


# --- the objectives -----------------------------------------------------------------------------


def _rows(
    snapshot: Snapshot, shown: Sequence[Seen], filters: Filters, burned: Mapping[int, Burned]
) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in COLUMNS)
    bodies = "".join(
        f'<tbody><tr class="service"><th scope="rowgroup" colspan="{len(COLUMNS)}">'
        f"{_service(service, filters)}</th></tr>{rows}</tbody>"
        for service, rows in _by_service(snapshot, shown, filters, burned)
    )
    return (
        '<table class="objectives"><caption class="hidden">Objectives by service, the most urgent '
        f"first</caption><thead><tr>{head}</tr></thead>{bodies}</table>"
    )


def _none(waiting: Sequence[SLO]) -> str:
    if waiting:
        return ""
    return '<p class="empty">No objective matches. <a href="/">Show all</a></p>'


def _by_service(
    snapshot: Snapshot, shown: Sequence[Seen], filters: Filters, burned: Mapping[int, Burned]
) -> Iterator[tuple[str, str]]:
    for service, some in groupby(shown, key=lambda one: one.status.slo.service):
        yield (
            service,
            "".join(_row(snapshot, one, filters, burned.get(id(one.status))) for one in some),
        )


def _service(service: str, filters: Filters) -> str:
    address = filters.with_label("service", service).address()
    return f'<a href="{escape(address)}">{escape(service)}</a>'


def _row(snapshot: Snapshot, one: Seen, filters: Filters, burned: Burned | None) -> str:
    status = one.status
    slo, period = status.slo, status.windows[-1]
    said = gate.instance(status, snapshot)
    name = gate.title(status)
    group = {label: status.labels[label] for label in slo.group_by}
    ident = escape(f"o-{name}")
    coverage = f"{math.floor(period.coverage * 1000 + 1e-6) / 10:g}%"
    return (
        f'<tr id="{ident}" class="{one.state.value}">'
        f'<th scope="row"><a href="{slo_link(slo.name, group)}">{escape(name)}</a>'
        f"<small>{figures.ratio(slo.objective)} over {escape(slo.period.label)}"
        f"{_labels(status.labels, filters)}</small></th>"
        f'<td class="budget" data-head="Budget left">{bar(status.whole_remaining, one.state)}'
        f"<b>{figures.left(status.whole_remaining)}</b>{_young(status)}{_excluded(one)}</td>"
        f'<td class="burn" data-head="Burn rate">{_burn(burned)}</td>'
        f'<td data-head="State">{_state(one, snapshot.now)}</td>'
        f'<td data-head="Gate">{_gate(said)}</td>'
        f'<td data-head="Coverage" class="n">{coverage}</td></tr>'
    )


def _labels(labels: Mapping[str, str], filters: Filters) -> str:
    return "".join(
        f' · <a href="{escape(filters.with_label(name, value).address())}">'
        f"{escape(f'{name}: {value}')}</a>"
        for name, value in labels.items()
    )


def _burn(burned: Burned | None) -> str:
    if burned is None:
        return ""
    known = [rate for rate in burned.rates if rate is not None]
    now = (
        f"{figures.burn(known[-1])} now" if known and burned.rates[-1] is not None else "no events"
    )
    most = f", at most {figures.burn(max(known))}" if known else ""
    said = (
        f"burn rate over {burned.window} in the last {figures.lasting(burned.seconds)}: {now}{most}"
    )
    text = f"<b>{figures.burn(known[-1])}</b>" if known and burned.rates[-1] is not None else ""
    return sparkline(burned.rates, said) + text


def _state(one: Seen, now: float) -> str:
    parts = [f'<span class="badge {one.state.value}">{WORDS[one.state]}</span>']
    parts += [
        f'<small><a href="/alerts">{escape(rule.severity)} {escape(rule.long)}/'
        f"{escape(rule.short)}</a> {_since(rule.since, now)}</small>"
        for rule in one.status.rules
        if rule.firing
    ]
    parts += [
        f'<small><a href="/alerts">{escape(step.step.severity)} {escape(step.step.state)}</a> '
        f"{_since(step.since, now)}</small>"
        for step in paging_steps(one.status)
    ]
    if one.unknown is not None:
        parts.append(f"<small>{escape(one.unknown)}</small>")
    return "".join(parts)


def _since(since: float | None, now: float) -> str:
    if since is None:
        return ""
    # An upstream's clock may be ahead of ours.
    lasts = figures.lasting(max(0.0, now - since))
    return f'<time title="since {figures.when(since)} UTC">for {lasts}</time>'


def _gate(said: gate.Behind) -> str:
    verdict = said.override.verdict if said.override else said.verdict
    kind = "ok" if verdict is Verdict.OPEN else "shut"
    over = "<small>overridden</small>" if said.override else ""
    return f'<span class="gate {kind}" title="{escape(said.reason)}">{verdict.value}</span>{over}'


def _young(status: SLOStatus) -> str:
    """A budget of the first minutes is told by the pace so far."""
    part = status.part(figures.lasting)
    return f"<small>after {escape(part)}</small>" if part else ""


def _excluded(one: Seen) -> str:
    """An exclusion must not make an objective pass silently."""
    status = one.status
    if not status.excluded_seconds:
        return ""
    without = figures.left(status.whole_unadjusted)
    lasting = figures.lasting(status.excluded_seconds)
    return f"<small>{without} without exclusions ({lasting})</small>"


def _pages(found: Sequence[Seen], filters: Filters) -> str:
    last = -(-len(found) // PAGE)
    if last <= 1:
        return ""
    links = [
        f'<a href="{escape(replace(filters, page=page).address())}" rel="{rel}">{text}</a>'
        for page, rel, text in (
            (filters.page - 1, "prev", "&lsaquo; more urgent"),
            (filters.page + 1, "next", "less urgent &rsaquo;"),
        )
        if 1 <= page <= last
    ]
    low, high = (filters.page - 1) * PAGE + 1, min(len(found), filters.page * PAGE)
    return (
        f'<nav class="pages" aria-label="Pages of objectives">{low:,} to {high:,} of '
        f"{len(found):,} {' '.join(links)}</nav>"
    )


def _waiting(waiting: Sequence[SLO], snapshot: Snapshot) -> str:
    if not waiting:
        return ""
    rows = "".join(
        f'<li><b><a href="{slo_link(slo.name, {})}">{escape(slo.name)}</a></b>: '
        f"{escape(snapshot.why_unseen(slo.name))}</li>"
        for slo in waiting[:PAGE]
    )
    return f"<section><h2>Without data</h2><ul>{rows}</ul>{more(len(waiting), PAGE)}</section>"
