"""Base backups, and what restores of them take."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries

from dashboards.builder.panels import OBJECTIVE, Text, graph
from dashboards.builder.queries import ONE, age, each, objective
from rules.alerting.panels import Panel


def panels() -> list[timeseries.Panel]:
    return [_states(), _age(), _estimate()]


def _states() -> timeseries.Panel:
    text = Text(
        title="Base backups",
        means="How many there are, by whether they and the WAL that they need are there. "
        "`windows`: restorable intervals, one a backup and timeline.",
        do="Not restorable: a backup without the WAL up to its end is worth nothing. "
        "`pitr-check --backup` says what each lacks. None restorable: take one now.",
    )
    queries = {
        "{{state}}": each("pitr_backups", ONE, by=("state",)),
        "windows": each("pitr_restorable_windows"),
    }
    return graph(Panel.BACKUPS, text, queries, unit="short")


def _age() -> timeseries.Panel:
    text = Text(
        title="Age of the newest base backup",
        means="Since the newest base backup ended, beside the objective (the dashed backup_age, if "
        "one is stated).",
        do="Over the objective: the backup job failed, or it is not scheduled. The older the "
        "backup, the more WAL a restore replays.",
    )
    queries = {
        "age": age("pitr_backup_last_finished_timestamp_seconds"),
        OBJECTIVE: objective("backup_age"),
    }
    return graph(Panel.BACKUP_AGE, text, queries, unit="s")


def _estimate() -> timeseries.Panel:
    text = Text(
        title="What a restore would take",
        means="Replay to the latest restorable instant at the rate of measured restores, and the "
        "copy of the backup where a drill measured it (else that comes on top), beside the "
        "objective (the dashed rto, if one is stated). No curve: no restore was ever measured.",
        do="Over the objective: take base backups more often. No curve: restore once, or run a "
        "drill (`pitr-check --drill`).",
    )
    queries = {
        "estimate": each("pitr_restore_duration_estimate_seconds"),
        OBJECTIVE: objective("rto"),
    }
    return graph(Panel.RESTORE_ESTIMATE, text, queries, unit="s")
