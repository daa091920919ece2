"""The laboratory as a person runs it: the whole story, its options, its orderly end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from agent.lab.history import CREATE_TABLE, establish_marks, write_history, write_late_row
from agent.lab.laboratory import open_laboratory
from agent.lab.narrator import Narrator
from agent.lab.primary import back_up, make_primary
from agent.lab.restores import Case, Outcome, Restore, plan_cases
from agent.lab.stop import Stop
from agent.postgres.account import Account
from agent.postgres.installation import Installation

PITR_LAB = str(Path(sysconfig.get_path("scripts")) / "pitr-lab")


def run_lab(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PITR_LAB, *arguments], capture_output=True, text=True, timeout=180,
        env=os.environ | environment,
    )  # fmt: skip


@pytest.fixture
def place(short_directory: Path) -> Iterator[Path]:
    """A directory for the lab's own temporary one: it must be empty in the end."""
    short_directory.chmod(0o777)
    yield short_directory
    assert list(short_directory.iterdir()) == []


def servers_in(directory: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(directory) in argument for argument in process.info["cmdline"] or ())
        and process.pid != os.getpid()
    ]


@pytest.mark.slow
def test_the_whole_laboratory_tells_the_truth_and_leaves_nothing_behind(place: Path) -> None:
    started = time.monotonic()
    result = run_lab("--dir", str(place))
    assert (result.returncode, result.stderr) == (0, "")
    assert time.monotonic() - started < 60
    told = result.stdout
    assert "\x1b" not in told
    for line in (
        "data checksums on",
        "archive_command = 'cp %p ",
        "$ pg_basebackup -D backup_base -F p -Xs",
        "SELECT pg_create_restore_point('punto_laboratorio');",
        "SELECT pg_wal_replay_resume();",
        "registro_1 and registro_2 are back, registro_3 is not",
        "the archive it came from is untouched",
        "6 of 6 restores stopped exactly where recorded",
    ):
        assert line in told
    assert len(re.findall(r"^  recovery_target_\w+, .*: agree$", told, re.MULTILINE)) == 6
    agent_lines = [line for line in told.splitlines() if "the agent: " in line]
    assert any("pitr_up 1" in line for line in agent_lines)
    assert "pitr_up 0" in agent_lines[-1] and "missing 0" in agent_lines[-1]
    assert servers_in(place) == []


def test_the_last_part_names_what_was_recorded_beside_what_postgresql_says(place: Path) -> None:
    """For the time target: the same transaction and time in both, as text."""
    told = run_lab("--dir", str(place), "--major", "18").stdout
    recorded = re.search(r"recorded +before the COMMIT of (\d+); at (\S+); (\S+ \S+)\n", told)
    reported = re.search(r"stopping before commit of transaction (\d+), time (\S+ [^ ;]+)", told)
    assert recorded and reported
    assert recorded[1] == reported[1]
    assert recorded[3].removesuffix(":00").split("+")[0].rstrip("0") == reported[2].split("+")[
        0
    ].rstrip("0")


@pytest.mark.pg("== 16")
def test_a_truth_that_differs_is_told_apart(
    pg: Installation, account: Account, short_directory: Path
) -> None:
    """The comparison can fail: a recorded stop that is wrong in one field is not agreed to."""
    if not (pg.has("pg_basebackup") and pg.has("pg_waldump")):
        pytest.skip("this installation lacks pg_basebackup or pg_waldump")
    narrator = Narrator()
    with open_laboratory(pg, account, under=short_directory) as lab:
        make_primary(lab, narrator)
        lab.primary.sql(CREATE_TABLE)
        back_up(lab, narrator)
        notes = write_history(lab.primary, narrator)
        late = write_late_row(lab.primary, narrator)
        lab.primary.stop()
        shutil.rmtree(lab.primary.data)
        by_time, by_lsn, by_name, *_ = plan_cases(establish_marks(lab, notes, late))
        assert Restore(lab, by_name, narrator).run().holds

        def told_apart(case: Case, recorded: Stop, action: str) -> Outcome:
            return Restore(lab, replace(case, recorded=recorded, action=action), narrator).run()

        wrong_xid = replace(by_time.recorded, xid=(by_time.recorded.xid or 0) + 1)
        outcome = told_apart(by_time, wrong_xid, "promote")
        assert not outcome.holds and not outcome.failed_proofs
        assert [text.split(":")[0] for text in outcome.disagreements] == ["xid"]
        unreachable = replace(by_lsn, value="7/0")
        outcome = Restore(lab, unreachable, narrator).run()
        assert outcome.failed_proofs == ("the server comes up",)
        assert outcome.reported.lines[-1] == (
            "recovery ended before configured recovery target was reached"
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["initdb", "pg_basebackup", "pg_ctl start -D time-promote"])
def test_an_interruption_at_any_moment_stops_all_and_cleans_up(
    number: signal.Signals, moment: str, place: Path
) -> None:
    process = subprocess.Popen(
        [PITR_LAB, "--dir", str(place)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if moment in line:
            break
    process.send_signal(number)
    _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (3, "pitr-lab: interrupted\n")
    assert servers_in(place) == []


def test_kept_files_stay_and_are_complete(short_directory: Path) -> None:
    short_directory.chmod(0o777)
    kept = short_directory / "kept"
    result = run_lab("--keep", str(kept))
    assert result.returncode == 0, result.stderr
    assert (kept / "backup_base" / "backup_manifest").exists()
    assert json.loads((kept / "backup_base" / "backup_manifest").read_bytes())["WAL-Ranges"]
    assert (kept / "restored" / "time-pause" / "data" / "PG_VERSION").exists()
    assert servers_in(kept) == []
    again = run_lab("--keep", str(kept))
    assert again.returncode == 64
    assert "is not empty: name a new directory" in again.stderr
