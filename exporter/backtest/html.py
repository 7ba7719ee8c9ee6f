"""A backtest as one HTML document that needs nothing else: no script, no request to anybody."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from html import escape

from exporter import __version__
from exporter.backtest import words
from exporter.backtest.chart import chart, severity_class
from exporter.backtest.result import Backtest, Fired, Outcome

_STYLE = """
:root{color-scheme:light dark;font:15px/1.45 system-ui,sans-serif;--bg:#fff;--ink:#1b1e23;
--soft:#59616d;--rule:#e2e5e9;--zero:#59616d;--line:#1f63c4;--page:#c62828;--ticket:#a85f00;
--other:#6a45b8;--incident:#59616d;--mark:#eef4fd}
@media(prefers-color-scheme:dark){:root{--bg:#15171b;--ink:#e7e9ec;--soft:#a0a8b4;--rule:#2c3139;
--zero:#a0a8b4;--line:#7fb2ff;--page:#ff8a80;--ticket:#ffb74d;--other:#b79df0;--incident:#a0a8b4;
--mark:#1b2635}}
body{margin:2rem auto;max-width:74rem;padding:0 1rem;background:var(--bg);color:var(--ink)}
h1{font-size:1.6rem;margin:0}
h2{font-size:1.25rem;margin:0 0 .2rem;overflow-wrap:anywhere}
h3{font-size:1rem;margin:1.6rem 0 .3rem}
p{margin:.3rem 0}
section{margin-top:2.5rem;padding-top:1.5rem;border-top:1px solid var(--rule)}
figure{margin:1.2rem 0 0}
figcaption{font-weight:600;margin-bottom:.3rem}
.soft,small,dt{color:var(--soft)}
.says{background:var(--mark);border-left:3px solid var(--line);padding:.5rem .8rem;margin:.8rem 0}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.3rem .55rem;border-bottom:1px solid var(--rule);white-space:nowrap}
th{font-weight:600;color:var(--soft)}
.n{text-align:right}
tr.now{background:var(--mark)}
tr.of td:first-child{padding-left:1.8rem}
tr.case td{font-weight:600}
.over{color:var(--page);font-weight:600}
td.page{color:var(--page)}td.ticket{color:var(--ticket)}td.other{color:var(--other)}
summary{cursor:pointer;margin:.8rem 0 .3rem;font-weight:600}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.4rem 0}
dd{margin:0}
svg{display:block;width:100%;min-width:44rem;height:auto;font:12px system-ui,sans-serif}
.tick{fill:var(--ink)}.unit{fill:var(--soft)}
.grid{stroke:var(--rule)}.zero{stroke:var(--zero);stroke-width:1.5}
.left{fill:none;stroke:var(--line);stroke-width:2;stroke-linejoin:round}
.band{fill:var(--incident);fill-opacity:.14}.incident{fill:var(--incident)}
rect.page{fill:var(--page)}rect.ticket{fill:var(--ticket)}rect.other{fill:var(--other)}
@media print{:root{font-size:11px}body{margin:0;max-width:none}svg{min-width:0}
.wide{overflow:visible}th,td{white-space:normal}
figure,tr,.says{break-inside:avoid}h2,h3,summary{break-after:avoid}
svg,tr.now,.says{print-color-adjust:exact}}
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CSP = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"
"""The policy that the document states itself: its own style and nothing else."""

_OPEN = 40
"""Rows of alerts that are shown without being asked for."""


def page(results: Sequence[Backtest], significant: float) -> str:
    """The document; every text from outside is escaped. `significant` as given to `replay`."""
    sections = "".join(
        _section(result, significant, f"s{i}") for i, result in enumerate(results, 1)
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(CSP)}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>slod backtest</title><style>{_STYLE}</style></head><body>"
        f"<h1>slod backtest</h1><p class=soft>What would have happened: history replayed through "
        f"the engine of slod {escape(__version__)}. Times are UTC.</p>"
        f"{_overview(results)}{sections}{_glossary(significant)}</body></html>\n"
    )


def _overview(results: Sequence[Backtest]) -> str:
    if not results:
        return "<p>There are no samples of any SLO.</p>"
    if len(results) == 1:
        return ""
    severities = words.severities(result.outcomes[0] for result in results)
    head = ["SLO", "*Objective", *(f"*{s}" for s in severities), "*Left", "*Met", "*Recommended"]
    rows = []
    for i, result in enumerate(results, 1):
        now, found = result.outcomes[0], result.recommendation.objective
        link = f'<td><a href="#s{i}">{escape(words.name(result))}</a></td>'
        rows.append(
            f"<tr>{link}{_number(words.ratio(now.objective))}"
            + "".join(_number(f"{words.count(now, severity):,}") for severity in severities)
            + _left(now.remaining)
            + _number(_met(now))
            + _number(words.NONE if found is None else words.ratio(found))
            + "</tr>"
        )
    return f"<h3>As configured</h3>{_table(head, rows)}"


def _section(result: Backtest, significant: float, ident: str) -> str:
    now = result.outcomes[0]
    facts = "".join(
        f"<dt>{escape(what)}</dt><dd>{escape(said)}</dd>" for what, said in words.facts(result)
    )
    facts += "".join(f"<dt>note</dt><dd>{escape(note)}</dd>" for note in result.notes)
    caption = f"Error budget left over {result.period} at {words.ratio(now.objective)}"
    return (
        f'<section id="{ident}"><h2>{escape(words.name(result))}</h2>'
        f"<p class=soft>{escape(result.service)}: objective {words.ratio(now.objective)} "
        f"over {escape(result.period)}</p><dl>{facts}</dl>"
        f"<p class=says>{escape(words.recommendation(result))}</p>"
        f"<figure><figcaption>{escape(caption)}, with incidents and the alerts of "
        f"{escape(now.policy)}</figcaption><div class=wide tabindex=0>"
        f"{chart(result, now, ident)}</div></figure>{_beyond(now)}"
        f"<h3>{'What if' if len(result.outcomes) > 1 else 'As configured'}</h3>"
        f"{_what_if(result, significant)}{''.join(_policies(result))}</section>"
    )


