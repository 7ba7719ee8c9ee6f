"""Queries as Grafana's Prometheus editor knows them, and the selectors they share.

They must mean the same on slod itself and on a Prometheus that scrapes it. There `instance` is a
label of every series, here of none: `=~` with `.*` for "All" fits both.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

DAEMON = 'instance=~"$instance"'
"""The chosen daemons."""

SLOS = f'{DAEMON},service=~"$service",slo=~"$slo"'
"""The chosen SLOs; fits one as well as many."""


def over_time(expr: str, legend: str, *, interval: str | None = None) -> Dataquery:
    """A line for each series; `interval` is the smallest step."""
    query = _query(expr, legend).range()
    return query.interval(interval) if interval else query


def now(expr: str, legend: str) -> Dataquery:
    """The values at the end of the shown time."""
    return _query(expr, legend).instant()


def rows(expr: str) -> Dataquery:
    """The values at the end of the shown time, a row each, their labels as columns."""
    return _query(expr, "__auto").instant().format(PromQueryFormat.TABLE)


def _query(expr: str, legend: str) -> Dataquery:
    return (
        Dataquery()
        .datasource(DATASOURCE)
        .expr(expr)
        .legend_format(legend)
        .editor_mode(QueryEditorMode.CODE)
    )
