"""Grafana's part in a dashboard's queries: variables filled in, Prometheus asked, answers read.

Follows what its Prometheus data source does: a variable of one value is quoted for a string, one of
many becomes a regular expression; $__rate_interval is at least four scrapes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.fix_prometheus import ask

DASHBOARDS = Path(__file__).parents[1] / "dashboards" / "grafana"
STEP_SECONDS = 1
# The data source's timeInterval. Scrapes are less apart here, so that one that comes late on a busy
# machine leaves no hole in a rate.
INTERVAL_SECONDS = 3
_MACRO = re.compile(r"\$\{?(\w+)(?::\w+)?\}?")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One series of a query's answer."""

    target: str  # the legend or column as it is shown before labels are filled in
    labels: Mapping[str, str]
    value: float | None  # at the end of the shown range; None: nothing there
    peak: float  # the highest in the range


@dataclass(frozen=True, kw_only=True)
class Target:
    """One query of one panel."""

    dashboard: str
    panel: int
    name: str  # the legend, or the title of the column
    expression: str
    instant: bool


def load() -> dict[str, dict[str, Any]]:
    """uid -> the dashboard as it is in the repository."""
    documents = [json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))]
    return {document["uid"]: document for document in documents}


def panels(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All but the rows."""
    return (panel for panel in document["panels"] if panel["type"] != "row")


def targets(document: Mapping[str, Any]) -> Iterator[Target]:
    for panel in panels(document):
        columns = _columns(panel)
        for target in panel["targets"]:
            yield Target(
                dashboard=document["uid"],
                panel=panel["id"],
                name=columns.get(f"Value #{target['refId']}", target.get("legendFormat", "")),
                expression=target["expr"],
                instant=bool(target.get("instant")),
            )


def _columns(panel: Mapping[str, Any]) -> dict[str, str]:
    for step in panel.get("transformations") or ():
        if step["id"] == "organize":
            names: dict[str, str] = step["options"]["renameByName"]
            return names
    return {}


def interpolate(text: str, cluster: str, *, many: bool, range_seconds: int) -> str:
    """Fill in the variables. An unknown one is an error, where Grafana would leave it as it is."""
    backslashed = cluster.replace("\\", "\\\\").replace('"', '\\"')
    values = {
        "cluster": ".*" if many else backslashed,
        "__range": f"{range_seconds}s",
        "__rate_interval": f"{4 * INTERVAL_SECONDS}s",
    }
    return _MACRO.sub(lambda found: values[found[1]], text)


def run(url: str, target: Target, cluster: str, since: float, until: float) -> list[Sample]:
    """What the query says of this range, asked as Grafana asks it."""
    expression = interpolate(
        target.expression, cluster, many=target.dashboard == "pitr-fleet",
        range_seconds=int(until - since) + 1,
    )  # fmt: skip
    if target.instant:
        path, options = "query", {"time": until}
    else:
        # As Grafana does, whole steps; the last of them is the end here.
        seconds = int(until - since)
        path, options = (
            "query_range",
            {"start": until - seconds, "end": until, "step": STEP_SECONDS},
        )
    query = urlencode({"query": expression, **options})
    answer = ask(f"{url}/api/v1/{path}?{query}")
    assert answer is not None and answer["status"] == "success", (target, expression, answer)
    return [_sample(target.name, series, until) for series in answer["data"]["result"]]


def _sample(name: str, series: Mapping[str, Any], until: float) -> Sample:
    points = series["values"] if "values" in series else [series["value"]]
    moment, last = points[-1]
    return Sample(
        target=name,
        labels={key: text for key, text in series["metric"].items() if key != "__name__"},
        value=float(last) if abs(moment - until) < STEP_SECONDS / 2 else None,
        peak=max(float(value) for _, value in points),
    )


def values_of(url: str, query: str, since: float, until: float) -> list[str]:
    """A query variable: label_values(metric, label), as Grafana asks it of Prometheus."""
    asked = re.fullmatch(r"label_values\((\w+), (\w+)\)", query)
    assert asked is not None, query
    options = urlencode({"match[]": asked[1], "start": since, "end": until})
    found: list[str] = ask(f"{url}/api/v1/label/{asked[2]}/values?{options}")["data"]
    return found
