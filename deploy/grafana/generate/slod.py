"""slod itself: whether it sees everything, keeps up, saves and delivers, and what that costs."""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.generate import look
from deploy.grafana.generate.frame import events, finished, frame
from deploy.grafana.generate.panels import bars_of, graph_of, stat_of, timeline_of
from deploy.grafana.generate.query import DAEMON, now, over_time


def slod() -> Dashboard:
    """The daemon's own health."""
    builder = frame(
        "slod-self",
        "slod / slod itself",
        "Does slod see everything, keep up, save and deliver, and what does that cost? With slod "
        "as the data source these series reach back one hour.",
        since="now-1h",
    )
    builder.annotation(events())
    return finished(
        builder,
        *_numbers(),
        "Polling",
        *_polling(),
        "Samples",
        *_samples(),
        "Work",
        *_work(),
        "State and delivery",
        *_state(),
        "Process",
        *_process(),
    )


def _own(metric: str) -> str:
    """A metric that every process has, of slod only."""
    return f"{metric}{{{DAEMON}}} and on (instance, job) slod_build_info"


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}{{{DAEMON}}}[$__rate_interval]))"


def _quantiles(metric: str) -> list[Dataquery]:
    """The median, and what nine and ninety-nine of a hundred stay under."""
    found = _rate(f"{metric}_bucket", "le")
    return [
        over_time(f"histogram_quantile({quantile}, {found})", name)
        for quantile, name in ((0.5, "median"), (0.9, "90%"), (0.99, "99%"))
    ]


def _numbers() -> list[stat.Panel]:
    reloaded = "slod_config_last_reload_success"
    return [
        stat_of(
            "Version",
            "The version that runs; of several daemons the first.",
            now(f"max by (version) (slod_build_info{{{DAEMON}}})", "{{version}}"),
            name=True,
        ),
        stat_of(
            "Running for",
            "Since the last start; of several daemons the one started last.",
            now(f"min(time() - ({_own('process_start_time_seconds')}))", "running for"),
            unit=look.SECONDS,
            decimals=1,
        ),
        stat_of(
            "Targets down",
            "Targets whose last poll failed. What they count meanwhile is not lost: the next poll "
            "that works brings it. See the reasons below.",
            now(f"sum(slod_source_up{{{DAEMON}}} == bool 0)", "down"),
            thresholds=look.none_is_good(),
        ),
        stat_of(
            "SLOs failing",
            "SLOs that cannot be computed now; the log has the reason.",
            now(f"sum(slod_slo_errors{{{DAEMON}}})", "failing"),
            thresholds=look.none_is_good(),
        ),
        stat_of(
            "State saved",
            "No: state is only in memory. Measuring goes on, but a restart loses what came since. "
            "Look at the disk.",
            now(f"min(slod_state_saving{{{DAEMON}}})", "saved"),
            thresholds=look.one_is_good(),
            mappings=[look.YES_NO],
        ),
        stat_of(
            "Config in force",
            "No: the file has an error and the configuration before it is still used. "
            "`slod check` says what and where.",
            now(f"min(slod_config_last_reload_successful{{{DAEMON}}})", "in force"),
            thresholds=look.one_is_good(),
            mappings=[look.YES_NO],
        ),
        stat_of(
            "Config from",
            "When the configuration was last taken over.",
            now(f"max({reloaded}_timestamp_seconds{{{DAEMON}}}) * 1000", "from"),
            unit=look.MOMENT,
        ),
        stat_of(
            "History fetched",
            "How much of the history that sources are asked for at the start is there.",
            now(f"min(slod_backfill_progress_ratio{{{DAEMON}}})", "fetched"),
            unit=look.RATIO,
            thresholds=look.steps("yellow", (1, "green")),
        ),
    ]


def _polling() -> list[statetimeline.Panel | timeseries.Panel]:
    polls = _rate("slod_poll_duration_seconds_bucket", "source, le")
    return [
        timeline_of(
            "Sources",
            "A lane for each source: red while any of its targets did not answer usefully.",
            over_time(f"min by (source) (slod_source_up{{{DAEMON}}})", "{{source}}"),
            mappings=[look.UP],
            width=12,
            height=8,
        ),
        graph_of(
            "Polls that failed",
            "By source and reason. `timeout`: raise it or ask for less; `refused`: is it up; "
            "`http_status`: may slod ask?",
            over_time(_rate("slod_poll_errors_total", "source, reason"), "{{source}}: {{reason}}"),
            unit=look.EVENTS,
        ),
        graph_of(
            "Duration of a poll, 90%",
            "Nine of ten polls took less. Near the timeout polls begin to fail.",
            over_time(f"histogram_quantile(0.9, {polls})", "{{source}}"),
            unit=look.SECONDS,
        ),
        graph_of(
            "Polls",
            "Polls per second. It falls when polls take longer than their interval.",
            over_time(_rate("slod_poll_duration_seconds_count", "source"), "{{source}}"),
            unit=look.EVENTS,
        ),
    ]


