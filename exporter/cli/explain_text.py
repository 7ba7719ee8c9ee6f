"""An explanation as text for a terminal of 100 columns: words first, tables after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from textwrap import fill, wrap

import msgspec

from exporter.config.duration import approximate
from exporter.core.explained import Explanation, PeersSaid, RuleSaid, SeriesSaid, WantSaid
from exporter.core.indicator import Indicator
from exporter.printable import printable_tree

WIDTH = 100
_MOST_SERIES = 10
_PEERS = {"slod": "slod", "increase": "increase()", "sloth": "Sloth"}


class _Answer(msgspec.Struct):
    slo: str
    instances: list[Explanation]


def render(body: bytes) -> str:
    """The daemon's JSON as text; `ValueError` when it is none."""
    # A target names its series and labels; none of it is to steer the terminal.
    answer = msgspec.convert(printable_tree(msgspec.json.decode(body)), _Answer)
    if not answer.instances:
        return f"{answer.slo}: no group was seen yet."
    return "\n\n\n".join("\n".join(_lines(one)) for one in answer.instances)


def _lines(one: Explanation) -> Iterator[str]:
    group = ",".join(f"{k}={v}" for k, v in one.group.items())
    yield f"{one.slo}{f'{{{group}}}' if group else ''} of {one.service}, as of {_when(one.at)}"
    yield ""
    yield fill(one.summary, WIDTH)
    if one.fault:
        yield fill(f"It cannot be computed now: {one.fault}", WIDTH)
    yield from _head("indicator")
    yield from _wrapped(f"{one.sli.text} {_exactness(one.sli)}: {one.sli.why}")
    yield from _wrapped(
        f"Objective {one.objective * 100:g}% over {one.period}. Source {one.source}, every "
        f"{approximate(one.interval)}"
        + (f", counted since {_when(one.counted_since)}" if one.counted_since else "")
        + f": {_number(one.good_total)} good and {_number(one.bad_total)} bad {one.unit} so far."
    )
    yield from _windows(one)
    yield from _head("alert rules")
    for rule in one.rules:
        yield from _rule(rule)
    if not one.rules:
        yield "  none"
    yield from _budget(one)
    if one.wants:
        yield from _head(f"series, counted one by one since {_when(one.series_since or 0)}")
        for want in one.wants:
            yield from _want(want, one.at)
    if one.peers is not None:
        yield from _peers(one.peers)


def _windows(one: Explanation) -> Iterator[str]:
    yield from _head("windows")
    rows = [("WINDOW", "GOOD", "BAD", "ERROR RATIO", "BURN RATE", "DATA")]
    rows += [
        (
            w.window,
            _number(w.good),
            _number(w.bad),
            _ratio(w.error_ratio),
            _burn(w.burn_rate),
            f"{w.coverage:.1%}",
        )
        for w in one.windows
    ]
    yield from _table(rows)
    if one.gaps:
        more = "" if one.all_gaps else "the newest "
        said = [f"{_when(a)} for {approximate(b - a)}" for a, b in one.gaps]
        yield from _wrapped(f"{more}gaps without data: {'; '.join(said)}.")
    if one.excluded_seconds:
        yield f"  excluded: {approximate(one.excluded_seconds)} of the period"


def _rule(rule: RuleSaid) -> Iterator[str]:
    since = f" (since {_when(rule.since)})" if rule.firing and rule.since is not None else ""
    yield from _wrapped(
        f"{rule.severity} when {rule.long} and {rule.short} burn above {rule.rate:g}x: "
        f"now {_burn(rule.long_burn_rate)} and {_burn(rule.short_burn_rate)}; {rule.why}{since}."
    )
    said = []
    for o in rule.outages:
        if o.detection is None:
            said.append(f"{o.error_ratio:.0%} never")
        else:
            reset = approximate(o.reset or 0.0)
            said.append(
                f"{o.error_ratio:.0%} within {approximate(o.detection)}, over after {reset}"
            )
    yield from _wrapped(f"outages noticed: {'; '.join(said)}", indent="    ")


