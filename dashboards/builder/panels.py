"""Panels of the house's kind: a number that was judged, a curve beside its objective, a table.

Every panel has a description: what it means, and what to do. Numbers and tables are asked at the
end of the shown range (`instant`): the last value that was ever seen is not what is known now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import common, prometheus, stat, statetimeline, table
from grafana_foundation_sdk.builders import timeseries as curves
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.builder import meanings
from rules.alerting.panels import Panel

WIDTH: Final = 24  # of Grafana's grid
OBJECTIVE: Final = "objective"  # the legend of a line that is drawn as one

DATASOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

P = TypeVar("P", stat.Panel, curves.Panel, statetimeline.Panel, table.Panel)
Steps = Sequence[tuple[float, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What a panel says of itself."""

    title: str
    means: str  # what is shown; what absence means
    do: str  # what to do when it is bad

    @property
    def description(self) -> str:
        return f"{self.means}\n\n**What to do:** {self.do}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table: a label, or the value of the query of the same name."""

    title: str
    unit: str | None = None
    colors: Steps = ()
    mappings: Sequence[model.ValueMapping] = ()
    link: str | None = None
    width: int | None = None

    def properties(self) -> list[model.DynamicConfigValue]:
        """As overrides of Grafana's field configuration."""
        given: dict[str, object] = {"unit": self.unit, "custom.width": self.width}
        if self.colors:
            given["thresholds"] = meanings.steps(*self.colors).build()
        if self.mappings:
            given["mappings"] = list(self.mappings)
        if self.colors or any(_is_coloured(mapping) for mapping in self.mappings):
            given["custom.cellOptions"] = shapes.TableColoredBackgroundCellOptions()
        if self.link:
            given["links"] = [{"title": "Open", "url": self.link, "targetBlank": False}]
        return [
            model.DynamicConfigValue(id_val=name, value=value)
            for name, value in given.items()
            if value is not None
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Queries with one row for each value of a label, and how their columns are called."""

    by: str
    queries: Mapping[str, str]  # title of the column -> PromQL
    columns: Sequence[Column] = field(default=())


def number(
    panel: Panel,
    text: Text,
    queries: Mapping[str, str],
    *,
    unit: str = "none",
    colors: Steps = (),
    mappings: Sequence[model.ValueMapping] | None = None,
    absent: str = meanings.UNKNOWN,
    width: int = 4,
) -> stat.Panel:
    """One big number for each query (legend -> PromQL); nothing reads as `absent`."""
    made = (
        _begin(stat.Panel(), panel, text, width=width, height=4)
        .unit(unit)
        .no_value(absent)
        .mappings(list(mappings or meanings.nothing_is(absent)))
        .thresholds(meanings.steps(*colors))
        .color_mode(shapes.BigValueColorMode.BACKGROUND)
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    for query in _queries(queries, instant=True):
        made.with_target(query)
    return made


def graph(
    panel: Panel,
    text: Text,
    queries: Mapping[str, str],
    *,
    unit: str = "none",
    bars: bool = False,
    limit: float | None = None,
    width: int = 12,
) -> curves.Panel:
    """Curves (legend -> PromQL). A gap is a gap; the line called `objective` is drawn as one.

    `limit`: a constant line that the unit itself gives, as 1 of a share.
    """
    made = (
        _begin(curves.Panel(), panel, text, width=width, height=8)
        .unit(unit)
        .min(0)
        .span_nulls(False)
        .draw_style(shapes.GraphDrawStyle.BARS if bars else shapes.GraphDrawStyle.LINE)
        .fill_opacity(50 if bars else 10)
        .legend(common.VizLegendOptions().show_legend(True).calcs(["lastNotNull", "max"]))
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI))
    )
    if limit is not None:
        made.thresholds(meanings.steps((0, "transparent"), (limit, meanings.RED)))
        line = common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.LINE)
        made.thresholds_style(line)
    if OBJECTIVE in queries:
        made.override_by_name(OBJECTIVE, _as_a_limit())
    for query in _queries(queries):
        made.with_target(query)
    return made


def history(
    panel: Panel,
    text: Text,
    queries: Mapping[str, str],
    *,
    mappings: Sequence[model.ValueMapping],
    width: int = 12,
) -> statetimeline.Panel:
    """States over time, a row each."""
    made = (
        _begin(statetimeline.Panel(), panel, text, width=width, height=8)
        .no_value(meanings.UNKNOWN)
        .mappings(list(mappings))
        .show_value(shapes.VisibilityMode.NEVER)
        .merge_values(True)
        .line_width(0)
    )
    for query in _queries(queries):
        made.with_target(query)
    return made


def rows(
    panel: Panel,
    text: Text,
    query: str,
    columns: Mapping[str, Column],
    *,
    nothing: str,
    sort_by: str,
    width: int = 12,
) -> table.Panel:
    """A table of one query's labels (label -> column); `nothing` is said when it is empty."""
    made = _table(panel, text, width=width, nothing=nothing)
    for asked in _queries({"": query}, instant=True, as_table=True):
        made.with_target(asked)
    labels = list(columns)
    made.with_transformation(_transformation("filterFieldsByName", include={"names": labels}))
    return _finish(
        made, {label: columns[label].title for label in labels}, columns, sort_by, descending=False
    )


def joined(panel: Panel, text: Text, content: Joined, *, nothing: str, sort_by: str) -> table.Panel:
    """A table of many queries, joined by a label that each of them has."""
    made = _table(panel, text, width=WIDTH, nothing=nothing)
    names = {content.by: content.by}
    asked = _queries(content.queries, instant=True, as_table=True)
    for title, query in zip(content.queries, asked, strict=True):
        made.with_target(query)
        names[f"Value #{query.build().ref_id}"] = title
    made.with_transformation(_transformation("joinByField", byField=content.by, mode="outer"))
    wanted = {"names": list(names)}
    made.with_transformation(_transformation("filterFieldsByName", include=wanted))
    columns = {column.title: column for column in content.columns}
    return _finish(made, names, columns, sort_by, descending=True)


def _begin(made: P, panel: Panel, text: Text, *, width: int, height: int) -> P:
    """What every panel has."""
    return (
        made.id(panel.number)
        .title(text.title)
        .description(text.description)
        .datasource(DATASOURCE)
        .span(width)
        .height(height)
    )


def _table(panel: Panel, text: Text, *, width: int, nothing: str) -> table.Panel:
    return (
        _begin(table.Panel(), panel, text, width=width, height=9).no_value(nothing).filterable(True)
    )


def _finish(
    made: table.Panel,
    names: Mapping[str, str],
    columns: Mapping[str, Column],
    sort_by: str,
    *,
    descending: bool,
) -> table.Panel:
    order = {name: position for position, name in enumerate(names)}
    made.with_transformation(
        _transformation("organize", renameByName=dict(names), indexByName=order)
    )
    for column in columns.values():
        made.override_by_name(column.title, column.properties())
    return made.sort_by([common.TableSortByFieldState().display_name(sort_by).desc(descending)])


def _transformation(name: str, **options: object) -> model.DataTransformerConfig:
    return model.DataTransformerConfig(id_val=name, options=options)


def _is_coloured(mapping: model.ValueMapping) -> bool:
    if isinstance(mapping, model.ValueMap):
        return any(result.color for result in mapping.options.values())
    return False


def _as_a_limit() -> list[model.DynamicConfigValue]:
    given = {
        "color": {"mode": "fixed", "fixedColor": meanings.RED},
        "custom.lineStyle": {"fill": "dash", "dash": [10, 10]},
        "custom.fillOpacity": 0,
    }
    return [model.DynamicConfigValue(id_val=name, value=value) for name, value in given.items()]


def _queries(
    queries: Mapping[str, str], *, instant: bool = False, as_table: bool = False
) -> list[prometheus.Dataquery]:
    made = []
    for position, (legend, expression) in enumerate(queries.items()):
        query = prometheus.Dataquery().expr(expression).ref_id(chr(ord("A") + position))
        query.datasource(DATASOURCE)
        query.format(PromQueryFormat.TABLE if as_table else PromQueryFormat.TIME_SERIES)
        if legend and not as_table:
            query.legend_format(legend)
        made.append(query.instant() if instant else query.range())
    return made
