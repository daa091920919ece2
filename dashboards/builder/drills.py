"""Restore drills: the only proof that a restore works is one that ran."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.models.common import BigValueTextMode

from dashboards.builder import meanings
from dashboards.builder.panels import OBJECTIVE, Text, graph, number
from dashboards.builder.queries import ONE, age, each, objective, since
from rules.alerting.panels import Panel

_AGREES: Final = {1: ("AS PREDICTED", meanings.GREEN), 0: ("OTHERWISE", meanings.RED)}


def panels() -> list[timeseries.Panel | stat.Panel]:
    return [_age(), _outcome(), _agrees(), _durations()]


def _age() -> timeseries.Panel:
    text = Text(
        title="Since the last good drill",
        means="Age of the last drill that opened as predicted with nothing bad in it, beside the "
        "objective (the dashed drill_age). No curve: there never was one.",
        do="Over the objective: see whether drills run at all, and how the last one ended. No "
        "curve: give the cluster a schedule (`drill:` in the configuration).",
    )
    queries = {
        "age": age("pitr_drill_last_success_timestamp_seconds"),
        OBJECTIVE: objective("drill_age"),
    }
    return graph(Panel.DRILL_AGE, text, queries, unit="s")


def _outcome() -> stat.Panel:
    text = Text(
        title="Last drill, since",
        means="How the last drill ended, and when it began. UNKNOWN: none was made.",
        do="Anything but a success: the finding names the cause, the agent's log the drill.",
    )
    began = since("pitr_drill_last_outcome", "pitr_drill_last_run_timestamp_seconds")
    colors = ((0, meanings.BLUE),)
    queries = {"{{outcome}}": began}
    made = number(Panel.DRILL_OUTCOME, text, queries, unit="s", colors=colors, width=6)
    return made.text_mode(BigValueTextMode.VALUE_AND_NAME)


def _agrees() -> stat.Panel:
    text = Text(
        title="PostgreSQL did",
        means="Whether the last drill that ran went as the agent had predicted.",
        do="OTHERWISE: this agent is wrong about this cluster. Trust the drill, and report it.",
    )
    queries = {"": each("pitr_drill_last_agrees")}
    mappings = meanings.words(_AGREES)
    return number(Panel.DRILL_AGREES, text, queries, mappings=mappings, width=6)


def _durations() -> timeseries.Panel:
    text = Text(
        title="What the last drill took",
        means="By phase, and in all: a restore by the same way takes as long, besides what people "
        "need to decide.",
        do="The phase that grows says what would make a restore faster: the copy, or the replay.",
    )
    queries = {"{{phase}}": each("pitr_drill_last_duration_seconds", ONE, by=("phase",))}
    return graph(Panel.DRILL_DURATIONS, text, queries, unit="s")
