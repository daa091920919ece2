"""The laboratory as a person runs it: the whole story, its options, its orderly end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sysconfig
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import psutil
import pytest

from agent.lab.cases import LabCase, plan_cases
from agent.lab.errors import LabFailed
from agent.lab.history import CREATE_TABLE, establish_marks, write_history, write_late_row
from agent.lab.laboratory import open_laboratory
from agent.lab.narrator import Narrator
from agent.lab.primary import back_up, make_primary
from agent.lab.restore import LabRestore, RestoreResult
from agent.lab.stop import RecordedStop
from agent.postgres.account import Account
from agent.postgres.installation import Installation
from tests.fix_postgres import need_part
from tests.fix_tools import PATIENCE_SECONDS
from tests.waiting import wait_logged, wait_until

PITR_LAB = str(Path(sysconfig.get_path("scripts")) / "pitr-lab")


def run_lab(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PITR_LAB, *arguments], capture_output=True, text=True, timeout=2 * PATIENCE_SECONDS,
        env=os.environ | environment,
    )  # fmt: skip


StartLab = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start_lab(place: Path) -> Iterator[StartLab]:
    """Start a pitr-lab to talk to; it is ended whatever the test does."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [PITR_LAB, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


@pytest.fixture
def place(short_directory: Path) -> Iterator[Path]:
    """A directory for the lab's own temporary one: it must be empty in the end."""
    short_directory.chmod(0o777)
    yield short_directory
    assert list(short_directory.iterdir()) == []


def servers_in(directory: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline", "name"])
        if any(str(directory) in argument for argument in process.info["cmdline"] or ())
        and process.pid != os.getpid()
    ]


def assert_nothing_runs(directory: Path) -> None:
    """No server does; a command that one was running ends by itself."""
    servers = [each for each in servers_in(directory) if each.info["name"] == "postgres"]
    assert servers == []
    wait_until(lambda: not servers_in(directory))


@pytest.mark.slow
def test_the_whole_laboratory_tells_the_truth_and_leaves_nothing_behind(place: Path) -> None:
    result = run_lab("--dir", str(place))
    assert (result.returncode, result.stderr) == (0, "")
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
        "7 of 7 restores stopped exactly where recorded",
    ):
        assert line in told
    assert len(re.findall(r"^    pitr-check predicted  \S", told, re.MULTILINE)) == 4, told
    agreed = re.findall(r"^  recovery_target_(\w+), .*, promote, pause: agree$", told, re.MULTILINE)
    assert agreed == ["time", "lsn", "name"]
    agent_lines = [line for line in told.splitlines() if "the agent: " in line]
    assert any("pitr_up 1" in line for line in agent_lines)
    assert "pitr_up 0" in agent_lines[-1] and "missing 0" in agent_lines[-1]
    assert_nothing_runs(place)


@pytest.mark.pg("== 16")
def test_a_truth_that_differs_is_told_apart(
    pg: Installation, account: Account, short_directory: Path
) -> None:
    """The comparison can fail: a recorded stop that is wrong in one field is not agreed to."""
    need_part(pg, "pg_basebackup")
    need_part(pg, "pg_waldump")
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
        assert LabRestore(lab, by_name, narrator).run().holds

        def told_apart(case: LabCase, recorded: RecordedStop, action: str) -> RestoreResult:
            return LabRestore(lab, replace(case, recorded=recorded, action=action), narrator).run()

        wrong_xid = replace(by_time.recorded, xid=(by_time.recorded.xid or 0) + 1)
        outcome = told_apart(by_time, wrong_xid, "promote")
        assert not outcome.holds and not outcome.failed_proofs
        assert [text.split(":")[0] for text in outcome.disagreements] == ["xid"]
        outcome = LabRestore(
            lab, replace(by_name, predicted=wrong_xid, action="pause"), narrator
        ).run()
        assert not outcome.holds and not outcome.failed_proofs
        assert all("pitr-check predicted otherwise" in text for text in outcome.disagreements)
        unreachable = replace(by_lsn, value="7/0")
        outcome = LabRestore(lab, unreachable, narrator).run()
        assert outcome.failed_proofs == ("the server comes up",)
        assert outcome.reported.lines[-1] == (
            "recovery ended before configured recovery target was reached"
        )


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGINT, "initdb"),
        (signal.SIGTERM, "pg_basebackup"),
        (signal.SIGHUP, "pg_ctl start -D time-promote"),
    ],
)
def test_an_interruption_at_any_moment_stops_all_and_cleans_up(
    number: signal.Signals, moment: str, place: Path, start_lab: StartLab
) -> None:
    process = start_lab("--dir", str(place))
    assert process.stdout is not None
    for line in process.stdout:
        if moment in line:
            break
    process.send_signal(number)
    _, error = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, error) == (3, "pitr-lab: interrupted\n")
    assert_nothing_runs(place)


