"""What a disk loss now would cost, and how far back one can go."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries

from dashboards.builder.panels import OBJECTIVE, Text, graph
from dashboards.builder.queries import age, each, objective
from rules.alerting.panels import Panel


def panels() -> list[timeseries.Panel]:
    return [_seconds(), _bytes(), _age(), _window()]


def _seconds() -> timeseries.Panel:
    text = Text(
        title="Exposure in time",
        means="The age of the oldest transaction that only the server's own disk holds: what its "
        "loss would cost now. 0: everything is archived. A gap: not known then.",
        do="Over the objective (the dashed rpo): see below whether the archiver fails, hangs or "
        "falls behind. If the server merely writes little, set archive_timeout below the rpo.",
    )
    queries = {
        "exposed": each("pitr_recovery_point_exposure_seconds"),
        OBJECTIVE: objective("rpo"),
    }
    return graph(Panel.EXPOSURE_SECONDS, text, queries, unit="s")


def _bytes() -> timeseries.Panel:
    text = Text(
        title="Exposure in WAL",
        means="WAL that was written and that no archive holds. Up to a segment is normal: it is "
        "archived when it is full, or after archive_timeout.",
        do="If it grows steadily: WAL is written faster than it is archived.",
    )
    queries = {"exposed": each("pitr_recovery_point_exposure_bytes")}
    return graph(Panel.EXPOSURE_BYTES, text, queries, unit="bytes")


def _age() -> timeseries.Panel:
    text = Text(
        title="Age of the latest restorable instant",
        means="How long ago the last transaction was committed that a restore brings back. On a "
        "busy cluster it saws along archive_timeout; on an idle one it grows without harm.",
        do="If it grows while the exposure grows: archiving has stopped, or a gap has cut off "
        "what was archived since.",
    )
    queries = {"age": age("pitr_latest_restorable_timestamp_seconds")}
    return graph(Panel.RESTORABLE_AGE, text, queries, unit="s")


def _window() -> timeseries.Panel:
    text = Text(
        title="How far back one can go",
        means="From now to the start of the unbroken window that holds the latest restorable "
        "instant, beside the objective (the dashed window, if one is stated). It grows by a "
        "second a second and falls when backups expire.",
        do="Below the objective: keep backups and their WAL longer. A sudden fall without an "
        "expired backup: a segment in the middle was lost.",
    )
    queries = {
        "reaches back": age("pitr_earliest_restorable_timestamp_seconds"),
        OBJECTIVE: objective("window"),
    }
    return graph(Panel.WINDOW, text, queries, unit="s")
