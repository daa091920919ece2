"""Archives in other layouts, made of a real server's, and fetch-wal as its account runs it."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import lz4.frame
import pytest

from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from tests.fix_check import EXEMPLARY, make_history
from tests.fix_place import new_place
from tests.fix_tools import PATIENCE_SECONDS, lack
from tests.waiting import reload, wait_until

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lambda data: lzma.compress(data, preset=0),
    ".lz4": lambda data: lz4.frame.compress(data, content_checksum=True),
    ".zst": lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
}
# The laboratory's two ways of filing WAL by date, and both at once.
DATED: dict[str, Callable[[int], str]] = {
    "YYYY-MM-DD": lambda day: f"wal/2025-07-{day:02}",
    "YYYY/MM/wal/DD": lambda day: f"2025/07/wal/{day:02}",
}


def compress_file(path: Path, suffix: str) -> Path:
    """Replace a file by its compressed self, of the same age."""
    status, stored = path.stat(), path.with_name(path.name + suffix)
    stored.write_bytes(COMPRESS[suffix](path.read_bytes()))
    os.utime(stored, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.unlink()
    return stored


def file_by_date(archive: Path, folder: Callable[[int], str], *, a_day: int = 2) -> None:
    """Move the files of a flat archive into dated folders, `a_day` of them into each."""
    for position, path in enumerate(sorted(path for path in archive.iterdir() if path.is_file())):
        directory = archive / folder(1 + position // a_day)
        directory.mkdir(parents=True, exist_ok=True)
        path.rename(directory / path.name)


def mix_codecs(archive: Path) -> None:
    """Compress the files below a directory, each with the next codec, every sixth with none."""
    suffixes = [*COMPRESS, ""]
    files = sorted(path for path in archive.rglob("*") if path.is_file())
    for position, path in enumerate(files):
        suffix = suffixes[position % len(suffixes)]
        if suffix:
            compress_file(path, suffix)


@contextlib.contextmanager
def growing(path: Path) -> Iterator[None]:
    """Its last change stays a moment ago, however long a busy machine takes to look at it."""
    over = threading.Event()

    def touch() -> None:
        while not over.wait(0.2):
            os.utime(path)

    os.utime(path)
    thread = threading.Thread(target=touch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def promoted(cluster: Cluster) -> Iterator[None]:
    """The server, from the end of its recovery on: it takes connections before.

    It says so a moment before it lets them write.
    """
    with cluster.running():
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not any("archive recovery complete" in line for line in cluster.log_lines()):
            log = "\n".join(cluster.log_lines(last=20))
            assert cluster.is_running() and time.monotonic() < deadline, log
            time.sleep(0.1)
        wait_until(lambda: cluster.sql("SELECT pg_is_in_recovery()") == [(False,)])
        yield


@dataclass(frozen=True)
class DeadPrimary:
    """What is left of a primary whose archiving broke before it died, and its backups."""

    archive: Path  # lacks the newest segments
    pg_wal: Path  # has them, and recycled ones under future names
    plain: Path  # a plain backup
    tar: Path  # an earlier one in tar format, with a tablespace
    tablespace: int  # its OID
    rows_archived: int  # in table t, by what the archive holds
    rows: int  # by all WAL that is left
    last_segment: str  # that the server wrote to


@pytest.fixture(scope="session")
def dead_primary(
    account: Account,
    installations: dict[int, Installation],
    tmp_path_factory: pytest.TempPathFactory,
) -> DeadPrimary:
    """Made once; tests change copies of its directories."""
    home = new_place()
    cluster = Cluster(installations[16], home / "c", account)
    cluster.initdb(segment_mib=1)
    archive = account.make_directory(cluster.home / "archive")
    cluster.configure(
        fsync=False, archive_mode="on", archive_timeout="1h",
        archive_command=EXEMPLARY.format(archive),
        min_wal_size="24MB", max_wal_size="24MB", autovacuum=False,
    )  # fmt: skip
    backups = account.make_directory(cluster.home / "backups")
    with cluster.running():
        space = account.make_directory(cluster.home / "space")
        cluster.sql(f"CREATE TABLESPACE space LOCATION '{space}'")  # type: ignore[arg-type]
        cluster.sql("CREATE TABLE elsewhere TABLESPACE space AS SELECT generate_series(1, 99) n")
        cluster.base_backup(backups / "tar", "-Ft")
        ((oid,),) = cluster.sql("SELECT oid FROM pg_tablespace WHERE spcname = 'space'")
        cluster.sql("DROP TABLE elsewhere")
        cluster.sql("DROP TABLESPACE space")  # before the plain backup: nothing replays it
        make_history(cluster, rounds=2)
        _fill(cluster, archive)
        ((rows_archived,),) = cluster.sql("SELECT count(*) FROM t")
        cluster.configure(archive_command="/bin/false")
        reload(cluster)  # what comes now is to lack
        cluster.sql("CHECKPOINT")
        for _ in range(2):
            cluster.sql("INSERT INTO t SELECT n, repeat('x', 500) FROM generate_series(1, 1500) n")
            cluster.sql("SELECT pg_switch_wal()")
        cluster.sql("INSERT INTO t VALUES (0)")
        ((rows, last),) = cluster.sql(
            "SELECT count(*), pg_walfile_name(pg_current_wal_lsn()) FROM t"
        )
        cluster.stop("immediate")
    kept = tmp_path_factory.mktemp("dead")
    for name, source in (
        ("archive", archive), ("pg_wal", cluster.data / "pg_wal"), ("plain", backups / "one"),
        ("tar", backups / "tar"),
    ):  # fmt: skip
        shutil.copytree(source, kept / name)
    shutil.rmtree(home, ignore_errors=True)
    return DeadPrimary(
        kept / "archive",
        kept / "pg_wal",
        kept / "plain",
        kept / "tar",
        oid,
        rows_archived,
        rows,
        last,
    )


def _fill(cluster: Cluster, archive: Path) -> None:
    """Write, have all of it archived, and have enough segments recycled."""
    for _ in range(6):
        cluster.sql("INSERT INTO t SELECT n, repeat('x', 500) FROM generate_series(1, 1500) n")
        cluster.sql("CHECKPOINT")
    for _ in range(_SPARE_SEGMENTS):  # one checkpoint finds them all behind it
        cluster.sql("SELECT pg_logical_emit_message(false, '', repeat('x', 500))")
        ((last,),) = cluster.sql("SELECT pg_walfile_name(pg_switch_wal())")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (archive / last).exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    cluster.sql("CHECKPOINT")
    while _count_recycled(cluster) < _SPARE_SEGMENTS:
        assert time.monotonic() < deadline, "archived segments are not recycled"
        time.sleep(0.1)
        cluster.sql("CHECKPOINT")  # the archiver says a little later what it has archived


def _count_recycled(cluster: Cluster) -> int:
    """Files of pg_wal that are named for WAL still to come."""
    ((count,),) = cluster.sql(
        "SELECT count(*) FROM pg_ls_waldir()"
        " WHERE length(name) = 24 AND name > pg_walfile_name(pg_current_wal_lsn())"
    )
    return int(count)


_SPARE_SEGMENTS = 12  # twice what the history after it uses up

FetchWal = Callable[..., str]
_PROGRAM = (
    "import sys; sys.argv[0] = 'pitr-agent'; from agent.cli.start import main; sys.exit(main())"
)


@pytest.fixture(scope="session")
def fetch_wal(account: Account) -> Iterator[FetchWal]:
    """`fetch_wal("--archive", x)`: a restore_command that the server's account can run.

    The environment may lie where that account cannot enter: then a copy of our packages and of
    the codecs serves, run by the system's interpreter.
    """
    program = Path(sys.executable).with_name("pitr-agent")
    if account.can_run(Path(sys.executable)):
        yield lambda *options: " ".join(map(str, (program, "fetch-wal", *options, "%f", "%p")))
        return
    python = Path("/usr/bin/python3")
    if not _is_same_python(python):
        version = ".".join(map(str, sys.version_info[:2]))
        remedy = f"a venv where {account.name} may read it, or of {python}'s version"
        lack(f"a Python {version} for {account.name}", remedy)
    home = new_place("pf-")
    for package in ("agent", "parsers", "rules", "lz4", "backports", "yaml", "obstore",
                    "asyncssh", "cryptography"):  # fmt: skip
        module = __import__(package)
        shutil.copytree(next(iter(module.__path__)), home / package)
    for module in ("typing_extensions", "_cffi_backend"):  # which obstore and cryptography need
        shutil.copy(str(__import__(module).__file__), home)
    subprocess.run(["chmod", "-R", "a+rX", str(home)], check=True)
    command = f'env PYTHONPATH={home} {python} -c "{_PROGRAM}" fetch-wal'
    yield lambda *options: " ".join(map(str, (command, *options, "%f", "%p")))
    shutil.rmtree(home, ignore_errors=True)


def _is_same_python(python: Path) -> bool:
    code = "import sys; print(*sys.version_info[:2])"
    try:
        said = subprocess.run([python, "-c", code], capture_output=True, text=True).stdout
    except OSError:
        return False
    return said.split() == [str(number) for number in sys.version_info[:2]]
