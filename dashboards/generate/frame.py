"""What is around the panels: variables, links, annotations, and numbers that stay the same from one writing to the next."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards.generate.parts import SOURCE, about_target

TAG = "lens-exporter"
_FINDINGS = "lens"  # the tag of every annotation that lens-exporter writes (publish/grafana.py)
ANOMALIES = about_target("lens_anomaly_active", 'metric=~".+"')

_SCRAPED = ("job", "instance")  # labels that every series has

Panels = Sequence[Builder[Any]]


@dataclass(frozen=True)
class Variable:
    """One more variable; several values may be chosen, and All matches also what lacks the label."""

    name: str
    label: str
    query: str


@dataclass(frozen=True)
class Board:
    """One dashboard. of is a metric that every instance it is about publishes."""

    uid: str
    title: str
    description: str
    of: str
    rows: Sequence[tuple[str, Panels]]
    variables: Sequence[Variable] = ()
    anomalies: str = ANOMALIES  # those drawn as annotations
    hours: int = 6


def text(board: Board) -> str:
    """Write a dashboard as Grafana's classic JSON."""
    built = dashboard.Dashboard(board.title).uid(board.uid).description(board.description).tags([TAG]).readonly()
    built.time(f"now-{board.hours}h", "now").refresh("1m").timezone("browser").tooltip(DashboardCursorSync.CROSSHAIR)
    built.with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    for variable in _variables(board):
        built.with_variable(variable)
    others = dashboard.DashboardLink("lens-exporter").type(DashboardLinkType.DASHBOARDS).tags([TAG]).as_dropdown(True)
    built.link(others.include_vars(True).keep_time(True))
    for query in _annotations(board.anomalies):
        built.annotation(query)
    for title, panels in board.rows:
        built.with_row(dashboard.Row(title))
        for panel in panels:
            built.with_panel(panel)
    model = built.build()
    for number, drawn in enumerate(model.panels or [], 1):
        drawn.id_val = number
    # Where Grafana always had them, and not in a menu.
    for annotation in model.annotations.list_val or []:
        annotation.placement = None  # type: ignore[assignment]  # what is None is not written
    for link in model.links or []:
        link.placement = None  # type: ignore[assignment]  # as above
    return JSONEncoder(sort_keys=True, indent=2).encode(model) + "\n"


def _variables(board: Board) -> list[dashboard.QueryVariable]:
    asked = [
        Variable("job", "Job", f"label_values({board.of}, job)"),
        Variable("instance", "Instance", f'label_values({board.of}{{job=~"$job"}}, instance)'),
        *board.variables,
    ]
    found = []
    for one in asked:
        variable = dashboard.QueryVariable(one.name).label(one.label).query(one.query).datasource(SOURCE)
        variable.multi(True).include_all(True).all_value(".+" if one.name in _SCRAPED else ".*").refresh(
            VariableRefresh.ON_TIME_RANGE_CHANGED
        )
        variable.sort(VariableSort.ALPHABETICAL_ASC)
        found.append(variable.current(VariableOption(selected=True, text="All", value="$__all")))
    return found


def _annotations(anomalies: str) -> list[dashboard.AnnotationQuery]:
    """Draw anomalies as Prometheus has them, and findings as lens-exporter writes them to Grafana."""
    active = dashboard.AnnotationQuery().name("Anomalies").datasource(SOURCE).enable(True).icon_color("orange")
    active.expr(f"({anomalies}) == 1").step("1m").title_format("{{watcher}}: {{metric}}")
    active.text_format("{{exported_instance}} {{node}} {{process}} {{pid}} {{mountpoint}}").tag_keys("watcher,metric")
    grafana = DataSourceRef(type_val="grafana", uid="-- Grafana --")
    findings = dashboard.AnnotationQuery().name("Findings").datasource(grafana).enable(True).icon_color("blue")
    target = dashboard.AnnotationTarget().type("tags").tags([_FINDINGS]).match_any(False).limit(100)
    return [active, findings.target(target)]  # type: ignore[arg-type]
