"""One `[slo.NAME]` table of the file to one `core.slo.SLO`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

import msgspec

from exporter.config.budget_policies import choose, steps_of
from exporter.config.composite import is_composite
from exporter.config.convert import Span, convert, span
from exporter.config.findings import Findings, nearest
from exporter.config.lines import Path
from exporter.config.policies import AlertPolicy, BudgetPolicy, rules_of
from exporter.config.sli import SLITable, read_sli
from exporter.core.selector import LABEL_NAME
from exporter.core.slo import CALENDAR_UNITS, SLI, SLO, Calendar, CompositeSLI, Period, Rule, Window

S = TypeVar("S", bound=msgspec.Struct)

RESERVED_LABELS = frozenset(
    {"alertname", "slo", "service", "window", "severity", "long_window", "short_window"}
    | {"state", "result", "le"}
)


class CalendarTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`window = { calendar = "month", timezone = "Europe/Berlin" }`."""

    calendar: str
    timezone: str = "UTC"


class SLOTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of an SLO. `objective` and `sli` must be there; that is checked by hand, so that an
    SLO without them is still looked through for its other errors."""

    objective: float | None = None
    sli: SLITable | None = None
    service: str | None = None
    window: Span | CalendarTable = span("30d")
    source: str | None = None
    labels: dict[str, str] = {}
    group_by: tuple[str, ...] = ()
    max_groups: int = 100
    alert_policy: str = "workbook"
    budget_policy: str | None = None
    forecast_alert: Span | None = None


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What an SLO must know of its source, faulty or not."""

    answers_queries: bool
    interval: float


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The rest of the file, as an SLO sees it; what is faulty is None. `slos`: those that a
    composite may be made of."""

    sources: Mapping[str, SourceFacts]
    alert_policies: Mapping[str, AlertPolicy | None]
    budget_policies: Mapping[str, BudgetPolicy | None]
    slos: Mapping[str, SLO | None] = field(default_factory=dict)


def read_slo(name: str, raw: object, around: Surroundings, findings: Findings) -> SLO | None:
    """The SLO; None when there is an error in it, and `findings` say what."""
    path: Path = ("slo", name)
    table = convert(raw, SLOTable, path, findings)
    if table is None or not isinstance(raw, dict):
        return None
    sound = len(findings.faults)
    _check_name(name, path, findings)
    service = name if table.service is None else table.service
    if table.service is not None:
        _check_name(service, (*path, "service"), findings)
    for key in ("objective", "sli"):
        if key not in raw:
            findings.error(path, f"the key {key!r} is missing")
    objective = _objective(table.objective, (*path, "objective"), findings)
    period = _period(table.window, (*path, "window"), findings)
    source: str | None = ""
    facts: SourceFacts | None
    if is_composite(raw):
        facts = _composite(table, path, findings)
    else:
        source = _source(table.source, around.sources, path, findings)
        facts = around.sources.get(source or "")
    _check_labels(table, path, findings)
    sli = None
    # An unknown or faulty key in it is reported already; what follows from that is not news.
    if table.sli is not None and all(getattr(table.sli, k, None) is not None for k in raw["sli"]):
        queries = facts is None or facts.answers_queries
        sli = read_sli(table.sli, (*path, "sli"), findings, queries=queries, others=around.slos)
    faults = [f"{f.key}: {f.message}" for f in findings.faults[sound:]]
    alert = _policy(table.alert_policy, around.alert_policies, (*path, "alert_policy"), findings)
    labels = {**table.labels, "slo": name, "service": service}
    budget = choose(
        table.budget_policy, labels, around.budget_policies, (*path, "budget_policy"), findings
    )
    rules: tuple[Rule, ...] = ()
    if alert is not None and period is not None:
        owner = ("alert_policy", table.alert_policy)
        every = 0.0 if sli is None or facts is None else _interval(sli, facts, around)
        rules = rules_of(alert, owner, period, every, (*path, "window"), findings)
    if objective is None or period is None or facts is None or sli is None or budget is None:
        return None
    return SLO(
        name=name,
        service=service,
        objective=objective,
        period=period,
        source=source or "",
        sli=sli,
        interval=_interval(sli, facts, around),
        labels=table.labels,
        group_by=table.group_by,
        max_groups=table.max_groups,
        rules=rules,
        steps=steps_of(budget),
        hysteresis=budget.hysteresis,
        fault=faults[0] if faults else "",
        forecast_within=None if table.forecast_alert is None else float(table.forecast_alert),
    )


def _composite(table: SLOTable, path: Path, findings: Findings) -> SourceFacts:
    for key, given in (("source", table.source), ("group_by", table.group_by or None)):
        if given is not None:
            findings.error((*path, key), f"an SLO made of others has no {key!r}; leave it out")
    return SourceFacts(True, 0.0)


def _interval(sli: SLI, facts: SourceFacts, around: Surroundings) -> float:
    """How often its source is polled; of several the slowest."""
    if not isinstance(sli, CompositeSLI):
        return facts.interval
    parts = (around.slos[name] for name, _ in sli.parts)
    return max(part.interval for part in parts if part is not None)


def _check_name(name: str, path: Path, findings: Findings) -> None:
    # Names stand in URLs (/api/slo/v1/slos/NAME), in labels and on command lines.
    plain = name.strip() and name == name.strip() and "/" not in name and name.isprintable()
    if not plain or name in (".", ".."):
        findings.error(
            path, f"not a usable name: {name!r}; no slash, no blanks at its ends, not '.' or '..'"
        )


def _objective(percent: float | None, path: Path, findings: Findings) -> float | None:
    if percent is None:
        return None
    if 0 < percent < 100:
        # By decimal, so that 99.9 is exactly float("0.999").
        ratio = float(Decimal(repr(percent)) / 100)
        if ratio < 1:
            return ratio
    why = "; 100 leaves no error budget" if percent == 100 else ""
    findings.error(path, f"must be a percentage above 0 and below 100, not {percent:g}{why}")
    return None


def _period(window: Span | CalendarTable, path: Path, findings: Findings) -> Period | None:
    if not isinstance(window, CalendarTable):
        return Window(window.label, float(window))
    from zoneinfo import ZoneInfo, available_timezones  # see `Calendar`

    ok = True
    if window.calendar not in CALENDAR_UNITS:
        hint = nearest(window.calendar, CALENDAR_UNITS)
        findings.error((*path, "calendar"), f"unknown period {window.calendar!r}{hint}")
        ok = False
    try:
        ZoneInfo(window.timezone)
    except (KeyError, ValueError, OSError):
        hint = nearest(window.timezone, available_timezones())
        findings.error((*path, "timezone"), f"unknown time zone {window.timezone!r}{hint}")
        ok = False
    return Calendar(window.calendar, window.timezone) if ok else None


def _source(
    name: str | None, sources: Mapping[str, SourceFacts], path: Path, findings: Findings
) -> str | None:
    if name in sources:
        return name
    if not sources:
        findings.error(path, "there is no source; add a [source.NAME] table")
    elif name is not None:
        findings.error((*path, "source"), f"unknown source {name!r}{nearest(name, sources)}")
    elif len(sources) == 1:
        return next(iter(sources))
    else:
        names = ", ".join(sorted(sources))
        findings.error(path, f"the key 'source' is missing; there is more than one: {names}")
    return None


def _check_labels(table: SLOTable, path: Path, findings: Findings) -> None:
    names = [(name, (*path, "labels", name)) for name in table.labels]
    names += [(name, (*path, "group_by", i)) for i, name in enumerate(table.group_by)]
    seen: set[str] = set()
    for name, where in names:
        if name in RESERVED_LABELS or name.startswith("__"):
            findings.error(where, f"the label {name!r} is slod's own; use another name")
        elif not LABEL_NAME.fullmatch(name):
            findings.error(where, f"not a label name: {name!r}; letters, digits and _ only")
        elif name in seen:
            findings.error(where, f"the label {name!r} is given twice")
        seen.add(name)
    if table.max_groups < 1:
        findings.error((*path, "max_groups"), f"must be at least 1, not {table.max_groups}")


def _policy(
    name: str, policies: Mapping[str, S | None], path: Path, findings: Findings
) -> S | None:
    if name not in policies:
        findings.error(path, f"unknown policy {name!r}{nearest(name, policies)}")
        return None
    return policies[name]
