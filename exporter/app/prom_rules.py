"""The alert rules and what fires of them, as Prometheus' API tells of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from exporter.config.moments import rfc3339
from exporter.core.account import Account
from exporter.core.alert import Alert
from exporter.core.burn_alerts import BURN
from exporter.core.engine import Engine
from exporter.core.selector import quote
from exporter.core.slo import Rule


def alerts(engine: Engine, now: float) -> Iterator[list[Mapping[str, Any]]]:
    """The alerts that fire: of one SLO after the other, at last those of none."""
    for name, account in list(engine.accounts.items()):
        found: list[Mapping[str, Any]] = []
        with engine.apart(name, "alerts"):
            burns = {
                id(alert): value
                for rule in account.slo.rules
                for alert, value in _burning(account, rule, now)
            }
            found = [_alert(a, burns.get(id(a), 1.0)) for a in account.alerts() if a.firing]
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
    which = _which(rule)
    firing: list[Mapping[str, Any]] = []
    with engine.apart(account.slo.name, "rules"):
        firing = [_alert(*one) for one in _burning(account, rule, now)]
    return {
        "type": "alerting",
        "name": BURN,
        "query": " and ignoring(window) ".join(
            f"slo_burn_rate{{slo={name},window={quote(w.label)}}} > {rule.rate:g}"
            for name in [quote(account.slo.name)]
            for w in (rule.long, rule.short)
        ),
        "duration": 0,
        "keepFiringFor": rule.keep_firing_for,
        "labels": {**account.slo.labels, "service": account.slo.service, **which},
        "annotations": {},
        "alerts": firing,
        "state": "firing" if firing else "inactive",
        "health": "err" if account.fault is not None else "ok",
        "lastError": account.fault or "",
        "evaluationTime": 0.0,
        "lastEvaluation": rfc3339(now),
    }


def _which(rule: Rule) -> Mapping[str, str]:
    """The labels of its alerts that tell a rule from the others."""
    return {
        "severity": rule.severity,
        "long_window": rule.long.label,
        "short_window": rule.short.label,
    }


def _burning(account: Account, rule: Rule, now: float) -> Iterator[tuple[Alert, float]]:
    """The alerts of a rule that fire, each with the burn rate of its long window now."""
    labels = {"alertname": BURN, **_which(rule)}
    for instance in list(account.memory.instances.values()):
        for alert in instance.alerts.values():
            if alert.firing and labels.items() <= alert.labels.items():
                at = instance.as_of(now)
                counts = instance.ledger.counts(at - rule.long.seconds, at)
                yield alert, counts.burn_rate(account.slo.objective) or 0.0


def _scientific(value: float) -> str:
    """As Go writes it with the shortest mantissa: `1.73e+01`."""
    mantissa, exponent = f"{Decimal(repr(value)).normalize():e}".split("e")
    return f"{mantissa}e{int(exponent):+03d}"


def _alert(alert: Alert, value: float = 1.0) -> Mapping[str, Any]:
    """`value`: what the alert's expression gives; 1 where it has none."""
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": "firing",
        "activeAt": rfc3339(alert.since),
        "value": _scientific(value),
    }
