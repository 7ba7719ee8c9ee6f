"""A backtest as one HTML document that needs nothing else: no script, no request to anybody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from exporter import __version__
from exporter.backtest import words
from exporter.backtest.chart import chart
from exporter.backtest.result import Backtest, Fired, Outcome
from exporter.charts import figures
from exporter.charts.frame import severity_class
from exporter.charts.page import document, left, number, table
from exporter.printable import printable_html as escape

_OPEN = 40
"""Rows of alerts that are shown without being asked for."""


def page(results: Sequence[Backtest], significant: float) -> str:
    """The document; every text from outside is escaped. `significant` as given to `replay`."""
    sections = "".join(
        _section(result, significant, f"s{i}") for i, result in enumerate(results, 1)
    )
    return document(
        "slod backtest",
        f"<h1>slod backtest</h1><p class=soft>What would have happened: history replayed through "
        f"the engine of slod {escape(__version__)}. Times are UTC.</p>"
        f"{_overview(results)}{sections}{_glossary(significant)}",
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
            f"<tr>{link}{number(figures.ratio(now.objective))}"
            + "".join(number(f"{words.count(now, severity):,}") for severity in severities)
            + left(now.remaining)
            + number(_met(now))
            + number(figures.NONE if found is None else figures.ratio(found))
            + "</tr>"
        )
    return f"<h3>As configured</h3>{table(head, rows)}"


def _section(result: Backtest, significant: float, ident: str) -> str:
    now = result.outcomes[0]
    facts = "".join(
        f"<dt>{escape(what)}</dt><dd>{escape(said)}</dd>" for what, said in words.facts(result)
    )
    facts += "".join(f"<dt>note</dt><dd>{escape(note)}</dd>" for note in result.notes)
    caption = f"Error budget left over {result.period} at {figures.ratio(now.objective)}"
    return (
        f'<section id="{ident}"><h2>{escape(words.name(result))}</h2>'
        f"<p class=soft>{escape(result.service)}: objective {figures.ratio(now.objective)} "
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
        f"{figures.left(min(below))}, below the chart.</small></p>"
    )


def _what_if(result: Backtest, significant: float) -> str:
    severities = words.severities(result.outcomes)
    head = [
        "*Objective",
        "Policy",
        *(f"*{severity}" for severity in severities),
        "*Precision",
        f"*Recall (≥ {figures.ratio(significant)})",
        "*Detected",
        "*Reset",
        "*Left",
        "*Lowest",
        "*Met",
    ]
    rows = []
    for i, outcome in enumerate(result.outcomes):
        told = (figures.share(outcome.precision), figures.share(outcome.recall))
        times = (figures.lasting(outcome.detection), figures.lasting(outcome.reset))
        note = " <small>as configured</small>" if i == 0 and len(result.outcomes) > 1 else ""
        rows.append(
            f"<tr{' class=now' if note else ''}>{number(figures.ratio(outcome.objective))}"
            f"<td>{escape(outcome.policy)}{note}</td>"
            + "".join(number(f"{words.count(outcome, severity):,}") for severity in severities)
            + "".join(map(number, told + times))
            + left(outcome.remaining)
            + left(outcome.lowest)
            + number(_met(outcome))
            + "</tr>"
        )
    return table(head, rows)


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
        incidents = figures.plural(len(outcome.incidents), "incident")
        alerts = figures.plural(len(outcome.alerts), "alert")
        yield (
            f"<details{opened}><summary>{incidents} and {alerts} of "
            f"{escape(outcome.policy)} at {figures.ratio(outcome.objective)}</summary>"
            f"{table(head, rows)}</details>"
        )


def _alert_rows(outcome: Outcome) -> Iterator[str]:
    for incident, alerts in words.cases(outcome):
        if incident is not None:
            bad = f"{figures.number(incident.bad)} bad of {figures.number(incident.total)}"
            yield (
                f"<tr class=case><td>{figures.when(incident.start)}</td>"
                f"{number(figures.lasting(incident.end - incident.start))}"
                f"<td>incident: {bad}</td><td></td>{number(figures.share(incident.spent))}"
                f"<td>{escape(words.paging(incident))}</td></tr>"
            )
        for alert in alerts:
            yield _alert_row(alert)


def _alert_row(alert: Fired) -> str:
    lasted = figures.NONE if alert.end is None else figures.lasting(alert.end - alert.start)
    said = ["still firing"] * (alert.end is None) + ["no incident"] * (alert.incident is None)
    return (
        f"<tr{' class=of' if alert.incident is not None else ''}>"
        f"<td>{figures.when(alert.start)}</td>{number(lasted)}"
        f"<td class={severity_class(alert.severity)}>{escape(alert.severity)} "
        f"{escape(words.rule(alert))}</td>{number(figures.burn(alert.peak))}"
        f"{number(figures.share(alert.spent))}<td>{', '.join(said)}</td></tr>"
    )


# --- parts ----------------------------------------------------------------------------------------


def _met(outcome: Outcome) -> str:
    return f"{outcome.met} of {outcome.periods}" if outcome.periods else figures.NONE


def _glossary(significant: float) -> str:
    terms = (
        ("Incident", "errors came faster than the objective allows; under an hour apart is one"),
        ("Of the budget", "the share of a whole period's error budget that was spent"),
        ("Precision", "the share of pages that spent at least 1% of the budget"),
        ("Recall", f"the share of incidents over {figures.ratio(significant)} that were paged"),
        ("Detected, Reset", "medians: from an incident to its page; from its end to the page's"),
        ("Left, Lowest", "the budget at the end of history, and at its lowest"),
        ("Met", "in how many of history's whole periods the objective was met"),
    )
    said = "".join(f"<dt>{term}</dt><dd>{escape(text)}</dd>" for term, text in terms)
    return f"<section><h3>What the words mean</h3><dl>{said}</dl></section>"
