from __future__ import annotations

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.web.exposition import write_openmetrics, write_text
from exporter.web.self_metrics import SelfMetrics
from tests.web.kit import promtool_findings


def used() -> SelfMetrics:
    metrics = SelfMetrics("1.2.3")
    metrics.expect(sources=["prom"], receivers=["am"], slos=["checkout"])
    metrics.poll("prom", "http://a", 0.02, True)
    metrics.poll("prom", "http://b", 0.02, False)
    metrics.poll_error("prom", "timeout")
    metrics.samples("prom", 40)
    metrics.refused("prom", "too_old", 2)
    metrics.readings("prom", "birth", "created_timestamp")
    metrics.readings("prom", "unknown", "part_left", 4)
    metrics.surplus("checkout", 12.0)
    metrics.late("prom", 3)
    metrics.groups_dropped("checkout", 3)
    metrics.slo_error("checkout", True)
    metrics.tick(0.0002)
    metrics.notification("am", "delivered")
    metrics.queue_length("am", 5)
    metrics.reloaded(True, 1_700_000_000.0)
    metrics.saving(False)
    metrics.state_error("disk_full")
    return metrics


def test_what_happened_is_on_the_page() -> None:
    page = write_text(used().families()).decode()
    for line in (
        'slod_source_up{source="prom",target="http://a"} 1',
        'slod_source_up{source="prom",target="http://b"} 0',
        'slod_poll_duration_seconds_count{source="prom"} 2',
        'slod_poll_errors_total{source="prom",reason="timeout"} 1',
        'slod_samples_total{source="prom"} 40',
        'slod_samples_refused_total{source="prom",reason="too_old"} 2',
        'slod_series_births_total{source="prom"} 1',
        'slod_readings_total{source="prom",kind="birth",evidence="created_timestamp"} 1',
        'slod_readings_total{source="prom",kind="unknown",evidence="part_left"} 4',
        'slod_surplus_events_total{slo="checkout"} 12',
        'slod_late_samples_total{source="prom"} 3',
        'slod_groups_dropped_total{slo="checkout"} 3',
        'slod_slo_errors{slo="checkout"} 1',
        'slod_tick_duration_seconds_bucket{le="0.0001"} 0',
        'slod_tick_duration_seconds_bucket{le="0.00025"} 1',
        'slod_notifications_total{receiver="am",outcome="delivered"} 1',
        'slod_notifications_total{receiver="am",outcome="retried"} 0',
        'slod_notification_queue_length{receiver="am"} 5',
        "slod_config_last_reload_successful 1",
        "slod_config_last_reload_success_timestamp_seconds 1700000000",
        "slod_state_saving 0",
        'slod_state_errors_total{reason="disk_full"} 1',
        'slod_build_info{version="1.2.3",python="',
        "process_resident_memory_bytes ",
    ):
        assert line in page, line


def test_known_series_exist_at_zero_from_the_start() -> None:
    metrics = SelfMetrics("1")
    metrics.expect(sources=["prom"], receivers=["am"], slos=["checkout"])
    page = write_openmetrics(metrics.families()).decode()
    assert 'slod_counter_resets_total{source="prom"} 0' in page
    assert 'slod_resets_total{source="prom"} 0' in page
    assert 'slod_samples_total{source="prom"} 0' in page
    assert 'slod_slo_errors{slo="checkout"} 0' in page


def test_a_failed_reload_keeps_the_time_of_the_last_good_one() -> None:
    metrics = used()
    metrics.reloaded(False, 1_800_000_000.0)
    page = write_text(metrics.families()).decode()
    assert "slod_config_last_reload_successful 0" in page
    assert "slod_config_last_reload_success_timestamp_seconds 1700000000" in page


def test_what_is_gone_is_forgotten_once_or_twice() -> None:
    metrics = used()
    metrics.failure("slo:checkout")
    metrics.failure("slo:basket")
    for _ in range(2):
        metrics.forget_target("prom", "http://a")
        metrics.forget_slo("checkout")
        metrics.forget_receiver("am")
    page = write_text(metrics.families()).decode()
    assert "http://a" not in page and "http://b" in page
    assert "slod_slo_errors{" not in page and "queue_length{" not in page
    assert "slo:checkout" not in page and 'slod_failures_total{part="slo:basket"} 1' in page


def test_promtool_finds_nothing_to_say() -> None:
    assert promtool_findings(write_text(used().families())) == ""


def test_counter_resets_reach_both_formats_once_there_are_some() -> None:
    metrics = used()
    metrics.readings("prom", "reset", "process_start", 2)
    for write in (write_text, write_openmetrics):
        for name in (b"slod_resets_total", b"slod_counter_resets_total"):
            assert name + b'{source="prom"} 2' in write(metrics.families())


def test_an_openmetrics_parser_reads_the_page() -> None:
    text = write_openmetrics(used().families()).decode()
    families = {f.name: f.type for f in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]
    assert families["slod_poll_duration_seconds"] == "histogram"
    assert families["slod_counter_resets"] == "counter"
    assert "_created" not in text
