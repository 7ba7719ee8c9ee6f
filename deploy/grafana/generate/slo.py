"""SLO detail: what is left of the budget, what spends it, and how long it lasts."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.common import LineStyle
from grafana_foundation_sdk.models.dashboard import Dashboard, DynamicConfigValue

from deploy.grafana.generate import look
from deploy.grafana.generate.frame import alerts, events, finished, frame, one_slo, service
from deploy.grafana.generate.panels import column, graph_of, stat_of, table_of, timeline_of
from deploy.grafana.generate.query import SLOS, now, over_time, rows

_LEFT = f"slo_error_budget_remaining_ratio{{{SLOS}}}"
_RULE = "severity, long_window, short_window"


def slo() -> Dashboard:
    """One SLO; of one with groups always its worst group, and all of them at the bottom."""
    builder = frame(
        "slod-slo",
        "slod / SLO",
        "One SLO: what is left of its error budget, what spends it, and how long it lasts. Of an "
        "SLO with groups the worst group is shown, and all of them in the last table.",
        since="now-7d",
    )
    for variable in (service(), one_slo()):
        builder.with_variable(variable)
    builder.annotation(alerts(SLOS)).annotation(events())
    return finished(
        builder,
        *_numbers(),
        "Error budget",
        *_budget(),
        "Burn rate and SLI",
        *_windows(),
        "Traffic",
        *_traffic(),
        "Alerts and policy",
        *_states(),
        "What the numbers stand on",
        *_data(),
        "Groups",
        _groups(),
    )


def _numbers() -> list[stat.Panel]:
    objective = f"slo_objective_ratio{{{SLOS}}}"
    return [
        stat_of(
            "Budget left",
            "Share of the period's error budget that is left. Under 50% be careful, under 25% "
            "talk about a freeze, at 0 the objective is missed.",
            over_time(f"min({_LEFT})", "left"),
            unit=look.RATIO,
            decimals=1,
            thresholds=look.budget(),
            trend=True,
        ),
        stat_of(
            "Bad events left",
            "Bad events that the budget still has room for, at the period's traffic.",
            now(f"min(slo_error_budget_remaining_events{{{SLOS}}})", "left"),
            decimals=0,
            thresholds=look.steps("red", (1, "green")),
        ),
        stat_of(
            "Exhausted in",
            "When the budget will be gone, by the forecast: plan for the interval below, not for "
            "this number alone.",
            now(f"min(slo_error_budget_exhaustion_seconds{{{SLOS}}})", "exhausted in"),
            unit=look.SECONDS,
            decimals=1,
            thresholds=look.exhaustion(),
            mappings=[look.far_away()],
        ),
        stat_of(
            "SLI of period",
            "Good events of all, over the whole period.",
            # By definition: budget left = 1 - error ratio / (1 - objective).
            now(f"min(1 - (1 - {_LEFT}) * (1 - {objective}))", "SLI"),
            unit=look.RATIO,
            decimals=3,
        ),
        stat_of(
            "Objective",
            "What the SLI should be at least, over the period.",
            now(f"max({objective})", "objective"),
            unit=look.RATIO,
            decimals=3,
        ),
        stat_of(
            "Policy",
            "The state of the budget policy.",
            now(
                f"max by (state) (slo_budget_policy_state{{{SLOS}}}) == 1",
                "{{state}}",
            ),
            name=True,
        ),
        stat_of(
            "Gate",
            "Whether a deployment is allowed. `slod gate` gives the reason when it is not.",
            now(f"min(slo_gate_open{{{SLOS}}})", "gate"),
            thresholds=look.one_is_good(),
            mappings=[look.GATE],
        ),
        stat_of(
            "Rules firing",
            "Alert rules of this SLO that fire now.",
            now(f"sum(slo_alert_firing{{{SLOS}}})", "firing"),
            thresholds=look.none_is_good(),
        ),
    ]


def _budget() -> list[timeseries.Panel]:
    seconds = "slo_error_budget_exhaustion"
    forecast = graph_of(
        "Exhausted in",
        "The forecast with its 80% interval. It is empty while nothing is expected to spend the "
        "budget.",
        over_time(f"min({seconds}_seconds{{{SLOS}}} < Inf)", "expected"),
        over_time(f"min({seconds}_lower_seconds{{{SLOS}}} < Inf)", "early (10%)"),
        over_time(f"min({seconds}_upper_seconds{{{SLOS}}} < Inf)", "late (90%)"),
        unit=look.SECONDS,
        width=8,
        colors={"expected": "blue", "early (10%)": "orange", "late (90%)": "green"},
    )
    forecast.override_by_name(
        "late (90%)", [DynamicConfigValue("custom.fillBelowTo", "early (10%)")]
    )
    return [
        graph_of(
            "Budget left",
            "A cliff is an incident or a bad change, a slope a constant burn; it rises when what "
            "spent the budget is older than the period. Red marks: alerts.",
            over_time(f"min({_LEFT})", "budget left"),
            unit=look.RATIO,
            width=16,
            thresholds=look.budget(),
            high=1,
        ),
        forecast,
    ]


def _windows() -> list[timeseries.Panel]:
    dashes = LineStyle().fill("dash").dash([10, 10]).build()
    sli = graph_of(
        "SLI by window",
        "Good events of all in each window, and the objective. Short windows jump, the long "
        "ones decide.",
        over_time(f"min by (window) (slo_sli_ratio{{{SLOS}}})", "{{window}}"),
        over_time(f"max(slo_objective_ratio{{{SLOS}}})", "objective"),
        unit=look.RATIO,
        low=None,
        decimals=3,
        colors={"objective": "red"},
    )
    sli.override_by_name("objective", [DynamicConfigValue("custom.lineStyle", dashes)])
    return [
        graph_of(
            "Burn rate by window",
            "An alert fires when a rule's long and short window are both above its rate. Dashed: "
            "the rates of the built-in rules on a period of 30 days (1, 3, 6, 14.4).",
            over_time(f"max by (window) (slo_burn_rate{{{SLOS}}})", "{{window}}"),
            thresholds=look.burn(),
            high=2,
            decimals=2,
        ),
        sli,
    ]


def _traffic() -> list[timeseries.Panel]:
    events = f"slo_events_total{{{SLOS}"
    return [
        graph_of(
            "Events",
            "Events that count for this SLO, per second. No traffic is no failure, but check that "
            "it is true.",
            over_time(
                f"sum by (result) (rate({events}}}[$__rate_interval]))",
                "{{result}}",
            ),
            unit=look.EVENTS,
            stacked=True,
            colors={"good": "green", "bad": "red"},
        ),
        graph_of(
            "Bad events",
            "What spends the budget, per second.",
            over_time(f'sum(rate({events},result="bad"}}[$__rate_interval]))', "bad"),
            unit=look.EVENTS,
            colors={"bad": "red"},
        ),
    ]


def _states() -> list[statetimeline.Panel]:
    return [
        timeline_of(
            "Alert rules",
            "When each rule fired. A rule fires while both its windows are above its rate.",
            over_time(
                f"max by ({_RULE}) (slo_alert_firing{{{SLOS}}})",
                "{{severity}} {{long_window}}/{{short_window}}",
            ),
            mappings=[look.FIRING],
            width=12,
        ),
        timeline_of(
            "Budget policy and gate",
            "Which state of the budget policy held, and when the gate was closed.",
            over_time(f"max by (state) (slo_budget_policy_state{{{SLOS}}})", "{{state}}"),
            over_time(f"max(slo_gate_open{{{SLOS}}} == bool 0)", "gate closed"),
            mappings=[look.HOLDS],
            width=12,
        ),
    ]


def _data() -> list[timeseries.Panel]:
    return [
        graph_of(
            "Coverage by window",
            "The share of each window for which there is data. Where it is low the other numbers "
            "say little: see the dashboard of slod itself. The period fills up slowly at first.",
            over_time(f"min by (window) (slo_coverage_ratio{{{SLOS}}})", "{{window}}"),
            unit=look.RATIO,
            high=1,
        ),
        graph_of(
            "Excluded time",
            "How much of the period is excluded, because somebody or the configuration said so.",
            over_time(f"max(slo_excluded_seconds{{{SLOS}}})", "excluded"),
            unit=look.SECONDS,
        ),
    ]


def _groups() -> table.Panel:
    return table_of(
        "Budget left by group",
        "Each group of this SLO with its labels; without groups it is one row.",
        rows(_LEFT),
        names={"service": "Service", "slo": "SLO", "Value": "Budget left"},
        hidden=["instance", "job"],
        sort="Budget left",
        to_slo=False,
    ).override_by_name("Budget left", column(look.RATIO, look.budget(), decimals=1, gauge=True))
