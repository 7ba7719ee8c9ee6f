from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from exporter.core.slo import Calendar, Window
from exporter.core.status import Snapshot, WindowStatus
from exporter.formats.sloth_metrics import rows
from exporter.web.exposition import Family, write_text
from tests.web.kit import promtool_findings, slo, snapshot, status


def samples(of: Snapshot) -> dict[str, list[tuple[dict[str, str], float]]]:
    page = write_text([Family.of(*row) for row in rows(of)]).decode()
    families = text_string_to_metric_families(page)
    return {f.name: [(s.labels, s.value) for s in f.samples] for f in families}


def test_slos_have_the_names_and_labels_of_sloth() -> None:
    found = samples(snapshot(status(slo(labels={"owner": "me"}))))
    ids = {
        "owner": "me",
        "sloth_id": "shop-checkout",
        "sloth_service": "shop",
        "sloth_slo": "checkout",
    }
    for window in ("5m", "1h", "30d"):
        assert found[f"slo:sli_error:ratio_rate{window}"] == [
            ({**ids, "sloth_window": window}, 0.002)
        ]
    assert found["slo:objective:ratio"] == [(ids, 0.999)]
    ((labels, budget),) = found["slo:error_budget:ratio"]
    assert labels == ids and abs(budget - 0.001) < 1e-12
    assert found["slo:time_period:days"] == [(ids, 30.0)]
    assert found["slo:period_error_budget_remaining:ratio"] == [(ids, -1.0)]
    for name in ("slo:current_burn_rate:ratio", "slo:period_burn_rate:ratio"):
        ((labels, rate),) = found[name]
        assert labels == ids and abs(rate - 2) < 1e-9
    ((info, one),) = found["sloth_slo_info"]
    assert one == 1 and info["sloth_objective"] == "99.9"
    assert {"sloth_mode", "sloth_spec", "sloth_version"} <= info.keys()


def test_ratios_are_absent_without_events() -> None:
    found = samples(snapshot(status(empty=True)))
    assert set(found) == {
        "slo:objective:ratio",
        "slo:error_budget:ratio",
        "slo:time_period:days",
        "sloth_slo_info",
    }


def test_windows_are_spelled_as_sloth_spells_them() -> None:
    week = status(slo(period=Window("7d", 604_800.0)))
    hour = week.windows[1]._replace(label="60m")
    found = samples(snapshot(replace(week, windows=(week.windows[0], hour, week.windows[2]))))
    assert {"slo:sli_error:ratio_rate1h", "slo:sli_error:ratio_rate1w"} <= set(found)


def test_a_calendar_month_is_drawn_as_thirty_days() -> None:
    month = status(slo(period=Calendar("month", "UTC")))
    partly = replace(
        month, windows=(*month.windows[:2], WindowStatus("month", 1234.5, 998.0, 2.0, 1.0))
    )
    assert "slo:sli_error:ratio_rate30d" in samples(snapshot(partly))


def test_a_window_as_long_as_the_period_is_one_series() -> None:
    one = status()
    found = samples(snapshot(replace(one, windows=(*one.windows, one.windows[-1]))))
    assert len(found["slo:sli_error:ratio_rate30d"]) == 1


def test_promtool_minds_nothing_but_the_colons() -> None:
    page = write_text([Family.of(*row) for row in rows(snapshot())])
    for finding in promtool_findings(page).splitlines():
        assert "should not contain ':'" in finding
