"""What every dashboard has: its variables, links to the others, marks for alerts and events."""

from __future__ import annotations

import string

from grafana_foundation_sdk.builders.dashboard import (
    AnnotationQuery,
    AnnotationTarget,
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import Dataquery

from deploy.grafana.generate.query import DAEMON, DATASOURCE

TAG = "slod"


def frame(uid: str, title: str, about: str, *, since: str, refresh: str = "30s") -> Dashboard:
    """A dashboard without panels; it shows the time from `since` until now."""
    return (
        Dashboard(title)
        .uid(uid)
        .description(about)
        .tags([TAG, "slo"])
        .editable()
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time(since, "now")
        .refresh(refresh)
        .with_variable(
            DatasourceVariable("datasource")
            .label("Data source")
            .description("slod itself, or a Prometheus that scrapes it")
            .type("prometheus")
        )
        .with_variable(
            _choice("instance", "slod", "label_values(slod_build_info, instance)").description(
                "A daemon of several; of two replicas that measure the same, choose one"
            )
        )
        .link(
            DashboardLink("slod")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(True)
            .keep_time(True)
        )
    )


def service() -> QueryVariable:
    """Some services, or all."""
    return _choice("service", "Service", f"label_values(slo_objective_ratio{{{DAEMON}}}, service)")


def slos() -> QueryVariable:
    """Some SLOs of the chosen services, or all."""
    return _choice("slo", "SLO", _SLO_NAMES)


def one_slo() -> QueryVariable:
    """One SLO of the chosen services."""
    return _query("slo", "SLO", _SLO_NAMES)


def window() -> QueryVariable:
    """A window of the alert rules, or the period."""
    query = f'label_values(slo_burn_rate{{{DAEMON},service=~"$service"}}, window)'
    return (
        _query("window", "Window", query)
        .description("Over which burn rate and coverage are shown")
        .sort(VariableSort.NATURAL_ASC)
        .current(VariableOption(text="1h", value="1h"))
    )


def alerts(selector: str) -> AnnotationQuery:
    """Marks the time in which alerts of the chosen SLOs fired."""
    expr = f"max by (service, slo, severity) (slo_alert_firing{{{selector}}}) == 1"
    builder = _Annotation(_Marks(expr))
    return builder.name("Alerts").datasource(DATASOURCE).icon_color("red")


def events() -> AnnotationQuery:
    """Deploys and whatever else slod told Grafana of, when it is configured to."""
    target = AnnotationTarget().limit(200).match_any(False).tags([TAG]).type("tags")
    return (
        AnnotationQuery()
        .name("Events")
        .datasource(DataSourceRef(type_val="grafana", uid="-- Grafana --"))
        .icon_color("blue")
        .target(target)
    )


def finished(builder: Dashboard, *panels: Builder[dashboard.Panel] | str) -> dashboard.Dashboard:
    """The dashboard with its panels, left to right, each line filled; a string begins a row."""
    for panel in panels:
        if isinstance(panel, str):
            builder.with_row(Row(panel))
        else:
            builder.with_panel(panel)
    built = builder.build()
    for number, drawn in enumerate(built.panels or [], start=1):
        drawn.id_val = number
        if isinstance(drawn, dashboard.Panel):
            for letter, target in zip(string.ascii_uppercase, drawn.targets or [], strict=False):
                assert isinstance(target, Dataquery)
                target.ref_id = letter
    return built


_SLO_NAMES = f'label_values(slo_objective_ratio{{{DAEMON},service=~"$service"}}, slo)'


def _query(name: str, label: str, query: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        # As the editor writes it: 1 is "label values".
        .query({"qryType": 1, "query": query, "refId": f"variable-{name}"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def _choice(name: str, label: str, query: str) -> QueryVariable:
    return (
        _query(name, label, query)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(text=["All"], value=["$__all"]))
    )


class _Marks(dashboard.AnnotationQuery):
    """With the query and the words of a mark, which the data source reads and the SDK does not
    know."""

    def __init__(self, expr: str) -> None:
        super().__init__()
        self.expr = expr

    def to_json(self) -> dict[str, object]:
        known = super().to_json()
        query = {"expr": known.pop("expr"), "interval": "1m", "range": True, "refId": "Anno"}
        return {
            **known,
            "target": query,
            "titleFormat": "{{severity}}: {{slo}}",
            "textFormat": "of {{service}}",
            "tagKeys": "severity",
        }


class _Annotation(AnnotationQuery):
    def __init__(self, marks: _Marks) -> None:
        super().__init__()
        self._internal = marks
