"""What `fetch-wal --prefetch` does with the spool: take a segment from it, and ask for more.

See `agent.archive.prefetch` for what lies there. This runs once a segment, so it imports nothing
that the interpreter has not loaded by itself: that would cost more than all it does.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

SPOOL_NAME = ".pitr-prefetch"  # in pg_wal: the server looks at segments and histories alone
SOURCE, BEGUN = ".source", ".begun"
LOOK_SECONDS = 0.01
_WAIT_SECONDS = 60.0  # for a segment that is being fetched
_IDENTIFIER_OFFSET = 24  # xlp_sysid in the long header of a segment's first page
_DIGITS = frozenset("0123456789ABCDEF")


def data_directory_of(target: str) -> str:
    """The data directory in whose pg_wal a file is asked for (%p)."""
    return os.path.dirname(os.path.dirname(os.path.abspath(target)))  # noqa: PTH100, PTH120


def spool_of(target: str, directory: str | None) -> str:
    """The spool directory of the cluster whose %p `target` is: in its pg_wal, or in `directory`."""
    if directory is None:
        return os.path.join(os.path.dirname(os.path.abspath(target)), SPOOL_NAME)  # noqa: PTH100, PTH118, PTH120
    import hashlib

    data = os.path.realpath(data_directory_of(target))
    return f"{os.path.abspath(directory)}/{hashlib.sha256(data.encode()).hexdigest()[:16]}"  # noqa: PTH100


def is_segment(name: str) -> bool:
    return len(name) == 24 and _DIGITS.issuperset(name)


# -- taking ---------------------------------------------------------------------------------------


def take(spool: str, name: str, target: str) -> bool:
    """Move a segment from the spool to where the server wants it; False: it has to be fetched."""
    fetched = f"{spool}/{name}"
    deadline = time.monotonic() + _WAIT_SECONDS
    while os.path.exists(fetched + BEGUN) and is_served(spool) and time.monotonic() < deadline:  # noqa: PTH110
        time.sleep(LOOK_SECONDS)
    try:
        if not _is_fresh(fetched) or not _is_of(fetched, data_directory_of(target)):
            return False
        os.replace(fetched, target)  # noqa: PTH105
    except OSError:  # another file system, or the process went away meanwhile
        return False
    return True


def _is_fresh(fetched: str) -> bool:
    """Tell whether the archive's files are those that were read."""
    with open(fetched + SOURCE, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
        told = file.read()
    paths = [line.split(" ", 2)[2] for line in told.splitlines()]
    return bool(paths) and told == describe(paths)


def describe(paths: Sequence[str]) -> str:
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
        wanted = control.read(8)
    with open(fetched, "rb") as segment:  # noqa: PTH123
        head = segment.read(_IDENTIFIER_OFFSET + 8)
    return len(wanted) == 8 and head[_IDENTIFIER_OFFSET:] == wanted


# -- asking for more ------------------------------------------------------------------------------


def ask_for_more(spool: str, name: str, target: str, roots: Sequence[str], count: int) -> None:
    """Tell which segment was handed over; see to it that somebody fetches those behind it.

    Fetching ahead is no condition for a restore: whatever fails, fails in silence.
    """
    try:
        os.makedirs(spool, mode=0o700, exist_ok=True)  # noqa: PTH103
        size = os.stat(target).st_size  # noqa: PTH116
        with open(f"{spool}/asked.new", "w") as file:  # noqa: PTH123
            file.write(f"{name} {size}\n")
        os.replace(f"{spool}/asked.new", f"{spool}/asked")  # noqa: PTH105
        if not is_served(spool):
            _start(spool, data_directory_of(target), roots, count)
    except OSError:
        return


def is_served(spool: str) -> bool:
    """Tell whether the process is there: it holds the lock."""
    held = lock(spool)
    if held is not None:
        os.close(held)
    return held is None


def lock(spool: str) -> int | None:
    """The lock, None when somebody has it. Raises OSError without a spool."""
    opened = os.open(f"{spool}/lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(opened)
        return None
    return opened


def _start(spool: str, data_directory: str, roots: Sequence[str], count: int) -> None:
    """Start the process, apart from the server: what ends a restore_command must not end it."""
    import subprocess

    paths = [os.path.abspath(root) for root in roots]  # noqa: PTH100
    subprocess.Popen(
        [sys.executable, "-P", "-m", "agent.archive.prefetch", spool, data_directory, str(count),
         *paths],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )  # fmt: skip
