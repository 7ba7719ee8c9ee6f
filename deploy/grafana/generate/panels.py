"""Panels as all dashboards draw them; sizes are in columns of 24 and rows of the grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import bargauge, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    ReduceDataOptions,
    StackingConfig,
    TableSortByFieldState,
    VizLegendOptions,
    VizTextDisplayOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import DashboardLink, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BarGaugeNamePlacement,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    ValueMapping,
)

from deploy.grafana.generate import look
from deploy.grafana.generate.query import DATASOURCE


def link_to_slo(slo: str, service: str) -> DashboardLink:
    """A click leads to the SLO's own dashboard, with the time that is shown."""
    url = (
        "/d/slod-slo?var-datasource=${datasource}&${instance:queryparam}"
        f"&var-service=${{{service}}}&var-slo=${{{slo}}}&${{__url_time_range}}"
    )
    return DashboardLink("Open this SLO").type(DashboardLinkType.LINK).url(url)


LABELS_TO_SLO = ("__field.labels.slo", "__field.labels.service")
ROW_TO_SLO = ("__data.fields.slo", "__data.fields.service")


def stat_of(
    title: str,
    about: str,
    query: Dataquery,
    *,
    unit: str = look.COUNT,
    thresholds: ThresholdsConfig | None = None,
    mappings: Sequence[ValueMapping] = (),
    width: int = 3,
    decimals: int | None = None,
    name: bool = False,
    trend: bool = False,
) -> stat.Panel:
    """One number, in large; `name` shows the series' name in its place, `trend` its past."""
    panel = (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(DATASOURCE)
        .with_target(query)
        .span(width)
        .height(4)
        .unit(unit)
        .thresholds(thresholds or look.neutral())
        .mappings(list(mappings))
        .no_value("no data")
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.AREA if trend else BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.NAME if name else BigValueTextMode.VALUE)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    )
    return panel if decimals is None else panel.decimals(decimals)


def graph_of(
    title: str,
    about: str,
    *queries: Dataquery,
    unit: str = look.COUNT,
    width: int = 12,
    thresholds: ThresholdsConfig | None = None,
    low: float | None = 0,
    high: float | None = None,
    stacked: bool = False,
    bars: bool = False,
    decimals: int | None = None,
    colors: Mapping[str, str] | None = None,
) -> timeseries.Panel:
    """Lines over time; `thresholds` are drawn dashed, `colors` are of series by their name."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(DATASOURCE)
        .targets(list(queries))
        .span(width)
        .height(8)
        .unit(unit)
        .line_width(2)
        .fill_opacity(60 if stacked or bars else 8)
        .show_points(VisibilityMode.NEVER)
        .legend(
            VizLegendOptions()
            .show_legend(True)
            .display_mode(LegendDisplayMode.TABLE)
            .placement(LegendPlacement.BOTTOM)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    if bars:
        panel.draw_style(GraphDrawStyle.BARS)
    if stacked:
        panel.stacking(StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if thresholds is not None:
        panel.thresholds(thresholds)
        panel.thresholds_style(GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    if low is not None:
        panel.axis_soft_min(low)
    if high is not None:
        panel.axis_soft_max(high)
    if decimals is not None:
        panel.decimals(decimals)
    for series, color in (colors or {}).items():
        fixed = {"mode": FieldColorModeId.FIXED, "fixedColor": color}
        panel.override_by_name(series, [DynamicConfigValue("color", fixed)])
    return panel


def bars_of(
    title: str,
    about: str,
    query: Dataquery,
    *,
    unit: str = look.COUNT,
    width: int = 12,
    height: int = 8,
    thresholds: ThresholdsConfig | None = None,
    low: float = 0,
    high: float | None = None,
    to_slo: bool = False,
) -> bargauge.Panel:
    """A bar for each series, in the order of the query."""
    panel = (
        bargauge.Panel()
        .title(title)
        .description(about)
        .datasource(DATASOURCE)
        .with_target(query)
        .span(width)
        .height(height)
        .unit(unit)
        .min(low)
        .thresholds(thresholds or look.steps("blue"))
        .display_mode(BarGaugeDisplayMode.BASIC)
        .name_placement(BarGaugeNamePlacement.LEFT)
        .orientation(VizOrientation.HORIZONTAL)
        # Else one bar of few has letters as high as itself, and its name is cut off.
        .text(VizTextDisplayOptions().title_size(14).value_size(16))
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    )
    if high is not None:
        panel.max(high)
    return panel.data_links([link_to_slo(*LABELS_TO_SLO)]) if to_slo else panel


def timeline_of(
    title: str,
    about: str,
    *queries: Dataquery,
    mappings: Sequence[ValueMapping],
    width: int = 24,
    height: int = 6,
) -> statetimeline.Panel:
    """A lane for each series, coloured by its value's meaning."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(about)
        .datasource(DATASOURCE)
        .targets(list(queries))
        .span(width)
        .height(height)
        .mappings(list(mappings))
        .show_value(VisibilityMode.NEVER)
        .merge_values(True)
        .line_width(0)
        .legend(VizLegendOptions().show_legend(False).display_mode(LegendDisplayMode.HIDDEN))
    )


def table_of(
    title: str,
    about: str,
    *queries: Dataquery,
    names: Mapping[str, str],
    hidden: Sequence[str] = (),
    sort: str,
    downwards: bool = False,
    height: int = 8,
    width: int = 24,
    to_slo: bool = True,
) -> table.Panel:
    """Rows of labels and values; `names` gives the columns their order and headings.

    Several queries are one row where their labels agree. A column may be named in `hidden` that
    only some data sources have.
    """
    tidy = {
        "excludeByName": dict.fromkeys(["Time", "__name__", *hidden], True),
        "indexByName": {name: index for index, name in enumerate(names)},
        "renameByName": dict(names),
    }
    panel = (
        table.Panel()
        .title(title)
        .description(about)
        .datasource(DATASOURCE)
        .targets(list(queries))
        .span(width)
        .height(height)
        .no_value("-")
        .filterable(True)
        .min_width(80)
        .sort_by([TableSortByFieldState().display_name(sort).desc(downwards)])
        .thresholds(look.neutral())
    )
    if len(queries) > 1:
        panel.with_transformation(DataTransformerConfig("merge", options={}))
    panel.with_transformation(DataTransformerConfig("organize", options=tidy))
    return panel.data_links([link_to_slo(*ROW_TO_SLO)]) if to_slo else panel


def column(
    unit: str = look.COUNT,
    thresholds: ThresholdsConfig | None = None,
    *,
    decimals: int | None = None,
    mappings: Sequence[ValueMapping] = (),
    gauge: bool = False,
) -> list[DynamicConfigValue]:
    """How a column of a table is shown: coloured by its thresholds, `gauge` as a bar up to 1."""
    found = [DynamicConfigValue("unit", unit)]
    if decimals is not None:
        found.append(DynamicConfigValue("decimals", decimals))
    if mappings:
        found.append(DynamicConfigValue("mappings", list(mappings)))
    if thresholds is not None:
        found.append(DynamicConfigValue("thresholds", thresholds.build()))
        cell = {"type": "gauge", "mode": "basic"} if gauge else {"type": "color-text"}
        found.append(DynamicConfigValue("custom.cellOptions", cell))
    if gauge:
        found += [DynamicConfigValue("min", 0), DynamicConfigValue("max", 1)]
    return found
