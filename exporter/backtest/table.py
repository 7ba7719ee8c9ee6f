"""A backtest as text for a terminal of 100 columns: what happened first, what would have after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from exporter.backtest import words
from exporter.backtest.result import Backtest, Fired, Outcome
from exporter.charts import figures

WIDTH = 100
_MOST_CASES = 15
_MOST_ALERTS = 8
_SHORTEST = 10


def table(results: Sequence[Backtest], significant: float) -> str:
    """One block for each SLO; `significant` as it was given to `replay`."""
    return "\n\n\n".join("\n".join(_block(result, significant)) for result in results)


def _block(result: Backtest, significant: float) -> Iterator[str]:
    configured = result.outcomes[0]
    yield (
        f"{words.name(result)} of {result.service}: "
        f"objective {figures.ratio(configured.objective)} over {result.period}"
    )
    for what, said in words.facts(result):
        yield f"  {what:9}{said}"
    for note in result.notes:
        yield from wrap(f"  {'note':9}{note}", WIDTH, subsequent_indent=" " * 11)
    for outcome in words.as_configured(result):
        yield ""
        yield f"  ALERTS of {outcome.policy} at {figures.ratio(outcome.objective)}"
        yield from _alerts(outcome)
    yield ""
    if len(result.outcomes) > 1:
        yield "  WHAT IF (the first row is as configured)"
    else:
        yield "  AS CONFIGURED"
    yield from _what_if(result, significant)
    yield ""
    yield from wrap("  " + words.recommendation(result), WIDTH, subsequent_indent="  ")


# --- alerts ---------------------------------------------------------------------------------------


def _alerts(outcome: Outcome) -> Iterator[str]:
    found = words.cases(outcome)
    if not found:
        yield "  no alert, and no significant incident"
        return
    yield _line("FROM (UTC)", "LASTED", "BUDGET", "")
    kept = set(sorted(range(len(found)), key=lambda i: -_spent(found[i]))[:_MOST_CASES])
    for i in sorted(kept):
        yield from _case(found[i])
    if len(found) > len(kept):
        yield f"  and {len(found) - len(kept):,} that spent less; --format json and --html have all"


def _spent(case: words.Case) -> float:
    return (
        max(alert.spent for alert in case.alerts) if case.incident is None else case.incident.spent
    )


def _case(case: words.Case) -> Iterator[str]:
    incident, alerts = case
    indent = ""
    if incident is not None:
        bad = figures.share(incident.bad / incident.total) if incident.total else figures.NONE
        yield _line(
            figures.when(incident.start),
            figures.lasting(incident.end - incident.start),
            figures.share(incident.spent),
            f"incident, {bad} bad: {words.paging(incident)}",
        )
        indent = "  "
    for alert in alerts[:_MOST_ALERTS]:
        yield _alert(alert, indent)
    if len(alerts) > _MOST_ALERTS:
        more = f"and {len(alerts) - _MOST_ALERTS:,} more alerts; --format json and --html have all"
        yield _line("", "", "", indent + more)


def _alert(alert: Fired, indent: str) -> str:
    return _line(
        figures.when(alert.start),
        figures.NONE if alert.end is None else figures.lasting(alert.end - alert.start),
        figures.share(alert.spent),
        f"{indent}{alert.severity} {words.rule(alert)}, peak {figures.burn(alert.peak)}"
        + (", still firing" if alert.end is None else "")
        + (", no incident" if alert.incident is None else ""),
    )


def _line(start: str, lasted: str, spent: str, what: str) -> str:
    return f"  {start:19}  {lasted:>8}  {spent:>7}  {what}".rstrip()


# --- what if --------------------------------------------------------------------------------------


def _what_if(result: Backtest, significant: float) -> Iterator[str]:
    severities = words.severities(result.outcomes)
    rows = [
        (
            "OBJECTIVE",
            "POLICY",
            *(_cut(severity, _SHORTEST).upper() for severity in severities),
            "PRECISION",
            f"RECALL>{figures.ratio(significant)}",
            "DETECTED",
            "RESET",
            "LEFT",
            "LOWEST",
            "MET",
        )
    ]
    rows += [
        (
            figures.ratio(outcome.objective),
            outcome.policy,
            *(f"{words.count(outcome, severity):,}" for severity in severities),
            figures.share(outcome.precision),
            figures.share(outcome.recall),
            figures.lasting(outcome.detection),
            figures.lasting(outcome.reset),
            figures.left(outcome.remaining),
            figures.left(outcome.lowest),
            f"{outcome.met} of {outcome.periods}" if outcome.periods else figures.NONE,
        )
        for outcome in result.outcomes
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    over = sum(widths) + 2 * len(widths) - WIDTH
    widths[1] = min(widths[1], max(_SHORTEST, widths[1] - over))
    for row in rows:
        cells = [row[0].rjust(widths[0]), _cut(row[1], widths[1]).ljust(widths[1])]
        cells += [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        yield "  " + "  ".join(cells)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
