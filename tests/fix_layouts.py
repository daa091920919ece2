"""Archives in other layouts, made of a real server's, and fetch-wal as its account runs it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import lz4.frame
import pytest

from agent.postgres.account import Account
from tests.fix_postgres import IN_CI

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
        reason = f"the account {account.name} can run no Python {sys.version_info[:2]}"
        pytest.fail(reason) if IN_CI else pytest.skip(reason)
    home = Path(tempfile.mkdtemp(prefix="pf-", dir="/tmp"))
    home.chmod(0o755)
    for package in ("agent", "parsers", "rules", "lz4", "backports", "yaml"):
        module = __import__(package)
        shutil.copytree(next(iter(module.__path__)), home / package)
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