def _budget(one: Explanation) -> Iterator[str]:
    budget = one.budget
    yield from _head("budget")
    share = budget.whole_remaining
    if share is None:
        yield "  nothing can be said: no events in the period"
        return
    left = budget.remaining_events or 0.0
    allowed = f"{budget.allowed_events:,.1f} bad {one.unit}"
    if share < 0:
        yield f"  overspent by {-share:.1%}: {-left:,.1f} over the {allowed} allowed"
    else:
        yield f"  {share:.1%} left: {left:,.1f} of the {allowed} allowed"
    if budget.by_forecast and budget.exhaustion is not None and budget.exhaustion > 0:
        yield f"  exhausted in {approximate(budget.exhaustion)} by the forecast"
    if budget.exhaustion_at_rate is not None and budget.exhaustion_at_rate > 0:
        yield (
            f"  exhausted in {approximate(budget.exhaustion_at_rate)} at the "
            f"{_burn(budget.burn_rate)} of {budget.burn_window}"
        )
    if budget.exhaustion is None or budget.exhaustion > 0:
        yield from _wrapped(f"how sure: {budget.sure}")
    if one.excluded_seconds and budget.unadjusted is not None:
        yield f"  without exclusions: {budget.unadjusted:.1%} left"


def _want(want: WantSaid, at: float) -> Iterator[str]:
    number = len(want.series) + want.others
    facts = [_count(number, "series", "series")]
    if want.increase is not None:
        facts.append(f"increase {_number(want.increase)}")
    facts += [_count(want.resets, "reset"), _count(want.births, "birth")]
    facts += [f"refused {n} {reason}" for reason, n in sorted(want.refused.items())]
    yield from _wrapped(f"{want.role}: {want.want}")
    yield f"    {', '.join(facts)}"
    for one in want.series[:_MOST_SERIES]:
        yield from _wrapped(_series(one, at), indent="    ")
    if number > _MOST_SERIES:
        yield f"    and {number - _MOST_SERIES:,} more; --format json has them"


def _series(one: SeriesSaid, at: float) -> str:
    facts = [f"+{_number(one.increase)}"] if one.increase is not None else []
    if one.last is not None:
        facts.append(f"at {_number(one.last)}")
    if one.last_time is not None:
        facts.append(f"{approximate(max(0.0, at - one.last_time))} ago")
    facts += [_count(one.gaps, "gap")] if one.gaps else []
    facts += [
        f"{kind} by {evidence}" + (f" {n}x" if n > 1 else "")
        for kind, why in one.readings.items()
        for evidence, n in why.items()
    ]
    return f"{', '.join(facts)}: {one.series} of {one.target}"


def _peers(peers: PeersSaid) -> Iterator[str]:
    yield from _head(f"what others would say over {peers.window}")
    if peers.note:
        yield from _wrapped(f"nothing to compare: {peers.note}")
        return
    rows = [("BY", "BAD", "TOTAL", "ERROR RATIO", "BURN RATE")]
    rows += [
        (
            _PEERS.get(p.by, p.by),
            _number(p.bad),
            _number(p.total),
            _ratio(p.error_ratio),
            _burn(p.burn_rate),
        )
        for p in peers.counts
    ]
    yield from _table(rows)
    for sentence in peers.differences:
        yield from _wrapped(sentence, indent="  - ")


# --- small words --------------------------------------------------------------------------------


def _exactness(sli: Indicator) -> str:
    return sli.exactness.replace("_", "-").capitalize()


def _head(title: str) -> tuple[str, str]:
    return "", title.upper()


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    later = " " * (len(indent) + 2)
    return wrap(text, WIDTH, initial_indent=indent, subsequent_indent=later)


def _table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(w) for cell, w in zip(rest, widths[1:], strict=True)]
        yield "  " + "  ".join(cells)


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:,.1f}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.4%}"


def _burn(value: float | None) -> str:
    return "no events" if value is None else f"{value:.3g}x"


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