def test_a_kill_leaves_files_but_no_server(place: Path, start_lab: StartLab) -> None:
    process = start_lab("--dir", str(place))
    assert process.stdout is not None
    for line in process.stdout:
        if "pg_basebackup" in line:
            break
    assert servers_in(place)
    process.kill()
    process.communicate(timeout=PATIENCE_SECONDS)
    wait_until(lambda: not servers_in(place))
    for left in place.iterdir():
        shutil.rmtree(left)


@pytest.mark.slow
def test_kept_files_stay_and_the_last_part_names_the_same_transaction_twice(
    short_directory: Path,
) -> None:
    short_directory.chmod(0o777)
    kept = short_directory / "kept"
    result = run_lab("--keep", str(kept), "--major", "18")
    assert result.returncode == 0, result.stderr
    assert (kept / "backup_base" / "backup_manifest").exists()
    assert (kept / "restored" / "time-pause" / "data" / "PG_VERSION").read_text() == "18\n"
    assert servers_in(kept) == []
    logs = [*(kept / "restored").rglob("server.log")]
    assert logs  # whoever watched them left no line there, and none is shown as PostgreSQL's
    lines = [line for log in logs for line in log.read_text().splitlines()]
    stopped = "terminating connection due to administrator command"  # gone, but not yet noticed
    assert [line for line in lines if "FATAL" in line and stopped not in line] == []
    assert "FATAL" not in result.stdout and "does not exist" not in result.stdout
    recorded = re.search(
        r"recorded +before the COMMIT of (\d+); at (\S+); (\S+ \S+)$", result.stdout, re.MULTILINE
    )
    reported = re.search(
        r"stopping before commit of transaction (\d+), time (\S+ [^ ;]+); redo done at (\S+)$",
        result.stdout,
        re.MULTILINE,
    )
    assert recorded and reported
    assert (recorded[1], recorded[2]) == (reported[1], reported[3])
    assert datetime.fromisoformat(recorded[3]) == datetime.fromisoformat(reported[2])
    again = run_lab("--keep", str(kept))
    assert again.returncode == 64
    assert "is not empty: name a new directory" in again.stderr


@pytest.mark.pg("== 16")
def test_a_server_that_is_gone_ends_in_one_line_with_the_end_of_its_log(
    pg: Installation, account: Account, short_directory: Path
) -> None:
    def lose_the_primary() -> None:
        with open_laboratory(pg, account, under=short_directory) as lab:
            make_primary(lab, Narrator())
            lab.primary.stop("immediate")
            # Its last line comes when its pid file has gone: pg_ctl does not wait for that.
            wait_logged([lab.primary.log], "database system is shut down")
            lab.primary.sql("SELECT 1")

    with pytest.raises(LabFailed, match="connection") as failed:
        lose_the_primary()
    assert failed.value.log_tail[-1].endswith("LOG:  database system is shut down")


@pytest.mark.pg("== 16")
def test_a_directory_with_a_long_name_gets_its_sockets_elsewhere(
    pg: Installation, account: Account, short_directory: Path
) -> None:
    keep = short_directory / ("x" * 90)
    with open_laboratory(pg, account, keep=keep) as lab:
        make_primary(lab, Narrator())
        assert lab.primary.sql("SELECT 1") == [(1,)]
        sockets = lab.primary.sockets
        assert sockets.exists() and keep not in sockets.parents
    assert not sockets.exists()


def test_a_closed_pipe_is_no_verdict(place: Path, start_lab: StartLab) -> None:
    """`pitr-lab | head -1` must not exit with 1, which would say warning."""
    process = start_lab("--dir", str(place))
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    process.wait(PATIENCE_SECONDS)
    assert (process.returncode, process.stderr.read()) == (3, "")
    assert_nothing_runs(place)


@pytest.mark.slow
def test_serving_prints_addresses_that_answer_and_ends_well(
    place: Path, start_lab: StartLab
) -> None:
    process = start_lab("--serve", "--fault", "gap", "--dir", str(place))
    assert process.stdout is not None
    told = ""
    for line in process.stdout:
        told += line
        if "serving until Ctrl-C" in line:
            break
    assert re.search(r"broken: removed [0-9A-F]{24} from the middle of the archive", told)
    assert re.search(r"the agent: after .*findings: .*wal_gap", told)
    for what in ("metrics", "health", "page"):
        address = re.search(rf"^ +{what} +(http://\S+)$", told, re.MULTILINE)
        assert address
        with urllib.request.urlopen(address[1], timeout=PATIENCE_SECONDS) as answer:
            assert answer.status == 200
    process.send_signal(signal.SIGINT)
    rest, error = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, error) == (0, "")
    assert "stopping" in rest
    assert_nothing_runs(place)
