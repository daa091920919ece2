"""Restores that really run with `pitr-agent fetch-wal` as their restore_command."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.archive.fetch import FileRefused, fetch
from agent.postgres.account import Account
from agent.postgres.cluster import Cluster, ServerFailed
from agent.postgres.installation import Installation
from tests.fix_check import MIB, Archived, make_history, pitr_check
from tests.fix_layouts import (
    COMPRESS,
    DATED,
    FetchWal,
    compress_file,
    file_by_date,
    growing,
    mix_codecs,
    promoted,
)
from tests.fix_place import new_place
from tests.fix_postgres import NewCluster, need_part
from tests.fix_tools import PATIENCE_SECONDS

ABORT = 200


@dataclass(frozen=True)
class Made:
    """A backup, and the archive of what followed: rounds of 1500 rows, a restore point after 2."""

    backup: Path
    archive: Path


@pytest.fixture(scope="module")
def made(
    account: Account,
    installations: dict[int, Installation],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[int, Made]:
    """One history a major, made when it is first asked for."""

    class Library(dict[int, Made]):
        def __missing__(self, major: int) -> Made:
            home = tmp_path_factory.mktemp(f"made{major}")
            self[major] = _make(installations[major], account, home)
            return self[major]

    return Library()


def _make(pg: Installation, account: Account, keep: Path) -> Made:
    home = new_place()
    cluster = Cluster(pg, home / "c", account)
    cluster.initdb(segment_mib=1)
    archive = account.make_directory(cluster.home / "archive")
    cluster.configure(fsync=False, archive_mode="on", archive_command=f"cp %p {archive}/%f")
    with cluster.running():
        make_history(cluster, rounds=2)
        cluster.sql("SELECT pg_create_restore_point('two rounds')")
        cluster.sql("INSERT INTO t SELECT n, repeat('x', 500) FROM generate_series(1, 1500) n")
        cluster.stop()
    shutil.copytree(archive, keep / "archive")
    shutil.copytree(cluster.home / "backups" / "one", keep / "backup")
    shutil.rmtree(home, ignore_errors=True)
    return Made(keep / "backup", keep / "archive")


def filed(made: Made, directory: Path, folder: str, account: Account) -> Path:
    """A copy of the archive, by date, each file in another codec, readable for the server."""
    archive = directory / "filed"
    shutil.copytree(made.archive, archive)
    file_by_date(archive, DATED[folder])
    mix_codecs(archive)
    for path in (archive, *archive.rglob("*")):
        account.own(path)
    return archive


@pytest.mark.pg(">= 16, <= 18")
@pytest.mark.parametrize("folder", DATED)
def test_restores_from_dated_folders_in_every_codec(
    pg: Installation,
    made: dict[int, Made],
    new_cluster: NewCluster,
    fetch_wal: FetchWal,
    folder: str,
    short_directory: Path,
    account: Account,
) -> None:
    need_part(pg, "pg_basebackup")
    archive = filed(made[pg.major], short_directory, folder, account)
    command = fetch_wal("--archive", archive)
    restored = new_cluster(pg, initdb=False)
    # Its own timeline goes into the same archive, as gzip stores it: no suffix tells.
    new_day = account.make_directory(archive / "2025-08-01")
    restored.restore_from(
        made[pg.major].backup, restore_command=command, recovery_target_name="two rounds",
        recovery_target_action="promote", archive_mode="on",
        archive_command=f"gzip < %p > {new_day}/%f",
    )  # fmt: skip
    with promoted(restored):
        assert restored.sql("SELECT count(*) FROM t") == [(3000,)]
        restored.sql("INSERT INTO t VALUES (0)")
        restored.stop()
    assert (new_day / "00000002.history").read_bytes().startswith(b"\x1f\x8b")
    assert not list(restored.data.rglob("*.fetching"))

    latest = new_cluster(pg, initdb=False)
    latest.restore_from(made[pg.major].backup, restore_command=command)
    with promoted(latest):
        assert latest.sql("SELECT count(*) FROM t") == [(3001,)], "timeline 2, to its end"
        assert latest.sql("SELECT timeline_id FROM pg_control_checkpoint()") >= [(2,)]


@pytest.mark.pg(">= 16, < 17")
def test_recovery_stops_with_a_fatal_where_cp_would_have_promoted_short(
    pg: Installation,
    made: dict[int, Made],
    new_cluster: NewCluster,
    fetch_wal: FetchWal,
    short_directory: Path,
    account: Account,
) -> None:
    archive = filed(made[16], short_directory, "YYYY-MM-DD", account)
    victim = sorted(path for path in archive.rglob("*.*") if path.name[:24].isalnum())[-2]
    os.truncate(victim, victim.stat().st_size // 2)
    an_hour_ago = time.time() - 3600
    os.utime(victim, (an_hour_ago, an_hour_ago))
    restored = new_cluster(pg, initdb=False)
    restored.restore_from(made[16].backup, restore_command=fetch_wal("--archive", archive))
    with contextlib.suppress(ServerFailed):
        restored.start()  # it takes connections before it comes to the damage
    deadline = time.monotonic() + PATIENCE_SECONDS
    while restored.is_running() and time.monotonic() < deadline:
        time.sleep(0.2)
    log = "\n".join(restored.log_lines())
    assert f"{victim}: " in log, "our line is in the server's log"
    assert f"child process exited with exit code {ABORT}" in log
    assert "archive recovery complete" not in log


@pytest.mark.pg(">= 16, <= 18")
def test_the_block_to_paste_restores_from_a_dated_and_compressed_archive(
    pg: Installation,
    made: dict[int, Made],
    new_cluster: NewCluster,
    fetch_wal: FetchWal,
    short_directory: Path,
    account: Account,
) -> None:
    need_part(pg, "pg_basebackup")
    archive = filed(made[pg.major], short_directory, "YYYY/MM/wal/DD", account)
    named = ("--archive", archive, "--backup", made[pg.major].backup)
    target = pitr_check(*named, "--target-name", "two rounds", "--format", "json").json["target"]
    first, *others = target["settings"].splitlines()
    assert f"pitr-agent fetch-wal --archive {archive} %f %p'" in first
    restored = new_cluster(pg, initdb=False)
    restored.restore_from(made[pg.major].backup)
    with (restored.data / "postgresql.auto.conf").open("a") as file:
        file.write("\n".join([*others, ""]))
    # The same command, as the server's account can run it here.
    restored.configure(restore_command=fetch_wal("--archive", archive))
    with promoted(restored):
        assert restored.sql("SELECT count(*) FROM t") == [(3000,)]
        log = "\n".join(restored.log_lines())
    assert f"redo done at {target['stop']['lsn']} " in log
    assert f"selected new timeline ID: {target['new_timeline']}" in log


# -- the same without a server -------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path, archived: Archived) -> Path:
    """A data directory as far as fetch-wal looks at it: its own control file, an empty pg_wal."""
    (tmp_path / "data" / "pg_wal").mkdir(parents=True)
    (tmp_path / "data" / "global").mkdir()
    shutil.copy(archived.backup / "global" / "pg_control", tmp_path / "data" / "global")
    return tmp_path / "data"


def run(data: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The command as PostgreSQL runs it: in the data directory."""
    program = Path(sys.executable).with_name("pitr-agent")
    command = [str(program), "fetch-wal", *map(str, arguments)]
    return subprocess.run(
        command, cwd=data, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )


