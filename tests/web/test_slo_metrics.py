from __future__ import annotations

import math
from dataclasses import replace

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.core.slo import Calendar, Window
from exporter.core.status import Snapshot
from exporter.web.exposition import write_openmetrics, write_text
from exporter.web.slo_metrics import SLOMetrics
from tests.web.kit import promtool_findings, slo, snapshot, status


def page(of: Snapshot) -> dict[str, float]:
    """Every sample line of the page, by name and labels."""
    lines = write_text(SLOMetrics().families(of)).decode().splitlines()
    samples = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    assert len({name for name, _ in samples}) == len(samples), "the same series twice"
    return {name: float(value) for name, value in samples}


def test_the_table_of_metrics_is_on_the_page() -> None:
    base = 'slo="checkout",service="shop"'
    found = page(snapshot())
    windows: dict[str, float] = {}
    for window in ("5m", "1h", "30d"):
        windows |= {
            f'slo_sli_ratio{{{base},window="{window}"}}': 0.998,
            f'slo_burn_rate{{{base},window="{window}"}}': 2.0,
            f'slo_coverage_ratio{{{base},window="{window}"}}': 0.5,
        }
    expected = {
        f'slo_events_total{{{base},result="good"}}': 123_456_789_012.0,
        f'slo_events_total{{{base},result="bad"}}': 7.0,
        f"slo_objective_ratio{{{base}}}": 0.999,
        f"slo_window_seconds{{{base}}}": 2_592_000.0,
        f"slo_age_seconds{{{base}}}": 7200.0,
        **windows,
        f"slo_error_budget_remaining_ratio{{{base}}}": -1.0,
        f"slo_error_budget_remaining_events{{{base}}}": -1.0,
        f"slo_error_budget_exhaustion_seconds{{{base}}}": math.inf,
        f"slo_error_budget_exhaustion_lower_seconds{{{base}}}": 3600.0,
        f"slo_error_budget_exhaustion_upper_seconds{{{base}}}": math.inf,
        f'slo_alert_firing{{{base},severity="page",long_window="1h",short_window="5m"}}': 1.0,
        f'slo_budget_policy_state{{{base},state="ok"}}': 0.0,
        f'slo_budget_policy_state{{{base},state="warning"}}': 0.0,
        f'slo_budget_policy_state{{{base},state="exhausted"}}': 1.0,
        f"slo_gate_open{{{base}}}": 0.0,
        f"slo_excluded_seconds{{{base}}}": 0.0,
        f"slod_ledger_bytes{{{base}}}": 4096.0,
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == value or math.isclose(found[name], value, rel_tol=1e-9), name


def test_without_events_ratios_are_absent_and_coverage_is_not() -> None:
    found = page(snapshot(status(empty=True)))
    names = {line.partition("{")[0] for line in found}
    assert "slo_coverage_ratio" in names and "slo_objective_ratio" in names
    assert names.isdisjoint(
        {
            "slo_sli_ratio",
            "slo_burn_rate",
            "slo_error_budget_remaining_ratio",
            "slo_error_budget_exhaustion_seconds",
        }
    )


def test_own_labels_and_groups_stand_on_every_series() -> None:
    of = slo(labels={"team": 'pay"ments'})
    found = page(snapshot(status(of, labels={"team": 'pay"ments', "route": "/a"})))
    assert all(r'team="pay\"ments",route="/a"' in line for line in found)


def test_a_group_label_named_like_one_of_ours_is_exported() -> None:
    found = page(snapshot(*(status(labels={"service": s}) for s in ("a", "b"))))
    assert 'slo_gate_open{slo="checkout",service="shop",exported_service="a"}' in found
    assert 'slo_gate_open{slo="checkout",service="shop",exported_service="b"}' in found


def test_an_alert_window_as_long_as_the_period_is_one_series() -> None:
    one = status()
    doubled = replace(one, windows=(*one.windows[:2], one.windows[2], one.windows[2]))
    assert page(snapshot(doubled)) == page(snapshot(one))


def test_two_rules_over_the_same_windows_are_one_series_that_fires_when_either_does() -> None:
    rule = status().rules[0]
    found = page(snapshot(status(rules=(rule, rule._replace(rate=99.0, firing=False)))))
    assert [v for line, v in found.items() if line.startswith("slo_alert_firing")] == [1.0]


def test_a_calendar_period_says_how_long_it_is_now() -> None:
    november = status(slo(period=Calendar("month", "UTC")))
    found = page(snapshot(november))
    assert found['slo_window_seconds{slo="checkout",service="shop"}'] == 30 * 86_400
    assert 'slo_sli_ratio{slo="checkout",service="shop",window="month"}' in found


def test_values_follow_the_snapshot_and_labels_follow_a_reload() -> None:
    metrics, of = SLOMetrics(), slo()
    first = write_text(metrics.families(snapshot(status(of))))
    second = write_text(metrics.families(snapshot(status(of, bad=3.0))))
    assert first != second and len(first.splitlines()) == len(second.splitlines())
    changed = slo(period=Window("7d", 604_800.0))
    third = write_text(metrics.families(snapshot(status(changed)))).decode()
    assert 'window="7d"' in third and 'window="30d"' not in third


def test_promtool_finds_nothing_to_say() -> None:
    families = SLOMetrics().families(snapshot(status(), status(slo("other"), empty=True)))
    assert promtool_findings(write_text(families)) == ""


def test_an_openmetrics_parser_reads_the_page() -> None:
    text = write_openmetrics(SLOMetrics().families(snapshot())).decode()
    families = {f.name: f for f in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]
    assert families["slo_events"].type == "counter"
    assert families["slo_events"].samples[1].value == 7.0
