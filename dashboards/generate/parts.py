"""Panels: every one has a title, a description, a unit, the data source of the variable, and queries with a legend."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models.common import (
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import DataSourceRef, DynamicConfigValue, Threshold, ThresholdsMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
OWN = 'job=~"$job",instance=~"$instance"'
# What a band says of a target that lens-exporter scrapes nothing from: Prometheus keeps the target's own labels as exported_*,
# or as they are where the scrape has honor_labels.
_TARGET = ('exported_job=~"$job",exported_instance=~"$instance"', 'exported_instance="",job=~"$job",instance=~"$instance"')
UPPER, LOWER = "normal up to", "normal from"  # how the edges of a band are called
_GREY, _LIMIT = "#8e8e8e", "red"


@dataclass(frozen=True)
class Query:
    """One expression and how its series are called; dashed is drawn as a limit or an edge is."""

    expr: str
    legend: str
    dashed: bool = False


def about_target(metric: str, more: str) -> str:
    """Select what lens-exporter says of the chosen instances, whichever way their labels were kept."""
    return " or ".join(f"{metric}{{{target},{more}}}" for target in _TARGET)


def series(
    title: str, description: str, unit: str, *queries: Query, stacked: bool = False, edge: float | None = None, width: int = 12
) -> timeseries.Panel:
    """Draw series over time. edge is a line at a value that means something."""
    panel = timeseries.Panel().title(title).description(description).unit(unit).datasource(SOURCE).span(width).height(8)
    panel.line_width(1).fill_opacity(25 if stacked else 5).draw_style(GraphDrawStyle.LINE)
    panel.legend(
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(["lastNotNull", "max"])
    )
    panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if unit == "percentunit" and not stacked:
        panel.axis_soft_min(0).axis_soft_max(1)
    if edge is not None:
        panel.thresholds(_thresholds(edge, "transparent")).thresholds_style(
            common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.LINE)
        )
    for position, query in enumerate(queries):
        panel.with_target(_target(query, position))
        if query.dashed:
            panel.override_by_query(_ref(position), _dashed(fill_to=LOWER if query.legend == UPPER else ""))
    return panel


def banded(title: str, description: str, unit: str, metric: str, *queries: Query, width: int = 12) -> timeseries.Panel:
    """Draw series with what is normal for them: metric is the name under which a watcher of the lens tracks them."""
    edges = (
        Query(about_target("lens_baseline_upper", f'metric="{metric}"'), UPPER, dashed=True),
        Query(about_target("lens_baseline_lower", f'metric="{metric}"'), LOWER, dashed=True),
    )
    return series(
        title, f"{description} Dashed: what is normal at this hour, where a watcher looks.", unit, *queries, *edges, width=width
    )


def number(
    title: str, description: str, unit: str, expr: str, *, bad: float | None = None, low: bool = False, width: int = 4
) -> stat.Panel:
    """Show one number of now. From `bad` on (or, where low is bad, below it) it is red."""
    panel = stat.Panel().title(title).description(description).unit(unit).datasource(SOURCE).span(width).height(4)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if bad is not None:
        panel.thresholds(_thresholds(bad, "red", "green") if low else _thresholds(bad, "green"))
    return panel.with_target(_target(Query(expr, "__auto"), 0))


def listing(title: str, description: str, unit: str, expr: str, *, width: int = 24) -> table.Panel:
    """List the series there are now, with their labels."""
    panel = table.Panel().title(title).description(description).unit(unit).datasource(SOURCE).span(width).height(8)
    query = prometheus.Dataquery().expr(expr).instant().format(PromQueryFormat.TABLE).ref_id("A").datasource(SOURCE)
    return panel.with_target(query)


def _target(query: Query, position: int) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expr).legend_format(query.legend).range().ref_id(_ref(position)).datasource(SOURCE)


def _ref(position: int) -> str:
    return chr(ord("A") + position)


def _thresholds(edge: float, below: str, above: str = _LIMIT) -> dashboard.ThresholdsConfig:
    steps: Sequence[Threshold] = [Threshold(value=None, color=below), Threshold(value=edge, color=above)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(list(steps))


def _dashed(*, fill_to: str) -> list[DynamicConfigValue]:
    looks: dict[str, Any] = {
        "custom.lineStyle": {"fill": "dash", "dash": [6, 6]},
        "custom.fillOpacity": 12 if fill_to else 0,
        "color": {"mode": "fixed", "fixedColor": _GREY},
    }
    if fill_to:
        looks["custom.fillBelowTo"] = fill_to
    return [DynamicConfigValue(id_val=name, value=value) for name, value in looks.items()]