TARGET = "pg_wal/RECOVERYXLOG"


def test_the_command_writes_the_file_or_says_that_there_is_none(
    archived: Archived, data: Path
) -> None:
    segment = archived.segments[-1]
    content = segment.read_bytes()
    compress_file(segment, ".zst")
    fetched = run(data, "--archive", archived.archive, segment.name, TARGET)
    assert (fetched.returncode, fetched.stdout, fetched.stderr) == (0, "", "")
    assert (data / TARGET).read_bytes() == content
    assert (data / TARGET).stat().st_mode & 0o777 == 0o600
    for name in ("0000000100000000000000FF", "00000002.history"):
        assert run(data, f"--archive={archived.archive}", name, TARGET).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--archive", "/nowhere", "%f", "x"], "/nowhere: there is no such directory"),
        (["--archive", "/tmp", "base.tar", "x"], "'base.tar' is not the name of a WAL"),
        (["%f", "x"], "which archive? --archive URL"),
        (["--archive", "/tmp", "%f"], "expected %f and %p, found 1 words"),
        (["--archiv", "/tmp", "%f", "x"], "unrecognized option --archiv"),
        (["%f", "x", "--archive"], "--archive needs a value"),
        (["--config", "/nowhere.yaml", "%f", "x"], "/nowhere.yaml: cannot be read"),
    ],
)
def test_whatever_else_is_wrong_aborts_recovery(
    data: Path, arguments: list[str], expected: str
) -> None:
    words = [word.replace("%f", "000000010000000000000001") for word in arguments]
    ended = run(data, *words)
    assert (ended.returncode, ended.stdout) == (ABORT, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("pitr-agent fetch-wal: ") and expected in line


def test_the_configuration_names_the_archives(archived: Archived, data: Path) -> None:
    config = data / "pitr.yaml"
    clusters = f"clusters: [{{name: a, archives: [{{url: {archived.archive}}}]}}, {{name: b}}]\n"
    config.write_text(clusters)
    name = archived.segments[0].name
    options = ("--config", config, "--cluster")
    assert run(data, *options, "a", name, TARGET).returncode == 0
    assert "cluster b has no archives" in run(data, *options, "b", name, TARGET).stderr
    assert "one of a, b" in run(data, "--config", config, name, TARGET).stderr
    config.write_text("clusters: [")
    assert run(data, *options, "a", name, TARGET).returncode == ABORT


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _flip_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def _double(path: Path) -> None:
    path.write_bytes(COMPRESS[path.suffix](bytes(64 * MIB)))


def _foreign(path: Path) -> None:
    data = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into("<Q", data, 24, 42)
    path.write_bytes(gzip.compress(data))


def _renamed(path: Path) -> None:
    data = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into("<Q", data, 8, 0)
    path.write_bytes(gzip.compress(data))


@pytest.mark.parametrize(
    ("breaking", "complaint"),
    [
        (_cut, "cut short"),
        (_flip_middle, "gzip: |decompresses to more than"),  # by what the byte was
        (_double, "unknown WAL page magic 0000"),
        (_foreign, "another cluster's: system identifier 42"),
        (_renamed, "another segment's content"),
    ],
)
def test_what_is_wrong_is_never_handed_over(
    archived: Archived,
    data: Path,
    breaking,  # type: ignore[no-untyped-def]
    complaint: str,
) -> None:
    name = archived.segments[-2].name
    stored = compress_file(archived.segments[-2], ".gz")
    breaking(stored)
    archived.age(stored)
    target = str(data / TARGET)
    with pytest.raises(FileRefused, match=complaint):
        fetch(name, target, [str(archived.archive)])
    assert not list((data / "pg_wal").iterdir())


def test_a_good_copy_is_preferred_and_good_copies_that_differ_are_refused(
    archived: Archived, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segment = archived.segments[-2]
    content = segment.read_bytes()
    other = archived.archive / "2025-07-01" / segment.name
    other.parent.mkdir()
    target = str(data / TARGET)
    other.write_bytes(content[: MIB // 2])
    archived.age(other)
    assert fetch(segment.name, target, [str(archived.archive)])
    assert (data / TARGET).read_bytes() == content
    assert f"{other} was passed over: {MIB // 2} bytes" in capsys.readouterr().err
    other.write_bytes(content[:100_000] + b"\xff" + content[100_001:])
    assert fetch(segment.name, target, [str(archived.archive)]), "only one has sound records"
    assert (data / TARGET).read_bytes() == content
    other.write_bytes(content[:-1] + b"\xff")
    with pytest.raises(FileRefused, match="copies that contradict each other"):
        fetch(segment.name, target, [str(archived.archive)])


def test_a_file_that_still_grows_is_waited_for_and_a_standby_asks_again(
    archived: Archived, data: Path
) -> None:
    segment = archived.segments[-1]
    content = segment.read_bytes()
    segment.write_bytes(content[:5000])
    (data / "standby.signal").touch()
    command = ("--archive", archived.archive, segment.name, TARGET)
    program = Path(sys.executable).with_name("pitr-agent")
    with growing(segment):
        assert run(data, *command).returncode == 1
        (data / "standby.signal").unlink()
        waiting = subprocess.Popen([str(program), "fetch-wal", *map(str, command)], cwd=data)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1)
        segment.write_bytes(content)
    assert waiting.wait(timeout=PATIENCE_SECONDS) == 0
    assert (data / TARGET).read_bytes() == content


def test_links_loops_and_data_directories_below_an_archive(archived: Archived, data: Path) -> None:
    name = archived.segments[0].name
    (archived.archive / "loop").symlink_to(archived.archive)
    (archived.archive / "self").symlink_to("self")
    (archived.archive / "nested").mkdir()
    (archived.archive / "nested" / "again").symlink_to(archived.archive)
    shutil.copytree(archived.backup, archived.archive / "base")
    assert fetch(name, str(data / TARGET), [str(archived.archive)])
    for own in (archived.archive / "base" / "pg_wal").glob("0*"):
        (archived.archive / own.name).unlink()
        assert not fetch(own.name, str(data / TARGET), [str(archived.archive)])
