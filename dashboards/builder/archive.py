"""Archiving, and what is in the archive."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, timeseries

from dashboards.builder import meanings
from dashboards.builder.panels import OBJECTIVE, Text, graph, number
from dashboards.builder.queries import ONE, age, at, each, metric, objective
from rules.alerting.panels import Panel


def archiving() -> list[timeseries.Panel | stat.Panel]:
    return [_ready(), _ready_age(), _rates(), _last(), _wal_directory(), _wal_directory_full()]


def content() -> list[timeseries.Panel]:
    return [_missing(), _damaged()]


def _ready() -> timeseries.Panel:
    text = Text(
        title="Files that wait for the archiver",
        means="Segments with a .ready file in pg_wal/archive_status.",
        do="If they become more: the archiver fails, hangs or is slower than the server writes. "
        "Nothing here protects them but the server's own disk.",
    )
    queries = {"ready": each("pitr_archive_ready_files")}
    return graph(Panel.READY, text, queries, unit="short")


def _ready_age() -> timeseries.Panel:
    text = Text(
        title="The longest wait",
        means="Since when the oldest of those files has been complete. A gap: none waits, or it "
        "is not known.",
        do="Over the objective (the dashed rpo): an archive_command that hangs is neither a "
        "success nor a failure. Look at the archiver's child process.",
    )
    waits = age("pitr_archive_oldest_ready_timestamp_seconds")
    queries = {"oldest": waits, OBJECTIVE: objective("rpo")}
    return graph(Panel.READY_AGE, text, queries, unit="s")


def _rates() -> timeseries.Panel:
    text = Text(
        title="Archived and failed, a minute",
        means="What the archiver reports. Its word alone proves nothing: whether the files have "
        "arrived is said by the missing segments.",
        do="Failures: run archive_command by hand, as the server's account, on the oldest .ready "
        "segment, and read its error.",
    )
    archived, failed = (
        f"max by (cluster) (60 * rate({metric(name)}[$__rate_interval]))"
        for name in ("pitr_archiver_archived_total", "pitr_archiver_failed_total")
    )
    made = graph(Panel.ARCHIVER_RATES, text, {"archived": archived, "failed": failed}, unit="short")
    return made.override_by_name("failed", meanings.fixed(meanings.RED))


def _last() -> timeseries.Panel:
    text = Text(
        title="Since the archiver's last success, and failure",
        means="Ages of what the archiver last reported. No curve: it never happened since the "
        "statistics were reset, or it is not known.",
        do="A failure that is younger than the last success: archiving fails now.",
    )
    queries = {
        "success": age("pitr_archiver_last_archived_timestamp_seconds"),
        "failure": age("pitr_archiver_last_failed_timestamp_seconds"),
    }
    made = graph(Panel.ARCHIVER_LAST, text, queries, unit="s")
    return made.override_by_name("failure", meanings.fixed(meanings.RED))


def _wal_directory() -> timeseries.Panel:
    text = Text(
        title="pg_wal",
        means="Size of the files in pg_wal. The server keeps what is not archived, what slots "
        "want, and max_wal_size.",
        do="If it grows past max_wal_size: see what waits above, then pg_replication_slots.",
    )
    queries = {"size": each("pitr_wal_directory_bytes")}
    return graph(Panel.WAL_DIRECTORY, text, queries, unit="bytes", width=16)


def _wal_directory_full() -> stat.Panel:
    text = Text(
        title="pg_wal is full",
        means="When the volume of pg_wal fills if WAL keeps being written faster than it is "
        "archived. No forecast: it does not come to stay, or its free space is not known.",
        do="The server stops when it is full. Make archive_command succeed; never delete from "
        "pg_wal by hand.",
    )
    return number(
        Panel.WAL_DIRECTORY_FULL,
        text,
        {"": at("pitr_wal_directory_full_timestamp_seconds")},
        unit="dateTimeFromNow",
        colors=((0, meanings.RED),),
        absent="no forecast",
        width=8,
    )


def _missing() -> timeseries.Panel:
    text = Text(
        title="Missing segments",
        means="Segments between the archive's oldest and newest that are not there, by what became "
        "of them: delayed and uploading ones may still come, lost ones will not, acknowledged "
        "ones the configuration names.",
        do="Lost: copy them from pg_wal or another copy of the archive if they are there, and "
        "take a new base backup. Nothing beyond a gap is restorable from a backup before it.",
    )
    query = each("pitr_archive_missing_segments", ONE, by=("timeline", "class"))
    queries = {"timeline {{timeline}}, {{class}}": query}
    return graph(Panel.MISSING, text, queries, unit="short")


def _damaged() -> timeseries.Panel:
    text = Text(
        title="Damaged segments",
        means="Archived segments that are not what their names promise, by what is wrong. Only "
        "kinds that occur have a curve.",
        do="Find a sound copy; `pitr-check` names the segments and the LSN where each breaks. "
        "Until then recovery stops there: take a new base backup.",
    )
    kinds = each("pitr_archive_damaged_segments", ONE, by=("kind",))
    known = f"0 * max by (cluster) ({metric('pitr_archive_damaged_segments')})"
    queries = {"{{kind}}": f"{kinds} > 0", "looked": known}
    return graph(Panel.DAMAGED, text, queries, unit="short")