def _beyond(outcome: Outcome) -> str:
    """In the first days little is known, and little weighs much."""
    known = [left for left in (outcome.lowest, outcome.remaining) if left is not None]
    below = [
        left for _, left in outcome.burn_down if left is not None and left < min([0.0, *known])
    ]
    if not below:
        return ""
    return (
        f"<p><small>At the beginning, while little of the period is known, the line goes down to "
        f"{words.left(min(below))}, below the chart.</small></p>"
    )


def _what_if(result: Backtest, significant: float) -> str:
    severities = words.severities(result.outcomes)
    head = [
        "*Objective",
        "Policy",
        *(f"*{severity}" for severity in severities),
        "*Precision",
        f"*Recall (≥ {words.ratio(significant)})",
        "*Detected",
        "*Reset",
        "*Left",
        "*Lowest",
        "*Met",
    ]
    rows = []
    for i, outcome in enumerate(result.outcomes):
        told = (words.share(outcome.precision), words.share(outcome.recall))
        times = (words.lasting(outcome.detection), words.lasting(outcome.reset))
        note = " <small>as configured</small>" if i == 0 and len(result.outcomes) > 1 else ""
        rows.append(
            f"<tr{' class=now' if note else ''}>{_number(words.ratio(outcome.objective))}"
            f"<td>{escape(outcome.policy)}{note}</td>"
            + "".join(_number(f"{words.count(outcome, severity):,}") for severity in severities)
            + "".join(map(_number, told + times))
            + _left(outcome.remaining)
            + _left(outcome.lowest)
            + _number(_met(outcome))
            + "</tr>"
        )
    return _table(head, rows)


# --- alerts ---------------------------------------------------------------------------------------


def _policies(result: Backtest) -> Iterator[str]:
    for outcome in words.as_configured(result):
        rows = list(_alert_rows(outcome))
        if not rows:
            yield (
                f"<p class=soft>{escape(outcome.policy)}: no alert, and no significant incident</p>"
            )
            continue
        head = ["From", "*Lasted", "What", "*Peak", "*Of the budget", "Noticed"]
        opened = " open" if len(rows) <= _OPEN and outcome is result.outcomes[0] else ""
        incidents = words.plural(len(outcome.incidents), "incident")
        alerts = words.plural(len(outcome.alerts), "alert")
        yield (
            f"<details{opened}><summary>{incidents} and {alerts} of "
            f"{escape(outcome.policy)} at {words.ratio(outcome.objective)}</summary>"
            f"{_table(head, rows)}</details>"
        )


def _alert_rows(outcome: Outcome) -> Iterator[str]:
    for incident, alerts in words.cases(outcome):
        if incident is not None:
            bad = f"{words.number(incident.bad)} bad of {words.number(incident.total)}"
            yield (
                f"<tr class=case><td>{words.when(incident.start)}</td>"
                f"{_number(words.lasting(incident.end - incident.start))}"
                f"<td>incident: {bad}</td><td></td>{_number(words.share(incident.spent))}"
                f"<td>{escape(words.paging(incident))}</td></tr>"
            )
        for alert in alerts:
            yield _alert_row(alert)


def _alert_row(alert: Fired) -> str:
    lasted = words.NONE if alert.end is None else words.lasting(alert.end - alert.start)
    said = ["still firing"] * (alert.end is None) + ["no incident"] * (alert.incident is None)
    return (
        f"<tr{' class=of' if alert.incident is not None else ''}>"
        f"<td>{words.when(alert.start)}</td>{_number(lasted)}"
        f"<td class={severity_class(alert.severity)}>{escape(alert.severity)} "
        f"{escape(words.rule(alert))}</td>{_number(words.burn(alert.peak))}"
        f"{_number(words.share(alert.spent))}<td>{', '.join(said)}</td></tr>"
    )


# --- parts ----------------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Sequence[str]) -> str:
    """Headings are text, an asterisk before those of numbers; rows are HTML already."""
    cells = "".join(
        f"<th scope=col{' class=n' if name.startswith('*') else ''}>"
        f"{escape(name.removeprefix('*'))}</th>"
        for name in head
    )
    return (
        f"<div class=wide tabindex=0><table><thead><tr>{cells}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _number(text: str) -> str:
    return f"<td class=n>{escape(text)}</td>"


def _left(value: float | None) -> str:
    over = value is not None and value < 0
    return f'<td class="n{" over" if over else ""}">{words.left(value)}</td>'


def _met(outcome: Outcome) -> str:
    return f"{outcome.met} of {outcome.periods}" if outcome.periods else words.NONE


def _glossary(significant: float) -> str:
    terms = (
        ("Incident", "errors came faster than the objective allows; under an hour apart is one"),
        ("Of the budget", "the share of a whole period's error budget that was spent"),
        ("Precision", "the share of pages that spent at least 1% of the budget"),
        ("Recall", f"the share of incidents over {words.ratio(significant)} that were paged"),
        ("Detected, Reset", "medians: from an incident to its page; from its end to the page's"),
        ("Left, Lowest", "the budget at the end of history, and at its lowest"),
        ("Met", "in how many of history's whole periods the objective was met"),
    )
    said = "".join(f"<dt>{term}</dt><dd>{escape(text)}</dd>" for term, text in terms)
    return f"<section><h3>What the words mean</h3><dl>{said}</dl></section>"
