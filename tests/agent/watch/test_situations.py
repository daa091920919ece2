"""Whole logs of real servers in the situations that people post, and what is said of each.

`tests/data/situations` holds them as releases 13, 15 and 18 wrote them, with paths replaced.
"""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any, Final

import pytest

from agent.cli.watch import main

SITUATIONS: Final = Path(__file__).parents[2] / "data" / "situations"
GENERIC: Final = "there is no recovery.signal, or restore_command is wrong"
# Log, outcome, status, what is said, what is not.
CASES: Final = (
    ("no_signal_no_wal_15", "failed", 2, "recovery.signal is missing", "archive lacks"),
    ("no_signal_no_wal_18", "failed", 2, GENERIC, "is missing"),  # 17 and later announce it late
    ("no_wal_bad_command_18", "failed", 2, GENERIC, "is missing"),
    ("no_wal_bad_command_15", "failed", 2, "restore_command is wrong", "recovery.signal"),
    ("no_label_no_wal_13", "failed", 2, "backup_label is missing", "pg_resetwal"),
    ("no_label_no_wal_18", "failed", 2, "backup_label is missing", "pg_resetwal"),
    ("no_label_no_wal_no_signal_18", "failed", 2, "pg_wal lacks", "backup"),
    ("clean_wal_absent_18", "failed", 2, "pg_wal lacks", "crash"),
    ("crash_wal_garbage_18", "failed", 2, "pg_wal is damaged", "backup"),
    ("no_pg_wal_18", "failed", 2, "install -d -m 700", "backup_label"),
    ("immediate_shutdown_no_hot_18", "shut_down", 2, "immediate shutdown", "restore_command"),
    ("immediate_shutdown_13", "failed", 2, "ordered an immediate shutdown", "restore_command"),
    ("killed_15", "failed", 2, "signal 9", "restore_command"),
    ("sigterm_13", "failed", 2, "status 1 without a message", "gap"),
    ("exit255_13", "failed", 2, "Connection refused", "gap"),
    ("rmid_13", "failed", 2, "invalid resource manager ID 238", "gap"),
    ("foreign_middle_none_15", "promoted", 3, "the WAL of another cluster", "damaged"),
    ("crash_ok_15", "none", 0, "", "restore"),
    ("archiver_fails_13", "none", 0, "", "archive"),
    ("archiver_fails_stopped_18", "none", 0, "", "archive"),
)


def judged(name: str) -> tuple[dict[str, Any], int]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = main(["--log", str(SITUATIONS / f"{name}.log"), "--once", "--format", "json"])
    return json.loads(printed.getvalue().splitlines()[-1]), status


@pytest.mark.parametrize(("name", "outcome", "status", "said", "unsaid"), CASES)
def test_a_situation_is_known(name: str, outcome: str, status: int, said: str, unsaid: str) -> None:
    summary, ended = judged(name)
    told = f"{summary['cause'] or ''} {summary['next_command'] or ''}"
    assert (summary["outcome"], ended) == (outcome, status)
    assert said in told
    assert unsaid not in told
    assert "DIR" not in told


def test_every_log_is_judged() -> None:
    assert {path.stem for path in SITUATIONS.glob("*.log")} == {case[0] for case in CASES}
