"""What is to be replayed: the SLOs, and the objectives and alert policies to compare."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.backtest.variant import Variant
from exporter.config.findings import Findings, nearest
from exporter.config.load import Config
from exporter.config.policies import rules_of
from exporter.core.slo import SLO, CompositeSLI
from exporter.errors import ConfigError


def chosen(config: Config, source: str | None, names: Sequence[str]) -> list[SLO]:
    """The SLOs of a source, or of all; only those with these names if any are given."""
    if source is not None and source not in config.sources:
        raise ConfigError(f"there is no [source.{source}]{nearest(source, config.sources)}")
    made = {slo.name for slo in config.slos if isinstance(slo.sli, CompositeSLI)}
    slos = {
        slo.name: slo
        for slo in config.slos
        if slo.name not in made and source in (None, slo.source)
    }
    for name in names:
        if name in made:
            raise ConfigError(f"slo.{name} is made of other SLOs; replay those")
        if name not in slos:
            raise ConfigError(f"there is no [slo.{name}]{nearest(name, slos)}")
    found = [slo for slo in slos.values() if not names or slo.name in names]
    if faults := [f"{config.path}: {slo.fault}" for slo in found if slo.fault]:
        raise ConfigError(*faults)
    if not found:
        raise ConfigError(
            f"no SLO has the source {source!r}" if source else f"{config.path}: there is no SLO"
        )
    return found


def variants(
    config: Config, slo: SLO, objectives: Sequence[float], policies: Sequence[str]
) -> list[Variant]:
    """As it is configured, then every other objective (a ratio) with every other policy."""
    table = config.keys.document["slo"][slo.name]
    own = table.get("alert_policy", "workbook")
    by_policy = {own: slo.rules}
    for name in policies:
        if name not in config.alert_policies:
            hint = nearest(name, config.alert_policies)
            raise ConfigError(f"there is no [alert_policy.{name}]{hint}")
        path = ("alert_policy", name)
        findings = Findings(config.path, config.keys.lines)
        rules = rules_of(
            config.alert_policies[name], path, slo.period, slo.interval, path, findings
        )
        findings.raise_errors()
        by_policy.setdefault(name, rules)
    return [
        Variant(objective, policy, rules)
        for policy, rules in by_policy.items()
        for objective in dict.fromkeys((slo.objective, *objectives))
    ]
