"""Reading the stop from a server's log, and comparing witnesses."""

from datetime import UTC, datetime

import pytest

from agent.lab.stop import RecordedStop, read_report

# Written by PostgreSQL 16.14 (the restore point by 16.9).
_BEFORE_COMMIT = """\
2026-11-22 13:52:06 UTC [7] LOG:  recovery stopping before commit of transaction 733, time 2026-11-22 13:51:16.036013+00
2026-11-22 13:52:06 UTC [7] LOG:  redo done at 0/40000B8 system usage: CPU: user: 0.00 s, system: 0.00 s, elapsed: 0.03 s
2026-11-22 13:52:06 UTC [7] LOG:  last completed transaction was at log time 2026-11-22 13:51:15.97207+00
"""  # noqa: E501
_AFTER_LSN = """\
2026-11-22 13:52:06 UTC [7] LOG:  recovery stopping after WAL location (LSN) "0/3008480"
2026-11-22 13:52:06 UTC [7] LOG:  redo done at 0/3008480 system usage: CPU: user: 0.00 s, system: 0.00 s, elapsed: 0.05 s
"""  # noqa: E501
_AT_NAME = """\
2025-07-10 12:04:16.719 MST [9] LOG:  recovery stopping at restore point "punto_laboratorio", time 2025-07-10 11:59:47.693563-07
2025-07-10 12:04:16.719 MST [9] LOG:  redo done at 0/4031E70 system usage: CPU: user: 0.00 s, system: 0.00 s, elapsed: 0.07 s
"""  # noqa: E501
_REFUSED = """\
2026-11-22 13:52:06 UTC [7] LOG:  redo done at 0/3008480 system usage: CPU: user: 0.00 s, system: 0.00 s, elapsed: 0.05 s
2026-11-22 13:52:06 UTC [7] FATAL:  recovery ended before configured recovery target was reached
"""  # noqa: E501


def test_a_stop_before_a_commit_is_read_with_its_transaction_lsn_and_times() -> None:
    assert read_report(_BEFORE_COMMIT.splitlines()).stop == RecordedStop(
        position="before",
        kind="commit",
        xid=733,
        lsn=0x40000B8,
        time=datetime(2026, 11, 22, 13, 51, 16, 36013, UTC),
        last_transaction_at=datetime(2026, 11, 22, 13, 51, 15, 972070, UTC),
    )


def test_a_stop_after_an_lsn_is_read() -> None:
    stop = read_report(_AFTER_LSN.splitlines()).stop
    assert stop == RecordedStop(position="after", kind="lsn", lsn=0x3008480)


def test_a_stop_at_a_restore_point_is_read_in_the_zone_of_the_server() -> None:
    stop = read_report(_AT_NAME.splitlines()).stop
    assert stop is not None
    assert (stop.name, stop.lsn) == ("punto_laboratorio", 0x4031E70)
    assert stop.time == datetime(2025, 7, 10, 18, 59, 47, 693563, UTC)


def test_what_is_logged_once_the_server_is_stopped_says_nothing_of_the_recovery() -> None:
    told = _AT_NAME.splitlines()
    said = "LOG:  received fast shutdown request", "FATAL:  terminating connection due to ..."
    stopped = [f"2025-07-10 12:04:17.719 MST [9] {each}" for each in said]
    assert read_report([*told, *stopped]) == read_report(told)


def test_a_recovery_that_was_refused_reports_no_stop_and_keeps_the_reason() -> None:
    report = read_report(_REFUSED.splitlines())
    assert report.stop is None
    assert report.lines[-1] == "recovery ended before configured recovery target was reached"


@pytest.mark.parametrize(
    "change",
    [
        {"xid": 734},
        {"lsn": 0x40000C0},
        {"time": datetime(2026, 11, 22, 13, 51, 16, 36014, UTC)},
        {"last_transaction_at": datetime(2026, 11, 22, 13, 51, 15, tzinfo=UTC)},
        {"position": "after"},
        {"kind": "abort"},
    ],
)
def test_any_field_that_differs_is_a_disagreement(change: dict[str, object]) -> None:
    reported = read_report(_BEFORE_COMMIT.splitlines()).stop
    assert reported is not None
    same = {name: getattr(reported, name) for name in RecordedStop.__slots__}
    assert list(RecordedStop(**same).disagreements(reported)) == []
    differing = RecordedStop(**(same | change))  # type: ignore[arg-type]
    assert [text.split(":")[0] for text in differing.disagreements(reported)] == list(change)


def test_what_the_server_does_not_state_is_a_disagreement_too() -> None:
    recorded = RecordedStop(position="after", kind="lsn", lsn=0x3008480, xid=732)
    reported = read_report(_AFTER_LSN.splitlines()).stop
    assert reported is not None
    assert list(recorded.disagreements(reported)) == ["xid: 732 and None"]
