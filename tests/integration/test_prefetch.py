"""fetch-wal that fetches ahead: the same WAL, in real restores too, and never a wrong file."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from agent.archive.spool import SPOOL_NAME
from tests.fix_check import Archived, open_to_the_server
from tests.fix_layouts import DATED, FetchWal, file_by_date, mix_codecs, promoted
from tests.fix_postgres import NewCluster
from tests.fix_tools import PATIENCE_SECONDS, need
from tests.waiting import wait_until

PROGRAM = Path(sys.executable).parent / "pitr-agent"
FIRST = 10  # number of the first segment that a restore of `archived` asks for


def name_of(number: int) -> str:
    return f"{1:08X}{0:08X}{number:08X}"


class Server:
    """What fetch-wal sees of a server in recovery: its data directory."""

    def __init__(self, archived: Archived, home: Path) -> None:
        self.archive = archived.archive
        self.data = home / "data"
        (self.data / "pg_wal").mkdir(parents=True)
        (self.data / "global").mkdir()
        shutil.copy(archived.backup / "global/pg_control", self.data / "global")
        (self.data / "recovery.signal").touch()
        self.spool = self.data / "pg_wal" / SPOOL_NAME

    def fetch(self, number: int, *options: str) -> bytes | int:
        """The content that it gets, or the exit status."""
        options = options or ("--prefetch", "3")
        target = self.data / "pg_wal" / "RECOVERYXLOG"
        command = [PROGRAM, "fetch-wal", "--archive", self.archive, *options, name_of(number)]
        status = subprocess.run(
            [*command, "pg_wal/RECOVERYXLOG"], cwd=self.data, stderr=subprocess.DEVNULL
        ).returncode
        if status:
            return status
        data = target.read_bytes()
        target.unlink()
        return data

    def say(self, number: int, *options: str) -> str:
        """What it says of a fetch that succeeds."""
        options = options or ("--prefetch", "3")
        command = [PROGRAM, "fetch-wal", "--archive", self.archive, *options, name_of(number)]
        result = subprocess.run(
            [*command, "pg_wal/RECOVERYXLOG"], cwd=self.data, capture_output=True, text=True
        )
        assert result.returncode == 0
        return result.stderr

    def archived(self, number: int) -> bytes:
        return (self.archive / name_of(number)).read_bytes()

    def ahead(self) -> list[str]:
        """The segments that lie ready."""
        if not self.spool.is_dir():
            return []
        return sorted(path.name for path in self.spool.iterdir() if len(path.name) == 24)

    def helpers(self) -> list[psutil.Process]:
        return [
            process
            for process in psutil.process_iter(["cmdline"])
            if str(self.data) in (process.info["cmdline"] or ())
        ]


@pytest.fixture
def server(archived: Archived, tmp_path: Path) -> Iterator[Server]:
    """At the end of recovery nothing is left."""
    server = Server(archived, tmp_path)
    yield server
    (server.data / "recovery.signal").unlink()
    wait_until(lambda: not server.spool.exists() and not server.helpers())


def test_the_next_segments_lie_ready(server: Server) -> None:
    assert server.fetch(FIRST) == server.archived(FIRST)
    wait_until(lambda: server.ahead() == [name_of(FIRST + step) for step in (1, 2, 3)])
    (helper,) = server.helpers()
    hidden = server.archive / name_of(FIRST + 1)
    for number in (FIRST + 1, FIRST + 2):
        assert server.fetch(number) == server.archived(number)
    wait_until(lambda: server.ahead() == [name_of(FIRST + step) for step in (3, 4)])
    assert server.helpers() == [helper], "one process serves them all"
    assert hidden.is_file()
    assert server.fetch(FIRST + 5) == 1, "the archive ends there"


def test_a_segment_that_changed_since_is_fetched_again(server: Server) -> None:
    server.fetch(FIRST)
    wait_until(lambda: name_of(FIRST + 1) in server.ahead())
    path = server.archive / name_of(FIRST + 1)
    data = bytearray(path.read_bytes())
    data[-1] ^= 0xFF
    path.write_bytes(data)
    assert server.fetch(FIRST + 1) == bytes(data)
    wait_until(lambda: name_of(FIRST + 2) in server.ahead())
    (server.archive / name_of(FIRST + 2)).unlink()
    assert server.fetch(FIRST + 2) == 1


def test_another_clusters_segment_in_the_spool_is_not_handed_over(server: Server) -> None:
    server.fetch(FIRST)
    wait_until(lambda: name_of(FIRST + 1) in server.ahead())
    fetched = server.spool / name_of(FIRST + 1)
    data = bytearray(fetched.read_bytes())
    data[24] ^= 0xFF
    fetched.write_bytes(data)
    assert server.fetch(FIRST + 1) == server.archived(FIRST + 1)


def test_a_damaged_segment_is_refused_as_without(server: Server, archived: Archived) -> None:
    path = server.archive / name_of(FIRST + 2)
    os.truncate(path, 1000)
    archived.age(path)
    server.fetch(FIRST)
    wait_until(lambda: name_of(FIRST + 3) in server.ahead())
    assert name_of(FIRST + 2) not in server.ahead()
    assert server.fetch(FIRST + 2) == 200


def test_the_process_may_be_killed_at_any_time(server: Server) -> None:
    for number in range(FIRST, FIRST + 5):
        assert server.fetch(number) == server.archived(number)
        for helper in server.helpers():
            helper.send_signal(signal.SIGKILL)
            helper.wait(PATIENCE_SECONDS)
    (server.spool / f"{name_of(FIRST + 1)}.begun").touch()  # it was fetching just then
    assert server.fetch(FIRST) == server.archived(FIRST)
    wait_until(lambda: len(server.ahead()) == 3)
    assert server.fetch(FIRST + 1) == server.archived(FIRST + 1)


@pytest.mark.parametrize(
    "options", [("--prefetch", "x"), ("--prefetch", "65"), ("--prefetch-directory", "/tmp")]
)
def test_wrong_options_abort(server: Server, options: tuple[str, ...]) -> None:
    assert server.fetch(FIRST, *options) == 200


def test_another_directory_is_apart_for_each_cluster(server: Server, tmp_path: Path) -> None:
    place = tmp_path / "spools"
    options = ("--prefetch", "2", "--prefetch-directory", str(place))
    assert server.fetch(FIRST, *options) == server.archived(FIRST)
    wait_until(lambda: len(list(place.glob("*/*[0-9A-F]"))) >= 2)
    assert server.fetch(FIRST + 1, *options) == server.archived(FIRST + 1)
    (spool,) = place.iterdir()
    (server.data / "recovery.signal").unlink()
    wait_until(lambda: not spool.exists())
    (server.data / "recovery.signal").touch()


def test_a_real_restore_from_a_compressed_archive(
    archived: Archived, new_cluster: NewCluster, fetch_wal: FetchWal
) -> None:
    file_by_date(archived.archive, DATED["YYYY/MM/wal/DD"])
    mix_codecs(archived.archive)
    open_to_the_server(archived)
    cluster = new_cluster(16, initdb=False)
    command = fetch_wal("--archive", archived.archive, "--prefetch", "4")
    cluster.restore_from(archived.backup, restore_command=command, fsync=False)
    with promoted(cluster):
        assert cluster.sql("SELECT count(*) FROM t") == [(6000,)]
        wait_until(lambda: not (cluster.data / "pg_wal" / SPOOL_NAME).exists())


def forged(server: Server, spool: Path, number: int) -> bytes:
    """A spool as fetch-wal would fill it, with another content of the same cluster."""
    archived = server.archive / name_of(number)
    data = bytearray(archived.read_bytes())
    data[-1] ^= 0xFF
    (spool / name_of(number)).write_bytes(data)
    status = archived.stat()
    source = f"{status.st_size} {status.st_mtime_ns} {archived}\n"
    digest = hashlib.blake2b(data, digest_size=32).hexdigest()
    (spool / f"{name_of(number)}.source").write_text(f"{digest}\n{source}")
    return bytes(data)


def test_what_lies_ready_is_compared_with_the_archive(server: Server) -> None:
    server.fetch(FIRST)
    wait_until(lambda: name_of(FIRST + 1) in server.ahead())
    assert forged(server, server.spool, FIRST + 1) != server.archived(FIRST + 1)
    assert server.fetch(FIRST + 1) == server.archived(FIRST + 1)


def test_what_was_fetched_out_of_a_compressed_file_is_what_was_read(server: Server) -> None:
    path = server.archive / name_of(FIRST + 1)
    plain = path.read_bytes()
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(plain, 1))
    path.unlink()
    server.fetch(FIRST)
    wait_until(lambda: name_of(FIRST + 1) in server.ahead())
    fetched = server.spool / name_of(FIRST + 1)
    fetched.write_bytes(plain[:-1] + b"!")
    assert server.fetch(FIRST + 1) == plain


def test_a_segment_of_an_archive_that_is_not_named_any_more_is_fetched_again(
    server: Server, tmp_path: Path
) -> None:
    server.fetch(FIRST)
    wait_until(lambda: name_of(FIRST + 1) in server.ahead())
    other = tmp_path / "other"
    other.mkdir()
    server.archive, before = other, server.archive
    assert server.fetch(FIRST + 1) == 1
    server.archive = before


@pytest.mark.parametrize("made", ["open", "link", "anothers"])
def test_a_spool_that_somebody_else_made_is_not_used(
    server: Server, tmp_path: Path, made: str
) -> None:
    if made == "anothers" and os.geteuid():
        need("root")  # nobody else makes what is another's
    prepared = tmp_path / "prepared" if made == "link" else server.spool
    prepared.mkdir(mode=0o700)
    if made == "link":
        server.spool.symlink_to(prepared)
    if made == "open":
        prepared.chmod(0o770)
    content = forged(server, prepared, FIRST + 1)
    if made == "anothers":
        os.chown(prepared, 1, -1)
    assert server.fetch(FIRST + 1) == server.archived(FIRST + 1)
    assert (prepared / name_of(FIRST + 1)).read_bytes() == content
    said = server.say(FIRST + 1)
    assert "nothing is taken from there; remove it" in said
    assert said.count("\n") == 1
    if made == "link":
        server.spool.unlink()
    shutil.rmtree(prepared)


def test_where_a_prefetch_directory_lies_cannot_be_foreseen(server: Server, tmp_path: Path) -> None:
    place = tmp_path / "spools"
    place.mkdir()
    place.chmod(0o1777)
    options = ("--prefetch", "2", "--prefetch-directory", str(place))
    seen = set()
    for _ in range(2):
        assert server.fetch(FIRST, *options) == server.archived(FIRST)
        wait_until(lambda: list(place.glob(f"*/{name_of(FIRST + 1)}")))
        (spool,) = place.iterdir()
        assert spool.stat().st_mode & 0o777 == 0o700
        assert spool.name not in seen
        seen.add(spool.name)
        (server.data / "recovery.signal").unlink()
        wait_until(lambda spool=spool: not spool.exists())
        wait_until(lambda: not list((server.data / "pg_wal").glob(".pitr-prefetch*")))
        (server.data / "recovery.signal").touch()


def test_a_prefetch_directory_that_others_can_rename_in_is_not_used(
    server: Server, tmp_path: Path
) -> None:
    place = tmp_path / "spools"
    place.mkdir()
    place.chmod(0o777)
    options = ("--prefetch", "2", "--prefetch-directory", str(place))
    assert server.fetch(FIRST, *options) == server.archived(FIRST)
    assert f"type  chmod go-w {place}" in server.say(FIRST, *options)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("kind", ["directory", "pipe"])
@pytest.mark.parametrize("where", ["archive", "spool", "source", "target"])
def test_a_directory_or_a_pipe_of_the_name_is_no_segment(
    server: Server, tmp_path: Path, where: str, kind: str
) -> None:
    name = name_of(FIRST + 1)
    server.spool.mkdir(mode=0o700)
    place = {
        "archive": server.archive / name,
        "spool": server.spool / name,
        "source": server.spool / f"{name}.source",
        "target": server.data / "pg_wal" / "RECOVERYXLOG",
    }[where]
    if where == "source":
        forged(server, server.spool, FIRST + 1)
    place.unlink(missing_ok=True)
    os.mkfifo(place) if kind == "pipe" else place.mkdir()
    if where in ("archive", "target"):
        said = server.fetch(FIRST + 1)
        assert isinstance(said, int)
        assert said > 125
        assert place.is_fifo() if kind == "pipe" else place.is_dir()
        shutil.rmtree(server.spool)  # nothing was fetched ahead that would take it away
    else:
        assert server.fetch(FIRST + 1) == server.archived(FIRST + 1)
    if place.exists():
        place.unlink() if kind == "pipe" else place.rmdir()


def test_only_a_regular_file_is_replaced(server: Server, tmp_path: Path) -> None:
    """As root, /dev/full would be gone."""
    kept = tmp_path / "kept"
    kept.write_bytes(b"kept")
    link = tmp_path / "link"
    link.symlink_to(kept)
    targets = [link]
    if not os.geteuid():
        device = tmp_path / "full"
        try:
            os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
        except PermissionError:
            pass  # in a container
        else:
            targets.append(device)
    for target in targets:
        before = target.lstat()
        command = [PROGRAM, "fetch-wal", "--archive", server.archive, name_of(FIRST), target]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 200
        assert "not a regular file: nothing is written there" in result.stderr
        assert target.lstat()[:3] == before[:3]
    assert kept.read_bytes() == b"kept"


def test_what_somebody_laid_beside_the_target_is_not_written_through(
    server: Server, tmp_path: Path
) -> None:
    kept, target = tmp_path / "kept", tmp_path / "segment"
    kept.write_bytes(b"kept")
    (tmp_path / "segment.fetching").symlink_to(kept)
    command = [PROGRAM, "fetch-wal", "--archive", server.archive, name_of(FIRST), target]
    assert subprocess.run(command).returncode == 0
    assert target.read_bytes() == server.archived(FIRST)
    assert kept.read_bytes() == b"kept"
    assert target.stat().st_mode & 0o777 == 0o600
