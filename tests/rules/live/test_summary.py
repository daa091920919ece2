"""The summary of real logs against what really happened, in every format they were written in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from parsers.log.message_catalogue import Language
from parsers.log.recovery_events import RecoveryEvent
from parsers.log.stream import LogStream
from parsers.lsn import format_lsn
from rules.live.checks import RESUME, four_checks
from rules.live.facts import RestoreRecord, watch_restore
from rules.live.phase import Phase
from rules.live.shortfall import judge_shortfall
from rules.live.state_machine import TRANSITIONS
from rules.live.summary import Summary, summarize
from rules.model.findings import Verdict
from rules.verdict.live import Explanation, explain
from tests.fix_tools import need
from tests.parsers.catalogues import LOGS, installed_languages, language_of_19, read_log

TRUTH = json.loads((LOGS / "truth.json").read_text())
FindLanguages = Callable[[int | None], Iterator[Language]]
CASES = [(case, file) for case, truth in TRUTH.items() for file in truth["files"]]


def restore_of(name: str, languages: FindLanguages = installed_languages) -> RestoreRecord:
    stream, restore = LogStream(find_languages=languages), RestoreRecord()
    restore.apply_all(stream.feed(read_log(name)))
    restore.apply_all(stream.end())
    return restore


def why(restore: RestoreRecord, summary: Summary | None = None) -> Explanation:
    return explain(watch_restore(restore, summary or summarize(restore), None))


def lsn(value: int | None) -> str | None:
    return None if value is None else format_lsn(value)


@pytest.mark.parametrize(("case", "file"), CASES)
def test_the_summary_is_the_truth(case: str, file: str) -> None:
    check_summary(case, file, summarize(restore_of(file)))


@pytest.mark.parametrize("case", [case for case in TRUTH if re.fullmatch("es_.*_19", case)])
def test_the_messages_of_19_are_understood_by_its_own_catalogue(case: str) -> None:
    need("messages of PostgreSQL 15")
    (file,) = TRUTH[case]["files"]
    restore = restore_of(file, lambda _: iter([language_of_19("es")]))
    check_summary(case, file, summarize(restore))


def check_summary(case: str, file: str, summary: Summary) -> None:
    truth = TRUTH[case]
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
    restore = restore_of("laboratory_time.log")
    by_time = summarize(restore)
    assert (by_time.stop.position, by_time.stop.xid, lsn(by_time.stop.lsn)) == (
        "before", 732, "0/4046FB0",
    )  # fmt: skip
    assert why(restore).cause is None and by_time.verdict is Verdict.OK


def test_the_pause_says_what_to_type() -> None:
    restore = restore_of("es_target_name_pause.log")
    assert why(restore).remedy == RESUME
    assert summarize(restore).verdict is Verdict.OK


def event(name: str, **fields: str | int | datetime | None) -> RecoveryEvent:
    return RecoveryEvent(name=name, at=None, fields=fields)


def test_every_transition_of_the_table_is_taken() -> None:
    for name, sources, target in TRANSITIONS:
        for source in sources:
            restore = RestoreRecord()
            restore.current.phase = source
            restore.apply(event(name))
            assert restore.current.phase is target, (name, source)


def test_an_event_in_the_wrong_phase_changes_none() -> None:
    restore = RestoreRecord()
    restore.current.phase = Phase.ENDED
    for name in ("paused_at_target", "redo_started", "consistency_reached", "wal_wait"):
        restore.apply(event(name))
    assert restore.current.phase is Phase.ENDED


def test_an_unproven_line_alone_promotes_nothing() -> None:
    restore = RestoreRecord()
    restore.apply(event("archive_recovery_started"))
    restore.apply(RecoveryEvent(name="archive_recovery_complete", at=None, proven=False))
    assert summarize(restore).outcome == "in_progress"


def test_a_server_that_is_stopped_while_it_replays_has_not_restored() -> None:
    restore = RestoreRecord()
    for name in ("server_starting", "archive_recovery_started", "redo_started"):
        restore.apply(event(name))
    restore.apply(event("shutdown_requested", mode="fast"))
    restore.apply(event("server_shut_down"))
    summary = summarize(restore)
    assert (summary.outcome, summary.verdict) == ("shut_down", Verdict.CRITICAL)


def test_a_startup_process_that_is_killed_has_failed() -> None:
    restore = RestoreRecord()
    for name in ("server_starting", "archive_recovery_started", "redo_started"):
        restore.apply(event(name))
    restore.apply(event("process_killed", process="startup process", pid=7, signal=9))
    summary = summarize(restore)
    assert (summary.outcome, summary.reached_target) == ("failed", False)
    cause = why(restore).cause
    assert cause is not None and "killed" in cause


def test_a_second_server_on_the_same_directory_changes_nothing() -> None:
    restore = restore_of("no_target.log")
    restore.apply(
        RecoveryEvent(
            name="lock_file_exists", at=None, severity="FATAL", message="lock file", process="x"
        )
    )
    assert summarize(restore).outcome == "promoted"


def test_the_archive_tells_a_gap_from_an_end() -> None:
    restore = restore_of("no_target.log")
    summary = summarize(restore)
    restored = summary.restored_segments
    assert judge_shortfall(summary, restored) == summary
    judged = judge_shortfall(summary, (*restored, "000000010000000000000016"))
    assert judged.verdict is Verdict.CRITICAL
    cause = why(restore, judged).cause
    assert cause is not None and "000000010000000000000015" in cause
    assert judge_shortfall(summary, (*restored, "000000020000000000000016")) == summary


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
