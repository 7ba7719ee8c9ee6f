"""The alert rules and what fires of them, as Prometheus' API tells of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from exporter.config.moments import rfc3339
from exporter.core.account import Account
from exporter.core.alert import Alert
from exporter.core.burn_alerts import BURN
from exporter.core.engine import Engine
from exporter.core.selector import quote
from exporter.core.slo import Rule


def alerts(engine: Engine) -> Iterator[list[Mapping[str, Any]]]:
    """The alerts that fire: of one SLO after the other, at last those of none."""
    for name, account in list(engine.accounts.items()):
        found: list[Mapping[str, Any]] = []
        with engine.apart(name, "alerts"):
            found = [_alert(a) for a in account.alerts() if a.firing]
        yield found
    yield [_alert(a) for a in engine.notices.alerts() if a.firing]


def groups(engine: Engine, file: str, now: float) -> Iterator[list[Mapping[str, Any]]]:
    """One group for each SLO; of one whose alerts cannot be told, its rules and the error."""
    for name, account in list(engine.accounts.items()):
        group = {
            "name": name,
            "file": file,
            "interval": account.slo.interval,
            "limit": 0,
            "evaluationTime": 0.0,
            "lastEvaluation": rfc3339(now),
            "rules": [_rule(engine, account, rule, now) for rule in account.slo.rules],
        }
        yield [group]


def _rule(engine: Engine, account: Account, rule: Rule, now: float) -> Mapping[str, Any]:
    which = {
        "severity": rule.severity,
        "long_window": rule.long.label,
        "short_window": rule.short.label,
    }
    firing: list[Mapping[str, Any]] = []
    with engine.apart(account.slo.name, "rules"):
        firing = [_alert(alert) for alert in _firing(account, {"alertname": BURN, **which})]
    return {
        "type": "alerting",
        "name": BURN,
        "query": " and ignoring(window) ".join(
            f"slo_burn_rate{{slo={name},window={quote(w.label)}}} > {rule.rate:g}"
            for name in [quote(account.slo.name)]
            for w in (rule.long, rule.short)
        ),
        "duration": 0,
        "keepFiringFor": 0,
        "labels": {**account.slo.labels, "service": account.slo.service, **which},
        "annotations": {},
        "alerts": firing,
        "state": "firing" if firing else "inactive",
        "health": "err" if account.fault is not None else "ok",
        "lastError": account.fault or "",
        "evaluationTime": 0.0,
        "lastEvaluation": rfc3339(now),
    }


def _firing(account: Account, labels: Mapping[str, str]) -> Iterable[Alert]:
    return (a for a in account.alerts() if a.firing and labels.items() <= a.labels.items())


def _alert(alert: Alert) -> Mapping[str, Any]:
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": "firing",
        "activeAt": rfc3339(alert.since),
        "value": "1e+00",
    }
