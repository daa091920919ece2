"""Segments fetched ahead: while the server replays one, a process beside it fetches the next.

`fetch-wal --prefetch N` hands over what lies in the spool directory, tells there what was asked
for, and starts the process if none is there. That fetches the N segments behind the last one asked
for, several at a time, and goes away with all that it has fetched when recovery has ended or nobody
has asked for a while.

A segment is handed over only whole (it gets its name by a rename), only to the cluster whose it is
and only while the archive's file is the one that was read: else it is fetched again. So nothing
depends on the spool: without it, or with a broken one, fetch-wal does what it does without.

    <spool>/asked          the last segment asked for, and its size
    <spool>/lock           held with flock() while the process lives
    <spool>/SEGMENT        fetched; SEGMENT.source tells from which files, SEGMENT.begun that it is
                           being fetched
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import sys
import time
from collections.abc import Sequence
from typing import Final

from agent.archive.fetch import Refused, data_directory_of, fetch
from parsers.segment import NameKind, parse_segment_name, parse_wal_name, segment_name

SPOOL_NAME: Final = ".pitr-prefetch"  # in pg_wal: the server looks at segments and histories alone
_THREADS: Final = 4
_LOOK_SECONDS: Final = 0.01
_IDLE_SECONDS: Final = 60.0
_WAIT_SECONDS: Final = 60.0  # for a segment that is being fetched
_SOURCE, _BEGUN = ".source", ".begun"
_IDENTIFIER_OFFSET: Final = 24  # xlp_sysid in the long header of a segment's first page


def spool_of(target: str, directory: str | None) -> str:
    """The spool directory of the cluster whose %p `target` is: in its pg_wal, or in `directory`."""
    if directory is None:
        return os.path.join(os.path.dirname(os.path.abspath(target)), SPOOL_NAME)  # noqa: PTH100, PTH118, PTH120
    import hashlib

    data = os.path.realpath(data_directory_of(target))
    return f"{os.path.abspath(directory)}/{hashlib.sha256(data.encode()).hexdigest()[:16]}"  # noqa: PTH100


# -- what fetch-wal does --------------------------------------------------------------------------


def fetch_ahead(
    name: str, target: str, roots: Sequence[str], *, count: int, directory: str | None
) -> bool:
    """As `agent.archive.fetch.fetch`, from the spool if it is there; see to what follows."""
    parsed = parse_wal_name(name)
    if parsed is None or parsed.kind is not NameKind.SEGMENT or not count:
        return fetch(name, target, roots)
    spool = spool_of(target, directory)
    found = _take(spool, name, target) or fetch(name, target, roots)
    if found:
        with contextlib.suppress(OSError):  # fetching ahead is no condition for a restore
            _ask_for_more(spool, name, target, roots, count)
    return found


def _take(spool: str, name: str, target: str) -> bool:
    """Move a segment from the spool to where the server wants it."""
    fetched = f"{spool}/{name}"
    deadline = time.monotonic() + _WAIT_SECONDS
    while os.path.exists(fetched + _BEGUN) and _is_served(spool) and time.monotonic() < deadline:  # noqa: PTH110
        time.sleep(_LOOK_SECONDS)
    try:
        if not _is_fresh(fetched) or not _is_of(fetched, data_directory_of(target)):
            return False
        os.replace(fetched, target)  # noqa: PTH105
    except OSError:  # another file system, or the process went away meanwhile
        return False
    return True


def _is_fresh(fetched: str) -> bool:
    """Tell whether the archive's files are those that were read."""
    with open(fetched + _SOURCE, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
        told = file.read()
    paths = [line.split(" ", 2)[2] for line in told.splitlines()]
    return bool(paths) and told == _describe(paths)


def _describe(paths: Sequence[str]) -> str:
    """Size, time and path of each source, one a line; of a tar's member, the tar's."""
    lines = []
    for path in paths:
        file = path if os.path.exists(path) else os.path.dirname(path)  # noqa: PTH110, PTH120
        status = os.stat(file)  # noqa: PTH116
        lines.append(f"{status.st_size} {status.st_mtime_ns} {path}\n")
    return "".join(lines)


def _is_of(fetched: str, data_directory: str) -> bool:
    """Tell whether a segment is of the cluster that is being recovered."""
    with open(f"{data_directory}/global/pg_control", "rb") as control:  # noqa: PTH123
        (wanted,) = struct.unpack("<Q", control.read(8))
    with open(fetched, "rb") as segment:  # noqa: PTH123
        head = segment.read(_IDENTIFIER_OFFSET + 8)
    return struct.unpack_from("<Q", head, _IDENTIFIER_OFFSET) == (wanted,)


def _ask_for_more(spool: str, name: str, target: str, roots: Sequence[str], count: int) -> None:
    os.makedirs(spool, mode=0o700, exist_ok=True)  # noqa: PTH103
    size = os.stat(target).st_size  # noqa: PTH116
    with open(f"{spool}/asked.new", "w") as file:  # noqa: PTH123
        file.write(f"{name} {size}\n")
    os.replace(f"{spool}/asked.new", f"{spool}/asked")  # noqa: PTH105
    if not _is_served(spool):
        _start(spool, data_directory_of(target), roots, count)


def _is_served(spool: str) -> bool:
    """Tell whether the process is there: it holds the lock."""
    lock = _lock(spool)
    if lock is not None:
        os.close(lock)
    return lock is None


def _lock(spool: str) -> int | None:
    """The lock, None when somebody has it. Raises OSError without a spool."""
    lock = os.open(f"{spool}/lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _start(spool: str, data_directory: str, roots: Sequence[str], count: int) -> None:
    """Start the process, apart from the server: what ends a restore_command must not end it."""
    import subprocess

    paths = [os.path.abspath(root) for root in roots]  # noqa: PTH100
    subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, spool, data_directory, str(count), *paths],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )


