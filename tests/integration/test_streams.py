"""Standard streams that are closed or full, and machines that give no process and no memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fix_check import WITHOUT_ROOTS_EYES, Archived, pitr_check
from tests.fix_tools import PATIENCE_SECONDS

LOG = Path(__file__).parent.parent / "parsers" / "logs" / "no_target.log"
BIN = Path(sys.executable).parent
CLOSED = ["2>&-", ">&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"]


def run(command: str, *, prefix: tuple[str, ...] = (), **environment: str) -> tuple[int, str, str]:
    """What a shell sees of a command line: its status, stdout and stderr."""
    path = f"{BIN}:{os.environ['PATH']}"
    result = subprocess.run(
        [*prefix, "bash", "-c", command], capture_output=True, text=True, timeout=PATIENCE_SECONDS,
        env={**os.environ, "PATH": path, **environment},
    )  # fmt: skip
    for said in (result.stdout, result.stderr):
        assert "Traceback" not in said and "this is a bug" not in said, said
    return result.returncode, result.stdout, result.stderr


@pytest.mark.parametrize("closed", CLOSED)
def test_a_closed_stream_changes_no_verdict(
    archived: Archived, tmp_path: Path, closed: str
) -> None:
    named = f"--archive {archived.archive} --backup {archived.backup}"
    ledger = tmp_path / "ledger"
    for command, status in (
        (f"pitr-check {named} --ledger {ledger}", 0),
        (f"pitr-check {named} --ledger {ledger} --format json", 0),
        (f"pitr-check {named} --target-lsn FF/0", 2),
        (f"pitr-check find {named}", 0),
        (f"pitr-check retention {named}", 0),
        (f"pitr-check --archive {tmp_path}/nothing", 3),
        ("pitr-check --nonsense", 64),
        (f"pitr-watch --log {LOG} --once", 0),
        ("pitr-agent rules", 0),
        (f"pitr-agent fetch-wal 0000002A.history {tmp_path}/f --archive {archived.archive}", 1),
    ):
        assert run(f"{command} {closed}")[0] == status, command
    assert b"pitr-check" not in ledger.read_bytes()


def test_without_stderr_what_is_said_there_is_not_said_on_stdout(tmp_path: Path) -> None:
    assert run(f"pitr-check --archive {tmp_path}/nothing 2>&-") == (3, "", "")
    assert run("pitr-check --nonsense 2>&-") == (64, "", "")


@pytest.mark.parametrize("broken", ["2>&-", "2>/dev/full", "2>/dev/full >/dev/full"])
def test_fetch_wal_keeps_its_status_whatever_its_streams(
    archived: Archived, tmp_path: Path, broken: str
) -> None:
    segment, target = archived.segments[0].name, tmp_path / "segment"
    fetch = "pitr-agent fetch-wal"
    assert run(f"{fetch} {segment} {target} --archive {archived.archive} {broken}")[0] == 0
    assert target.read_bytes() == (archived.archive / segment).read_bytes()
    absent = f"{fetch} 0000002A.history {target} --archive {archived.archive} {broken}"
    assert run(absent)[0] == 1
    assert run(f"{fetch} {segment} {target} --archive {tmp_path}/nothing {broken}")[0] > 125


def test_a_closed_pipe_is_no_word_of_ours(archived: Archived) -> None:
    named = f"--archive {archived.archive} --backup {archived.backup}"
    closed = "exec 3> >(true); wait $!"  # nobody reads there any more
    status, _, said = run(f"{closed}; pitr-check {named} --format html >&3")
    assert (status, said) == (3, "")


def with_interpreter(program: Path, command: str) -> str:
    """The same command by a Python that takes `program` for itself, as its workers' program."""
    real, packages = Path(sys.executable).resolve(), os.pathsep.join(filter(None, sys.path))
    start = "import sys; from agent.cli.check import main; sys.exit(main())"
    return f"PYTHONPATH={packages} exec -a {program} {real} -c '{start}' {command}"


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (None, 0, "No such file or directory"),
        ("", 0o644, "Permission denied"),
        ("#!/bin/sh\nexit 7\n", 0o755, "ended with 7"),
        ("#!/bin/sh\necho 'lib.so: cannot open' >&2\nexit 127\n", 0o755, "lib.so: cannot open"),
    ],
)
@pytest.mark.parametrize("subcommand", ["", "find"])
def test_a_worker_that_cannot_start_is_named_with_its_reason(
    archived: Archived, tmp_path: Path, content: str | None, mode: int, why: str, subcommand: str
) -> None:
    program = tmp_path / "python"
    if content is not None:
        program.write_text(content)
        program.chmod(mode)
    named = f"--archive {archived.archive} --backup {archived.backup}"
    numpy = {"PITR_ENGINE": "numpy"}  # the compiled engine reads in threads
    status, out, said = run(with_interpreter(program, f"{subcommand} {named}"), **numpy)
    assert (status, out) == (3, "")
    lines = said.splitlines()
    assert f"cannot start the processes that read segments: {program}" in lines[0]
    assert why in lines[0]
    assert len(lines) == 1


