"""The summary of real logs against what really happened, in every format they were written in."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from parsers.log_stream import LogStream
from parsers.lsn import format_lsn
from parsers.recovery_events import RecoveryEvent
from rules.findings import Verdict
from rules.restore_causes import RESUME
from rules.restore_checks import four_checks
from rules.restore_shortfall import Shortfall, judge_shortfall
from rules.restore_state import TRANSITIONS, Phase, Restore
from rules.restore_summary import Summary, summarize
from tests.parsers.catalogues import installed_languages

LOGS = Path(__file__).parent.parent / "parsers" / "logs"
TRUTH = json.loads((LOGS / "truth.json").read_text())
CASES = [(case, file) for case, truth in TRUTH.items() for file in truth["files"]]


def restore_of(name: str) -> Restore:
    stream, restore = LogStream(find_languages=installed_languages), Restore()
    restore.apply_all(stream.feed((LOGS / name).read_bytes()))
    restore.apply_all(stream.end())
    return restore


def lsn(value: int | None) -> str | None:
    return None if value is None else format_lsn(value)


@pytest.mark.parametrize(("case", "file"), CASES)
def test_the_summary_is_the_truth(case: str, file: str) -> None:
    truth, summary = TRUTH[case], summarize(restore_of(file))
    assert (summary.outcome, summary.reached_target) == (truth["outcome"], truth["reached_target"])
    assert lsn(summary.redo_start_lsn) == truth["redo_start_lsn"]
    assert lsn(summary.consistent_lsn) == truth["consistent_lsn"]
    assert lsn(summary.redo_done_lsn) == truth["stop_lsn"]
    assert summary.new_timeline == truth["new_timeline"]
    assert list(summary.restored_segments) == truth["restored_segments"]
    assert summary.fatal_message == truth["fatal_message"]
    assert summary.target.type == truth["target_type"]
    if file.endswith(".log"):  # the other formats do not hold what restore_command wrote
        assert list(summary.missing_files) == truth["missing_requests"]
    check_instants(summary, truth)


def check_instants(summary: Summary, truth: dict[str, Any]) -> None:
    logged = truth["last_xact_time_logged"]
    if logged is None:
        assert summary.last_transaction_at is None
    else:
        day, _, rest = logged.partition(" ")
        clock, zone = rest[:-3], rest[-3:]
        expected = datetime.strptime(f"{day} {clock} {zone}00", "%Y-%m-%d %H:%M:%S.%f %z")
        assert summary.last_transaction_at == expected
    if truth["target_type"] == "time":
        assert summary.target.value == datetime.fromisoformat(truth["target_value"])


def test_the_laboratory_s_two_restores() -> None:
    by_name = summarize(restore_of("laboratory_name.log"))
    assert (by_name.outcome, by_name.reached_target, by_name.new_timeline) == ("promoted", True, 2)
    assert (by_name.stop.kind, by_name.stop.name) == ("restore_point", "punto_laboratorio")
    assert lsn(by_name.stop.lsn) == "0/4031E70"
    assert by_name.missing_files == (
        "00000002.history", "000000010000000000000006", "00000002.history", "00000001.history",
    )  # fmt: skip
    by_time = summarize(restore_of("laboratory_time.log"))
    assert (by_time.stop.position, by_time.stop.xid, lsn(by_time.stop.lsn)) == (
        "before", 732, "0/4046FB0",
    )  # fmt: skip
    assert by_time.cause is None and by_time.verdict is Verdict.OK


def test_the_pause_says_what_to_type() -> None:
    summary = summarize(restore_of("es_target_name_pause.log"))
    assert summary.next_command == RESUME
    assert summary.verdict is Verdict.OK


def event(name: str, **fields: str | int | datetime | None) -> RecoveryEvent:
    return RecoveryEvent(name=name, at=None, fields=fields)


def test_every_transition_of_the_table_is_taken() -> None:
    for name, sources, target in TRANSITIONS:
        for source in sources:
            restore = Restore()
            restore.current.phase = source
            restore.apply(event(name))
            assert restore.current.phase is target, (name, source)


def test_an_event_in_the_wrong_phase_changes_none() -> None:
    restore = Restore()
    restore.current.phase = Phase.ENDED
    for name in ("paused_at_target", "redo_started", "consistency_reached", "wal_wait"):
        restore.apply(event(name))
    assert restore.current.phase is Phase.ENDED


def test_an_unproven_line_alone_promotes_nothing() -> None:
    restore = Restore()
    restore.apply(event("archive_recovery_started"))
    restore.apply(RecoveryEvent(name="archive_recovery_complete", at=None, proven=False))
    assert summarize(restore).outcome == "in_progress"


def test_a_server_that_is_stopped_while_it_replays_has_not_restored() -> None:
    restore = Restore()
    for name in ("server_starting", "archive_recovery_started", "redo_started"):
        restore.apply(event(name))
    restore.apply(event("shutdown_requested", mode="fast"))
    restore.apply(event("server_shut_down"))
    summary = summarize(restore)
    assert (summary.outcome, summary.verdict) == ("shut_down", Verdict.CRITICAL)


def test_a_startup_process_that_is_killed_has_failed() -> None:
    restore = Restore()
    for name in ("server_starting", "archive_recovery_started", "redo_started"):
        restore.apply(event(name))
    restore.apply(event("process_killed", process="startup process", pid=7, signal=9))
    summary = summarize(restore)
    assert (summary.outcome, summary.reached_target) == ("failed", False)
    assert summary.cause is not None and "killed" in summary.cause


def test_a_second_server_on_the_same_directory_changes_nothing() -> None:
    restore = restore_of("no_target.log")
    restore.apply(
        RecoveryEvent(
            name="lock_file_exists", at=None, severity="FATAL", message="lock file", process="x"
        )
    )
    assert summarize(restore).outcome == "promoted"


def test_the_archive_tells_a_gap_from_an_end() -> None:
    summary = summarize(restore_of("no_target.log"))
    complete = Shortfall(archived=summary.restored_segments)
    assert judge_shortfall(summary, complete) == summary
    later = Shortfall(archived=(*summary.restored_segments, "000000010000000000000016"))
    judged = judge_shortfall(summary, later)
    assert judged.verdict is Verdict.CRITICAL
    assert judged.cause is not None and "000000010000000000000015" in judged.cause
    other_timeline = Shortfall(archived=(*summary.restored_segments, "000000020000000000000016"))
    assert judge_shortfall(summary, other_timeline) == summary


@pytest.mark.parametrize(
    ("file", "in_recovery", "signal", "good"),
    [
        ("laboratory_time.log", False, False, [True, True, True, True]),
        ("laboratory_time.log", True, False, [False, True, True, True]),
        ("es_target_name_pause.log", True, True, [True, True, True, None]),
        ("missing_middle_target.log", None, True, [None, False, False, False]),
    ],
)
def test_the_four_checks(
    file: str, in_recovery: bool | None, signal: bool | None, good: list[bool | None]
) -> None:
    restore = restore_of(file)
    checks = four_checks(
        summarize(restore), restore.attempt,
        in_recovery=in_recovery, no_sql="down", recovery_signal=signal,
    )  # fmt: skip
    assert [check.good for check in checks] == good
