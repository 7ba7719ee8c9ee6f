"""Overview: whether we are fine, and if not, which SLO it is."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.generate import look
from deploy.grafana.generate.frame import alerts, events, finished, frame, service, slos, window
from deploy.grafana.generate.panels import bars_of, column, graph_of, stat_of, table_of
from deploy.grafana.generate.query import DAEMON, SLOS, now, over_time, rows

_LEFT = f"slo_error_budget_remaining_ratio{{{SLOS}}}"
_BURN = f'slo_burn_rate{{{SLOS},window="$window"}}'
_COVERAGE = f'slo_coverage_ratio{{{SLOS},window="$window"}}'
_ONE = "{{service}} / {{slo}}"


def overview() -> Dashboard:
    """All SLOs at a glance, the worst first."""
    builder = frame(
        "slod-overview",
        "slod / Overview",
        "Are we fine, and if not, which SLO is it? A click on an SLO opens its own dashboard.",
        since="now-24h",
    )
    for variable in (service(), slos(), window()):
        builder.with_variable(variable)
    builder.annotation(alerts(SLOS)).annotation(events())
    return finished(
        builder,
        *_numbers(),
        "The worst",
        bars_of(
            "Least budget left",
            "The ten SLOs with the least error budget left over their period; of an SLO with "
            "groups its worst group. Under 50% be careful, under 25% talk about a freeze, at 0 "
            "the objective is missed. Click one to see what spent it.",
            now(f"sort(bottomk(10, min by (service, slo) ({_LEFT})))", _ONE),
            unit=look.RATIO,
            thresholds=look.budget(),
            high=1,
            to_slo=True,
        ),
        bars_of(
            "Fastest burn over $window",
            "The ten SLOs that burn fastest. At 1 the budget lasts exactly the period; at 14.4 on "
            "30 days it is gone in 50 hours. What burns fast now is a page soon: look there first.",
            now(f"sort_desc(topk(10, max by (service, slo) ({_BURN})))", _ONE),
            thresholds=look.burn(),
            to_slo=True,
        ),
        "All SLOs",
        _table(),
        "Over time",
        *_graphs(),
    )


def _numbers() -> list[stat.Panel]:
    return [
        stat_of(
            "SLOs",
            "How many SLOs there are, each group counted.",
            now(f"count(slo_objective_ratio{{{SLOS}}})", "SLOs"),
        ),
        stat_of(
            "Worst budget",
            "The least error budget that any SLO has left. At 0 or under its objective is missed.",
            now(f"min({_LEFT})", "worst"),
            unit=look.RATIO,
            decimals=1,
            thresholds=look.budget(),
        ),
        stat_of(
            "Budgets spent",
            "SLOs that missed their objective over the period. Reliability comes before features "
            "there until the budget is back.",
            now(f"sum({_LEFT} <= bool 0)", "spent"),
            thresholds=look.none_is_good(),
        ),
        stat_of(
            "SLOs paging",
            "SLOs with a rule of severity page that fires now. Somebody should be at it.",
            now(_firing('severity="page"'), "paging"),
            thresholds=look.none_is_good(),
        ),
        stat_of(
            "Other alerts",
            "SLOs with a rule of another severity that fires now: a slow burn, for working hours.",
            now(_firing('severity!="page"'), "other"),
            thresholds=look.none_is_good("orange"),
        ),
        stat_of(
            "Gates closed",
            "SLOs that hold deployments back, because their budget policy says so or because too "
            "little is known. `slod gate` gives the reason.",
            now(f"sum(slo_gate_open{{{SLOS}}} == bool 0)", "closed"),
            thresholds=look.none_is_good(),
        ),
        stat_of(
            "Coverage, $window",
            "The least share of the window for which any SLO has data. Without data nothing "
            "fires: see the dashboard of slod itself.",
            now(f"min({_COVERAGE})", "worst"),
            unit=look.RATIO,
            thresholds=look.coverage(),
        ),
        stat_of(
            "SLOs failing",
            "SLOs of the chosen daemons with an error. The others go on; the log has the reason.",
            now(f"sum(slod_slo_errors{{{DAEMON}}})", "errors"),
            thresholds=look.none_is_good(),
        ),
    ]


def _firing(severity: str) -> str:
    """How many SLOs have a rule of this severity that fires."""
    return f"sum(max by (instance, service, slo) (slo_alert_firing{{{SLOS},{severity}}}))"


def _table() -> table.Panel:
    by = "by (service, slo)"
    names = {
        "service": "Service",
        "slo": "SLO",
        "Value #A": "Budget left",
        "Value #B": "Burn rate",
        "Value #C": "Exhausted in",
        "Value #D": "Alerts firing",
        "Value #E": "Gate",
        "Value #F": "Coverage",
    }
    return (
        table_of(
            "SLOs, least budget first",
            "A row for each SLO; of one with groups the worst value of any group. Burn rate and "
            "coverage are over the chosen window, the budget over the SLO's period.",
            rows(f"min {by} ({_LEFT})"),
            rows(f"max {by} ({_BURN})"),
            rows(f"min {by} (slo_error_budget_exhaustion_seconds{{{SLOS}}})"),
            rows(f"sum {by} (slo_alert_firing{{{SLOS}}})"),
            rows(f"min {by} (slo_gate_open{{{SLOS}}})"),
            rows(f"min {by} ({_COVERAGE})"),
            names=names,
            sort="Budget left",
            height=10,
        )
        .override_by_name("Budget left", column(look.RATIO, look.budget(), decimals=1, gauge=True))
        .override_by_name("Burn rate", column(look.COUNT, look.burn(), decimals=2))
        .override_by_name(
            "Exhausted in",
            column(look.SECONDS, look.exhaustion(), decimals=1, mappings=[look.far_away()]),
        )
        .override_by_name("Alerts firing", column(look.COUNT, look.none_is_good(), decimals=0))
        .override_by_name("Gate", column(look.COUNT, look.one_is_good(), mappings=[look.GATE]))
        .override_by_name("Coverage", column(look.RATIO, look.coverage(), decimals=1))
    )


def _graphs() -> list[timeseries.Panel]:
    return [
        graph_of(
            "Budget left, the worst SLO of each service",
            "A cliff is an incident or a bad change, a slope a constant burn; it rises when what "
            "spent the budget is older than the period.",
            over_time(f"min by (service) ({_LEFT})", "{{service}}"),
            unit=look.RATIO,
            thresholds=look.budget(),
            high=1,
        ),
        graph_of(
            "Burn rate over $window, the worst SLO of each service",
            "Dashed: the rates of the built-in rules on a period of 30 days (1, 3, 6, 14.4).",
            over_time(f"max by (service) ({_BURN})", "{{service}}"),
            thresholds=look.burn(),
            high=2,
        ),
        graph_of(
            "States of budget policies",
            "SLOs in each state of their budget policy. A growing share that is not ok is a "
            "trend to talk about in the next review.",
            over_time(f"sum by (state) (slo_budget_policy_state{{{SLOS}}})", "{{state}}"),
            stacked=True,
            decimals=0,
            colors={
                "ok": "green",
                "warning": "yellow",
                "freeze_discussion": "orange",
                "exhausted": "red",
            },
        ),
        graph_of(
            "Alert rules that fire",
            "Rules that fire, by severity.",
            over_time(f"sum by (severity) (slo_alert_firing{{{SLOS}}})", "{{severity}}"),
            stacked=True,
            decimals=0,
            colors={"page": "red", "ticket": "orange"},
        ),
    ]