def _samples() -> list[timeseries.Panel]:
    return [
        graph_of(
            "Samples taken in",
            "Per second. None from a source that is up: its series are gone or renamed.",
            over_time(_rate("slod_samples_total", "source"), "{{source}}"),
            unit=look.EVENTS,
            width=8,
        ),
        graph_of(
            "Samples refused",
            "By source and reason; what is refused is not counted. Without those that one answer "
            "has twice or out of order, which lose no event.",
            over_time(
                "sum by (source, reason) (rate(slod_samples_refused_total"
                f'{{{DAEMON},reason!~"duplicate|out_of_order"}}[$__rate_interval]))',
                "{{source}}: {{reason}}",
            ),
            unit=look.EVENTS,
            width=8,
        ),
        graph_of(
            "Resets, births, groups left out",
            "Counters that began anew, series that appeared, and samples of groups beyond "
            "max_groups. The first two are what a deployment looks like.",
            over_time(f"sum(rate(slod_resets_total{{{DAEMON}}}[$__rate_interval]))", "resets"),
            over_time(
                f"sum(rate(slod_series_births_total{{{DAEMON}}}[$__rate_interval]))", "births"
            ),
            over_time(
                f"sum(rate(slod_groups_dropped_total{{{DAEMON}}}[$__rate_interval]))", "left out"
            ),
            unit=look.EVENTS,
            width=8,
        ),
    ]


def _work() -> list[timeseries.Panel | bargauge.Panel]:
    return [
        graph_of(
            "Duration of a tick",
            "Computing every window, rule and budget once.",
            *_quantiles("slod_tick_duration_seconds"),
            unit=look.SECONDS,
            width=8,
        ),
        graph_of(
            "Memory of ledgers",
            "All ledgers together: what the history of the SLOs costs.",
            over_time(f"sum(slod_ledger_bytes{{{DAEMON}}})", "ledgers"),
            unit=look.BYTES,
            width=8,
        ),
        bars_of(
            "Largest ledgers",
            "The ten SLOs with the most memory, their groups together.",
            now(
                f"sort_desc(topk(10, sum by (service, slo) (slod_ledger_bytes{{{DAEMON}}})))",
                "{{service}} / {{slo}}",
            ),
            unit=look.BYTES,
            width=8,
            to_slo=True,
        ),
    ]


def _state() -> list[timeseries.Panel]:
    return [
        graph_of(
            "State not saved or read",
            "By reason: `disk_full` or `read_only` is the disk; a file that cannot be read is set "
            "aside.",
            over_time(_rate("slod_state_errors_total", "reason"), "{{reason}}"),
            unit=look.EVENTS,
            width=8,
        ),
        graph_of(
            "Notifications not delivered",
            "Attempts that failed, by receiver and outcome.",
            over_time(
                "sum by (receiver, outcome) (rate(slod_notifications_total"
                f'{{{DAEMON},outcome!="delivered"}}[$__rate_interval]))',
                "{{receiver}}: {{outcome}}",
            ),
            unit=look.EVENTS,
            width=8,
        ),
        graph_of(
            "Notifications waiting",
            "By receiver. One that grows: the receiver is away, or refuses.",
            over_time(
                f"sum by (receiver) (slod_notification_queue_length{{{DAEMON}}})", "{{receiver}}"
            ),
            decimals=0,
            width=8,
        ),
    ]


def _process() -> list[timeseries.Panel]:
    cpu = f"rate(process_cpu_seconds_total{{{DAEMON}}}[$__rate_interval])"
    return [
        graph_of(
            "Memory",
            "Resident memory of the process.",
            over_time(_own("process_resident_memory_bytes"), "slod {{instance}}"),
            unit=look.BYTES,
            width=8,
        ),
        graph_of(
            "CPU",
            "Share of one core.",
            over_time(f"{cpu} and on (instance, job) slod_build_info", "slod {{instance}}"),
            unit=look.RATIO,
            width=8,
        ),
        graph_of(
            "Open files",
            "Sockets among them; near the limit nothing can be polled or delivered.",
            over_time(_own("process_open_fds"), "open {{instance}}"),
            over_time(_own("process_max_fds"), "limit {{instance}}"),
            width=8,
            decimals=0,
        ),
    ]
