"""What every dashboard has around its panels: variables, links, rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.builder.panels import DATASOURCE
from rules.alerting.panels import CLUSTER, FLEET, RESTORE

TAG: Final = "pitr"
RUNBOOKS: Final = "http://127.0.0.1:9870/runbooks"  # the agent serves them
_FIRST_ROW: Final = 1000  # rows have numbers too; nothing leads to them

Rows = Mapping[str, Sequence[Builder[model.Panel]]]  # title of the row -> its panels

TO_CLUSTER: Final = (
    f"/d/{CLUSTER}?${{datasource:queryparam}}&var-cluster=${{__value.raw:percentencode}}"
    "&${__url_time_range}"
)
TO_RUNBOOK: Final = "${runbooks}/${__value.text}.md"


def frame(
    uid: str, title: str, description: str, rows: Rows, *, many: bool, refresh: str, since: str
) -> build.Dashboard:
    """A dashboard of these rows, for one cluster or for `many`."""
    made = (
        build.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .editable()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .time(since, "now")
        .refresh(refresh)
        .timezone("browser")
        .with_variable(_datasource())
        .with_variable(_clusters(many=many))
        .with_variable(_runbooks())
    )
    for other, name in ((FLEET, "Fleet"), (CLUSTER, "One cluster"), (RESTORE, "Live restore")):
        if other != uid:
            made.link(_link(other, name))
    for position, (row, panels) in enumerate(rows.items()):
        made.with_row(build.Row(row).id(_FIRST_ROW + position))
        for panel in panels:
            made.with_panel(panel)
    return made


def _datasource() -> build.DatasourceVariable:
    return build.DatasourceVariable("datasource").label("Prometheus").type("prometheus")


def _clusters(*, many: bool) -> build.QueryVariable:
    """Every cluster that was judged in the shown range, though its agent be dead now."""
    asked = "label_values(pitr_verdict_timestamp_seconds, cluster)"
    query: dict[str, Any] = {"qryType": 1, "query": asked, "refId": "clusters"}
    variable = (
        build.QueryVariable("cluster")
        .label("Cluster")
        .datasource(DATASOURCE)
        .query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
    )
    if many:
        everything = model.VariableOption(text=["All"], value=["$__all"])
        variable.multi(True).include_all(True).all_value(".*").current(everything)
    return variable


def _runbooks() -> build.TextBoxVariable:
    option = model.VariableOption(text=RUNBOOKS, value=RUNBOOKS)
    return (
        build.TextBoxVariable("runbooks")
        .label("Runbooks below")
        .description("Where the runbooks can be read: the agent itself serves them.")
        .default_value(RUNBOOKS)
        .current(option)
    )


def _link(uid: str, title: str) -> build.DashboardLink:
    return (
        build.DashboardLink(title)
        .type(model.DashboardLinkType.LINK)
        .icon("dashboard")
        .tooltip(f"{title}: the same cluster and range")
        .url(f"/d/{uid}")
        .include_vars(True)
        .keep_time(True)
    )
