"""The dashboards as they are checked in: what they ask exists, and Grafana can draw them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from deploy.grafana.generate.__main__ import DASHBOARDS, FOLDER, text_of
from exporter.web.self_metrics import SelfMetrics
from exporter.web.slo_metrics import SLOMetrics
from tests.grafana_queries import dashboards, queries
from tests.web.kit import snapshot

ROOT = Path(__file__).parent.parent
RULES = ROOT / "deploy/prometheus/slod-alerts.yml"
ALL = dashboards()
QUERIES = queries()
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
each_dashboard = pytest.mark.parametrize("name", ALL)


def metrics_of_slod() -> set[str]:
    """The names of every sample that can stand on the page, labels and values aside."""
    own = SelfMetrics("1.0")
    own.expect(sources=["s"], receivers=["r"], slos=["o"])
    found = set()
    for family in [*own.families(), *SLOMetrics().families(snapshot())]:
        found |= (
            {family.name, f"{family.name}_total"} if family.type == "counter" else {family.name}
        )
        if family.type == "histogram":
            found |= {f"{family.name}_{part}" for part in ("bucket", "count", "sum")}
    return found


def metrics_in(query: str) -> set[str]:
    return set(re.findall(r"\b(?:slo|slod|process)_[a-z_]+\b(?=[{\[\s)]|$)", query))


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_file_is_what_its_generator_makes(name: str) -> None:
    made = text_of(name)
    assert (FOLDER / f"{name}.json").read_text("utf-8") == made, (
        "run: python -m deploy.grafana.generate"
    )


def test_there_is_no_file_without_a_generator() -> None:
    assert ALL.keys() == DASHBOARDS.keys()


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_can_be_parsed(query: str) -> None:
    promql_parser.parse(query)


def test_every_metric_is_one_of_slod() -> None:
    known = metrics_of_slod()
    asked = {metric for query in QUERIES for metric in metrics_in(query)}
    assert len(asked) > 30
    assert asked <= known
    rules = yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"]
    assert {metric for rule in rules for metric in metrics_in(rule["expr"])} <= known


def test_ratios_are_neither_averaged_nor_summed() -> None:
    for query in QUERIES:
        assert not re.search(r"\bavg", query), query
        # Counted, how many are beyond a limit, they may be.
        ratios = re.findall(r"\bsum\b.*_ratio\{.*?\}(.*)", query)
        assert all(rest.startswith(" <= bool ") for rest in ratios), query


@each_dashboard
def test_the_data_source_is_always_the_chosen_one(name: str) -> None:
    dashboard = ALL[name]
    first, *others = dashboard["templating"]["list"]
    assert (first["name"], first["type"], first["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    asking = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    for one in [*others, *asking, *(t for panel in asking for t in panel["targets"])]:
        assert one["datasource"] == DATASOURCE
    marks = [a["datasource"]["type"] for a in dashboard["annotations"]["list"]]
    assert marks == (["grafana"] if name == "slod" else ["prometheus", "grafana"])


@each_dashboard
def test_every_variable_that_is_used_is_there_and_used(name: str) -> None:
    dashboard = ALL[name]
    variables = [variable["name"] for variable in dashboard["templating"]["list"]]
    text = repr(dashboard)
    used = set(re.findall(r"\$\{?(\w+)", text))
    assert set(variables) <= used
    assert {n for n in used if not n.startswith("__")} <= {*variables, "instance"}
    # Of each, only those before it are known when it is filled.
    for at, variable in enumerate(dashboard["templating"]["list"]):
        if variable["type"] == "query":
            assert set(re.findall(r"\$(\w+)", variable["query"]["query"])) <= set(variables[:at])


@each_dashboard
def test_panels_have_numbers_and_places_of_their_own(name: str) -> None:
    panels = ALL[name]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    boxes = [panel["gridPos"] for panel in panels]
    for box in boxes:
        assert box["x"] >= 0 and box["x"] + box["w"] <= 24
    for one, other in combinations(boxes, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


@each_dashboard
def test_every_line_of_panels_is_full_and_of_one_height(name: str) -> None:
    lines: dict[int, list[dict[str, int]]] = {}
    for panel in ALL[name]["panels"]:
        lines.setdefault(panel["gridPos"]["y"], []).append(panel["gridPos"])
    for boxes in lines.values():
        assert sum(box["w"] for box in boxes) == 24
        assert len({box["h"] for box in boxes}) == 1


@each_dashboard
def test_every_panel_says_what_it_means_and_asks_sensibly(name: str) -> None:
    for panel in ALL[name]["panels"]:
        if panel["type"] == "row":
            continue
        assert panel["title"] and len(panel["description"]) > 15, panel["title"]
        assert panel["fieldConfig"]["defaults"].get("unit") or panel["type"] in (
            "table",
            "state-timeline",
        )
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == list("ABCDEFGH"[: len(letters)])
        for target in panel["targets"]:
            assert target["instant"] is not target["range"]
            assert target["legendFormat"]
            assert (target.get("format") == "table") == (panel["type"] == "table")
            if panel["type"] in ("timeseries", "state-timeline"):
                assert target["range"] and "$__range" not in target["expr"]
            if panel["type"] in ("table", "bargauge"):
                assert target["instant"]
            # A rate over a fixed time is wrong for some step or other.
            for span in re.findall(r"(?:rate|increase)\([^[]*\[(.*?)\]", target["expr"]):
                assert span in ("$__rate_interval", "$__range")


@each_dashboard
def test_dashboards_lead_to_each_other(name: str) -> None:
    dashboard = ALL[name]
    (link,) = dashboard["links"]
    assert link["tags"] == ["slod"] and "slod" in dashboard["tags"]
    assert link["includeVars"] and link["keepTime"]
    known = {one["uid"] for one in ALL.values()}
    assert len(known) == len(ALL)
    for url in links_of(dashboard):
        assert re.match(r"/d/([\w-]+)\?", url)[1] in known


def links_of(node: Any) -> Iterator[str]:
    """Every data link anywhere in it."""
    if isinstance(node, dict):
        if isinstance(node.get("url"), str) and node["url"]:
            yield node["url"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from links_of(child)


def test_the_overview_leads_to_the_slo() -> None:
    assert len(list(links_of(ALL["overview"]))) >= 3


def test_columns_of_tables_exist_in_what_they_ask() -> None:
    for dashboard in ALL.values():
        for panel in dashboard["panels"]:
            if panel["type"] != "table":
                continue
            tidy = panel["transformations"][-1]["options"]
            count = len(panel["targets"])
            values = [f"Value #{t['refId']}" for t in panel["targets"]] if count > 1 else ["Value"]
            named = [name for name in tidy["renameByName"] if name.startswith("Value")]
            assert named == values
            shown = set(tidy["renameByName"].values())
            overridden = {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]}
            assert overridden <= shown
            assert {sort["displayName"] for sort in panel["options"]["sortBy"]} <= shown


def test_series_that_are_coloured_by_name_have_such_a_name() -> None:
    for dashboard in ALL.values():
        for panel in dashboard["panels"]:
            if panel["type"] != "timeseries":
                continue
            legends = {target["legendFormat"] for target in panel["targets"]}
            for override in panel["fieldConfig"]["overrides"]:
                name = override["matcher"]["options"]
                assert name in legends or any("{{" in legend for legend in legends), name


def test_no_query_is_asked_twice_in_a_panel() -> None:
    for dashboard in ALL.values():
        for panel in dashboard["panels"]:
            asked = Counter(target["expr"] for target in panel.get("targets", ()))
            assert all(count == 1 for count in asked.values())


# --- provisioning -------------------------------------------------------------------------------


def provisioned(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "deploy/grafana/provisioning" / name).read_text("utf-8"))


def test_both_data_sources_are_provisioned_and_slod_is_the_first() -> None:
    sources = provisioned("datasources/slod.yaml")["datasources"]
    assert [s["name"] for s in sources] == ["slod", "Prometheus"]
    assert [s["name"] for s in sources if s.get("isDefault")] == ["slod"]
    assert {s["type"] for s in sources} == {"prometheus"}
    assert len({s["uid"] for s in sources}) == 2


def test_dashboards_are_found_where_compose_mounts_them() -> None:
    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text("utf-8"))["services"]
    mounts = dict(v.split(":")[:2] for v in compose["grafana"]["volumes"])
    (provider,) = provisioned("dashboards/slod.yaml")["providers"]
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    for kind in ("datasources", "dashboards"):
        assert mounts[f"./grafana/provisioning/{kind}"] == f"/etc/grafana/provisioning/{kind}"
    home = compose["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    folder, _, file = home.rpartition("/")
    assert folder == provider["options"]["path"] and file.removesuffix(".json") in ALL
    sources = provisioned("datasources/slod.yaml")["datasources"]
    hosts = {re.sub(r"^http://|:\d+$", "", source["url"]) for source in sources}
    assert hosts < compose.keys()


# --- rules about slod ---------------------------------------------------------------------------


def test_every_rule_is_explained() -> None:
    rules = yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"]
    told = (ROOT / "docs/grafana.md").read_text("utf-8")
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"].keys() == {"summary", "description"}
        assert f"`{rule['alert']}`" in told