# -- the process beside the server ----------------------------------------------------------------


class Spool:
    """The process's own view: what was asked for, what it has fetched."""

    def __init__(self, path: str, data_directory: str, roots: Sequence[str]) -> None:
        self._path = path
        self._data_directory = data_directory
        self._roots = roots

    def asked(self) -> tuple[str, int] | None:
        """The last segment asked for, and its size in bytes."""
        try:
            with open(f"{self._path}/asked") as file:  # noqa: PTH123
                name, size = file.read().split()
            return name, int(size)
        except (OSError, ValueError):
            return None

    def keep_only(self, wanted: Sequence[str]) -> None:
        """Remove the segments that nobody will ask for any more."""
        for name in os.listdir(self._path):  # noqa: PTH208
            segment = name.partition(".")[0]
            if len(segment) == 24 and segment not in wanted:
                self._remove(name)

    def fetch(self, name: str) -> bool:
        """Fetch one segment, unless it is there; False when no archive has it, or it is no good.

        What is wrong with it is for fetch-wal to say, when the server asks for it.
        """
        target = f"{self._path}/{name}"
        if os.path.exists(target):  # noqa: PTH110
            return True
        sources: list[str] = []
        with open(target + _BEGUN, "w"):  # noqa: PTH123
            pass
        try:
            whole = f"{target}.whole"
            found = fetch(
                name, whole, self._roots, data_directory=self._data_directory,
                complain=lambda _: None, sources=sources,
            )  # fmt: skip
            if found:
                with open(target + _SOURCE, "w", errors="surrogateescape") as file:  # noqa: PTH123
                    file.write(_describe(sources))
                os.replace(whole, target)  # noqa: PTH105
            return found
        except (Refused, OSError):
            return False
        finally:
            self._remove(name + _BEGUN)

    def is_recovering(self) -> bool:
        """Tell whether the server still wants WAL: it removes the signal when it has ended."""
        return any(
            os.path.exists(f"{self._data_directory}/{signal}.signal")  # noqa: PTH110
            for signal in ("recovery", "standby")
        )

    def clear(self) -> None:
        """Remove the spool with all that is in it."""
        for name in os.listdir(self._path):  # noqa: PTH208
            self._remove(name)
        with contextlib.suppress(OSError):
            os.rmdir(self._path)  # noqa: PTH106

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(f"{self._path}/{name}")  # noqa: PTH108


def following(name: str, size: int, count: int) -> list[str]:
    """The names of the segments behind one of this size.

    >>> following("0000000100000000000000FF", 1 << 24, 2)
    ['000000010000000100000000', '000000010000000100000001']
    """
    timeline, number = parse_segment_name(name, size)
    return [segment_name(timeline, number + step, size) for step in range(1, count + 1)]


def serve(spool: Spool, count: int) -> None:
    """Fetch ahead until recovery has ended, or nobody asks any more."""
    from concurrent.futures import Future, ThreadPoolExecutor

    asked: tuple[str, int] | None = None
    asked_at = time.monotonic()
    under_way: dict[str, Future[bool]] = {}
    with ThreadPoolExecutor(min(count, _THREADS)) as pool:
        while spool.is_recovering() and time.monotonic() - asked_at < _IDLE_SECONDS:
            now_asked = spool.asked()
            if now_asked is not None and now_asked != asked:
                asked, asked_at = now_asked, time.monotonic()
                wanted = following(*asked, count)
                spool.keep_only(wanted)
                # One that was not there may be by now.
                under_way = {
                    name: task for name, task in under_way.items()
                    if name in wanted and not (task.done() and not task.result())
                }  # fmt: skip
                for name in wanted:
                    if name not in under_way:
                        under_way[name] = pool.submit(spool.fetch, name)
            time.sleep(_LOOK_SECONDS)


def main(argv: Sequence[str]) -> int:
    """SPOOL DATA_DIRECTORY COUNT ROOT..."""
    path, data_directory, count, *roots = argv
    lock = _lock(path)
    if lock is None:
        return 0
    spool = Spool(path, data_directory, roots)
    try:
        spool.keep_only(())  # what one before left when it was killed
        serve(spool, int(count))
    finally:
        spool.clear()
        os.close(lock)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