@pytest.fixture
def on_disk() -> Iterator[Path]:
    """Not in the shared memory that is taken away."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        yield Path(directory)


@pytest.mark.needs("mount namespaces")
@pytest.mark.parametrize("options", ["", "--workers 1", "--format nagios"])
def test_shared_memory_that_may_not_be_written_is_named(
    pristine: Archived, on_disk: Path, options: str
) -> None:
    shutil.copytree(pristine.archive, on_disk / "archive")
    shutil.copytree(pristine.backup, on_disk / "backup")
    named = f"--archive {on_disk}/archive --backup {on_disk}/backup"
    alone = ("unshare", "-m")
    # The compiled engine reads in threads. Python's own files are not what is looked at.
    numpy = {"PITR_ENGINE": "numpy", "TMPDIR": "/tmp"}
    read_only = "mount -t tmpfs -o ro none /dev/shm &&"
    status, _, said = run(f"{read_only} pitr-check {named} {options}", prefix=alone, **numpy)
    assert (status, said.count("\n")) == (3, 1)
    assert "/dev/shm: Read-only file system (make it writable for this user)" in said
    assert run(f"{read_only} pitr-check {named} --depth names", prefix=alone)[0] == 0
    locked = "mount -t tmpfs -o mode=0555 none /dev/shm &&"
    blind = " ".join(WITHOUT_ROOTS_EYES)
    status, _, said = run(f"{locked} {blind} pitr-check {named} {options}", prefix=alone, **numpy)
    assert "/dev/shm: Permission denied" in said
    assert (status, said.count("\n")) == (3, 1)


@pytest.mark.parametrize(
    "environment",
    [
        {"HOME": ""}, {"TMPDIR": "/nowhere"}, {"LANG": "xx_YY.none", "LC_ALL": "xx_YY.none"},
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, {"TZ": "Nowhere/Land"}, {"TERM": "unknown"},
    ],
)  # fmt: skip
def test_an_odd_environment_changes_no_verdict(
    archived: Archived, environment: dict[str, str]
) -> None:
    named = f"--archive {archived.archive} --backup {archived.backup}"
    assert run(f"pitr-check {named}", **environment)[0] == 0
    assert run(f"pitr-check find {named}", **environment)[0] == 0
    assert run(f"pitr-watch --log {LOG} --once", **environment)[0] == 0


@pytest.mark.needs("mount namespaces")
def test_a_machine_without_proc_changes_no_verdict(archived: Archived) -> None:
    named = f"--archive {archived.archive} --backup {archived.backup}"
    without = "mount -t tmpfs none /proc &&"
    assert run(f"{without} pitr-check {named}", prefix=("unshare", "-m"))[0] == 0
    assert run(f"{without} pitr-watch --log {LOG} --once", prefix=("unshare", "-m"))[0] == 0


ZONES = ["Amrica/Lima", "Europe", "x" * 300, "A/../../etc/passwd", "Europe/Madrid/", "tzdata.zi"]


@pytest.mark.parametrize("zone", ZONES)
def test_a_misspelt_zone_is_named(archived: Archived, zone: str, tmp_path: Path) -> None:
    at = f"2025-01-01 00:00:00 {zone}"
    checked = archived.check("--target-time", at)
    assert (checked.status, checked.out) == (64, "")
    assert zone in checked.err and "bug" not in checked.err and checked.err.count("\n") == 1
    assert pitr_check("find", "--archive", archived.archive, "--from", at).status == 64
    status, out, said = run(f"pitr-watch --log {LOG} --once --log-timezone '{zone}'")
    assert (status, out, said.count("\n")) == (64, "", 1)
    config = tmp_path / "pitr.yaml"
    config.write_text(f"clusters: [{{name: c, log: {LOG}, log_timezone: '{zone}'}}]\n")
    assert run(f"pitr-agent check-config --config {config}")[0] == 64


def test_a_misspelt_zone_of_the_backup_is_not_asked(archived: Archived) -> None:
    with (archived.backup / "postgresql.auto.conf").open("a") as file:
        file.write("timezone = 'Amrica/Lima'\n")
    checked = archived.check("--backup-depth", "label", "--target-time", "2001-01-01 00:00:00")
    assert "read as UTC" in checked.json["target"]["reason"]


def test_without_an_archive_nothing_is_called_restorable(archived: Archived) -> None:
    """The backup carries its WAL or not: without an archive, nobody looked at any."""
    for _ in range(2):
        for options in ((), ("--depth", "names"), ("--target-xid", "9")):
            checked = pitr_check("--backup", archived.backup, "--format", "json", *options)
            assert checked.status == 3
            assert "archive_not_given" in checked.findings
            assert checked.json["restorable"] is None
            assert checked.json["target"]["outcome"] == "unknown"
        for form in ("text", "nagios", "prometheus", "html"):
            assert pitr_check("--backup", archived.backup, "--format", form).status == 3
        wal = archived.backup / "pg_wal"
        for segment in wal.glob("0*"):
            segment.unlink()
    (archived.backup / "PG_VERSION").unlink()  # a bad file is proof all the same
    assert pitr_check("--backup", archived.backup).status == 2
