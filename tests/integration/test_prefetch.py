"""fetch-wal that fetches ahead: the same WAL, in real restores too, and never a wrong file."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from agent.archive.spool import SPOOL_NAME
from tests.fix_check import Archived, open_to_the_server
from tests.fix_layouts import DATED, FetchWal, file_by_date, mix_codecs, promoted
from tests.fix_postgres import NewCluster

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
            if str(self.spool) in (process.info["cmdline"] or ())
        ]


@pytest.fixture
def server(archived: Archived, tmp_path: Path) -> Iterator[Server]:
    """At the end of recovery nothing is left."""
    server = Server(archived, tmp_path)
    yield server
    (server.data / "recovery.signal").unlink()
    wait_for(lambda: not server.spool.exists() and not server.helpers())


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_next_segments_lie_ready(server: Server) -> None:
    assert server.fetch(FIRST) == server.archived(FIRST)
    wait_for(lambda: server.ahead() == [name_of(FIRST + step) for step in (1, 2, 3)])
    (helper,) = server.helpers()
    hidden = server.archive / name_of(FIRST + 1)
    for number in (FIRST + 1, FIRST + 2):
        assert server.fetch(number) == server.archived(number)
    wait_for(lambda: server.ahead() == [name_of(FIRST + step) for step in (3, 4)])
    assert server.helpers() == [helper], "one process serves them all"
    assert hidden.is_file()
    assert server.fetch(FIRST + 5) == 1, "the archive ends there"


def test_a_segment_that_changed_since_is_fetched_again(server: Server) -> None:
    server.fetch(FIRST)
    wait_for(lambda: name_of(FIRST + 1) in server.ahead())
    path = server.archive / name_of(FIRST + 1)
    data = bytearray(path.read_bytes())
    data[-1] ^= 0xFF
    path.write_bytes(data)
    assert server.fetch(FIRST + 1) == bytes(data)
    wait_for(lambda: name_of(FIRST + 2) in server.ahead())
    (server.archive / name_of(FIRST + 2)).unlink()
    assert server.fetch(FIRST + 2) == 1


def test_another_clusters_segment_in_the_spool_is_not_handed_over(server: Server) -> None:
    server.fetch(FIRST)
    wait_for(lambda: name_of(FIRST + 1) in server.ahead())
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
    wait_for(lambda: name_of(FIRST + 3) in server.ahead())
    assert name_of(FIRST + 2) not in server.ahead()
    assert server.fetch(FIRST + 2) == 200


def test_the_process_may_be_killed_at_any_time(server: Server) -> None:
    for number in range(FIRST, FIRST + 5):
        assert server.fetch(number) == server.archived(number)
        for helper in server.helpers():
            helper.send_signal(signal.SIGKILL)
            helper.wait(10)
    (server.spool / f"{name_of(FIRST + 1)}.begun").touch()  # it was fetching just then
    assert server.fetch(FIRST) == server.archived(FIRST)
    wait_for(lambda: len(server.ahead()) == 3)
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
    wait_for(lambda: len(list(place.glob("*/*[0-9A-F]"))) >= 2)
    assert server.fetch(FIRST + 1, *options) == server.archived(FIRST + 1)
    (spool,) = place.iterdir()
    (server.data / "recovery.signal").unlink()
    wait_for(lambda: not spool.exists())
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
        wait_for(lambda: not (cluster.data / "pg_wal" / SPOOL_NAME).exists())
