"""Alerts and on-call: what fires, how often it called somebody, and whether it arrived."""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, stat, table, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.generate import look
from deploy.grafana.generate.frame import alerts as marks
from deploy.grafana.generate.frame import events, finished, frame, service, slos
from deploy.grafana.generate.panels import (
    bars_of,
    column,
    graph_of,
    stat_of,
    table_of,
    timeline_of,
)
from deploy.grafana.generate.query import DAEMON, SLOS, now, over_time, rows

_FIRING = f"slo_alert_firing{{{SLOS}}}"
_PAGE = f'slo_alert_firing{{{SLOS},severity="page"}}'
_RULE = "service, slo, severity, long_window, short_window"
_SENT = f"slod_notifications_total{{{DAEMON}"
_NOT_DELIVERED = 'outcome!="delivered"'


def alerts() -> Dashboard:
    """What fires now, the load on call, and delivery."""
    builder = frame(
        "slod-alerts",
        "slod / Alerts and on-call",
        "What fires, how often it called somebody, and whether it reached them.",
        since="now-7d",
    )
    for variable in (service(), slos()):
        builder.with_variable(variable)
    builder.annotation(marks(SLOS)).annotation(events())
    return finished(
        builder,
        *_numbers(),
        "Now",
        *_now(),
        "Over time",
        timeline_of(
            "What fired",
            "A lane for each SLO and severity that fired in the time shown.",
            over_time(
                f"max by (service, slo, severity) ({_FIRING}) == 1",
                "{{severity}}: {{service}} / {{slo}}",
            ),
            mappings=[look.FIRING],
            height=8,
        ),
        "Load on call",
        *_load(),
        "Delivery",
        *_delivery(),
    )


def _begun(firing: str, span: str) -> str:
    """How often each rule began to fire: it changes when it begins and when it ends, and one that
    fires at the end has only begun."""
    return f"floor((changes({firing}[{span}]) + {firing}) / 2)"


def _numbers() -> list[stat.Panel]:
    return [
        stat_of(
            "SLOs paging",
            "SLOs with a rule of severity page that fires now. Somebody should be at it.",
            now(f"sum(max by (instance, service, slo) ({_PAGE}))", "paging"),
            thresholds=look.none_is_good(),
            width=4,
        ),
        stat_of(
            "Rules firing",
            "Alert rules of any severity that fire now.",
            now(f"sum({_FIRING})", "firing"),
            thresholds=look.none_is_good("orange"),
            width=4,
        ),
        stat_of(
            "Pages begun",
            "How often a rule of severity page began to fire in the time shown. More than two "
            "incidents in a shift is too many to handle well.",
            now(f"sum({_begun(_PAGE, '$__range')})", "pages"),
            width=4,
        ),
        stat_of(
            "Gates closed",
            "SLOs that hold deployments back now.",
            now(f"sum(slo_gate_open{{{SLOS}}} == bool 0)", "closed"),
            thresholds=look.none_is_good(),
            width=4,
        ),
        stat_of(
            "To be delivered",
            "Notifications that no receiver has taken yet. More than a few for more than a minute "
            "means that a receiver is away: see below.",
            now(f"sum(slod_notification_queue_length{{{DAEMON}}})", "waiting"),
            thresholds=look.steps("green", (1, "yellow"), (10, "red")),
            width=4,
        ),
        stat_of(
            "Failed attempts",
            "Attempts to deliver that failed in the time shown. What is only retried arrives "
            "late; what was given up or dropped never does.",
            now(f"sum(increase({_SENT},{_NOT_DELIVERED}}}[$__range]))", "failed"),
            decimals=0,
            thresholds=look.none_is_good("orange"),
            width=4,
        ),
    ]


def _now() -> list[table.Panel]:
    left = f"min by (service, slo) (slo_error_budget_remaining_ratio{{{SLOS}}})"
    due = f"min by (service, slo, state) (slo_budget_policy_due_timestamp_seconds{{{SLOS}}})"
    return [
        table_of(
            "Firing now",
            "Every rule that fires, and what is left of its SLO's budget. Begin with the shortest "
            "windows: they burn fastest.",
            rows(f"(max by ({_RULE}) ({_FIRING}) == 1) * on (service, slo) group_left () {left}"),
            names={
                "severity": "Severity",
                "service": "Service",
                "slo": "SLO",
                "long_window": "Long window",
                "short_window": "Short window",
                "Value": "Budget left",
            },
            sort="Severity",
            width=14,
        ).override_by_name("Budget left", column(look.RATIO, look.budget(), decimals=1)),
        table_of(
            "Due by policy",
            "What budget policies ask for and until when: the review, the freeze.",
            rows(f"{due} * 1000"),
            names={"service": "Service", "slo": "SLO", "state": "State", "Value": "Due"},
            sort="Due",
            width=10,
        ).override_by_name("Due", column(look.MOMENT)),
    ]


def _load() -> list[timeseries.Panel | bargauge.Panel]:
    return [
        graph_of(
            "Pages a day",
            "Rules of severity page that began to fire, day by day (UTC), by service.",
            over_time(
                f"sum by (service) ({_begun(_PAGE, '$__interval')})", "{{service}}", interval="1d"
            ),
            stacked=True,
            bars=True,
            decimals=0,
        ),
        bars_of(
            "Most pages, by SLO",
            "The ten SLOs that paged most in the time shown. A noisy one wants another objective, "
            "another alert policy, or work.",
            now(
                f"sort_desc(topk(10, sum by (service, slo) ({_begun(_PAGE, '$__range')}) > 0))",
                "{{service}} / {{slo}}",
            ),
            to_slo=True,
        ),
    ]


def _delivery() -> list[timeseries.Panel]:
    return [
        graph_of(
            "Attempts by receiver and outcome",
            "Attempts to deliver. Retried: it failed and is tried again. Given up or dropped: "
            "nobody will see it there, and the log says which it was.",
            over_time(
                f"sum by (receiver, outcome) (increase({_SENT}}}[$__rate_interval]))",
                "{{receiver}}: {{outcome}}",
            ),
            bars=True,
            stacked=True,
        ),
        graph_of(
            "Waiting, by receiver",
            "Notifications not yet delivered. They survive a restart; a receiver that is back "
            "gets all of them.",
            over_time(
                f"sum by (receiver) (slod_notification_queue_length{{{DAEMON}}})", "{{receiver}}"
            ),
            decimals=0,
        ),
    ]
