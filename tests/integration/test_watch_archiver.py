"""What a failing archiver writes: every line read, each event there, and no restore made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from tests.fix_postgres import NewCluster, lack_part
from tests.integration.restores import check_reading, watch
from tests.waiting import wait_until


def run_until(cluster: Cluster, words: str, **settings: str) -> None:
    """Start the server with these settings, write a segment, wait for the words; then crash it."""
    before = "\n".join(cluster.log_lines()).count(words)
    cluster.configure(**settings)
    cluster.start()
    cluster.sql("CREATE TABLE IF NOT EXISTS t (n int)")
    cluster.sql("INSERT INTO t VALUES (1)")
    cluster.sql("SELECT pg_switch_wal()")
    wait_until(lambda: cluster.log.read_text().count(words) > before)
    cluster.stop("immediate")


def events_of(log: Path) -> dict[str, list[dict[str, Any]]]:
    """The events of a log that holds no restore, by name; every line of it was read."""
    lines, status = watch("--log", str(log), "--once")
    assert (lines[-1]["outcome"], lines[-1]["reached_target"], status) == ("none", None, 0)
    assert lines[-1]["fatal_message"] is None
    check_reading(log.read_bytes())
    events: dict[str, list[dict[str, Any]]] = {}
    for line in lines[:-1]:
        events.setdefault(line["event"], []).append(line)
    assert "unparsed" not in events
    return events


@pytest.mark.pg(">= 13", npm=True)
def test_a_failing_archive_command(pg: Installation, new_cluster: NewCluster) -> None:
    cluster = new_cluster(pg, start=False)
    run_until(cluster, "failed too many times", archive_command="echo 'cp: no room' >&2; exit 1")
    run_until(cluster, "exit code 126", archive_command="exit 126")
    run_until(cluster, "terminated by signal", archive_command="kill -9 $$")
    run_until(cluster, "exit code 127", archive_command="no-such-program %p")
    events = events_of(cluster.log)
    failed = events["archive_failed"]
    assert {1, 126, 127} == {event["exit_code"] for event in failed}
    assert all("The failed archive command was" in event["detail"] for event in failed)
    assert [event["severity"] for event in failed if event["exit_code"] == 126] == ["FATAL"]
    assert {event["signal"] for event in events["archive_signal"]} == {9}
    assert events["archive_giving_up"][0]["severity"] == "WARNING"
    assert len(events["crash_recovery_started"]) == 3


@pytest.mark.pg(">= 13", npm=True)
def test_an_archive_that_is_not_there(pg: Installation, new_cluster: NewCluster) -> None:
    """What cp cannot create is no file that a restore asked for, whoever restored before."""
    cluster = new_cluster(pg, start=False)
    absent = cluster.home / "no-archive"
    run_until(cluster, "exit code 1", archive_command=f"cp %p {absent}/%f")
    events = events_of(cluster.log)
    assert "file_missing" not in events
    assert {event["program"] for event in events["command_output"]} == {"cp"}


@pytest.mark.pg("== 15")
def test_an_archive_library(pg: Installation, new_cluster: NewCluster) -> None:
    if not any(pg.bindir.parent.rglob("basic_archive.so")):
        lack_part(pg, "basic_archive")
    cluster = new_cluster(pg, start=False, archive_library="basic_archive")
    directory = str(cluster.account.make_directory(cluster.home / "kept"))
    run_until(cluster, "archiving is not configured")
    settings = {"log_min_messages": "debug1", "basic_archive.archive_directory": directory}
    run_until(cluster, "via basic_archive", **settings)
    settings = {"log_min_messages": "warning", "archive_library": "no_such_library"}
    run_until(cluster, "could not access file", **settings)
    events = events_of(cluster.log)
    assert {event["severity"] for event in events["archive_not_configured"]} == {"WARNING"}
    assert {event["severity"] for event in events["preload_lib_missing"]} == {"FATAL"}
    assert list(Path(directory).iterdir())
