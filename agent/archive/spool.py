"""What `fetch-wal --prefetch` does with the spool: take a segment from it, and ask for more.

See `agent.archive.prefetch` for what lies there. This runs once a segment, so it imports nothing
that the interpreter has not loaded by itself: that would cost more than all it does.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
import time

from agent.archive.target import NEW, may_be_written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO, BinaryIO

SPOOL_NAME = ".pitr-prefetch"  # in pg_wal: the server looks at segments and histories alone
POINTER_NAME = ".pitr-prefetch-at"  # beside it would be: where it is, with --prefetch-directory
REPOSITORIES = "--"  # what follows names repositories
SOURCE, BEGUN = ".source", ".begun"
LOOK_SECONDS = 0.01
_WAIT_SECONDS = 60.0  # for a segment that is being fetched
_IDENTIFIER_OFFSET = 24  # xlp_sysid in the long header of a segment's first page
_DIGITS = frozenset("0123456789ABCDEF")
_ASKED = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PATH_BYTES_MAX = 4096
_SOURCES_BYTES_MAX = 1 << 20
_PART_BYTES = 1 << 20


class NotOurs(Exception):
    """Others can write to what is named for the spool. One line; no fetch depends on a spool."""


def data_directory_of(target: str) -> str:
    """The data directory in whose pg_wal a file is asked for (%p)."""
    return os.path.dirname(os.path.dirname(os.path.abspath(target)))  # noqa: PTH100, PTH120


def spool_of(target: str, directory: str | None) -> str | None:
    """The spool directory of the cluster whose %p `target` is; None: there is none yet.

    In its pg_wal; or below `directory`, under a name that cannot be foreseen, which a file in
    pg_wal tells: whoever may write there too can prepare nothing for us. Raises NotOurs.
    """
    if directory is None:
        spool = f"{_wal_directory_of(target)}/{SPOOL_NAME}"
        return spool if _is_ours(spool) else None
    _require_safe(directory)
    try:
        with _open_regular(f"{_wal_directory_of(target)}/{POINTER_NAME}") as file:
            spool = os.fsdecode(file.read(_PATH_BYTES_MAX))
    except FileNotFoundError:
        return None
    except OSError as error:
        from parsers.sentences import tr

        pointer = f"{_wal_directory_of(target)}/{POINTER_NAME}"
        raise NotOurs(tr("{path}: {reason}", path=pointer, reason=error.strerror)) from None
    inside = os.path.dirname(spool) == os.path.abspath(directory)  # noqa: PTH100, PTH120
    return spool if inside and _is_ours(spool) else None


def make_spool(target: str, directory: str | None) -> str:
    """A new spool directory, which spool_of will find. Raises NotOurs, OSError."""
    wal = _wal_directory_of(target)
    if directory is None:
        os.mkdir(f"{wal}/{SPOOL_NAME}", 0o700)  # noqa: PTH102
        return f"{wal}/{SPOOL_NAME}"
    place = os.path.abspath(directory)  # noqa: PTH100
    if not os.path.isdir(place):  # noqa: PTH112
        os.makedirs(place, mode=0o700)  # noqa: PTH103
    spool = f"{place}/{os.urandom(16).hex()}"
    os.mkdir(spool, 0o700)  # noqa: PTH102
    told = f"{wal}/{POINTER_NAME}.{os.getpid()}"
    with open(os.open(told, NEW, 0o600), "wb") as file:  # noqa: PTH123
        file.write(os.fsencode(spool))
    os.replace(told, f"{wal}/{POINTER_NAME}")  # noqa: PTH105
    return spool


def forget_spool(spool: str, data_directory: str) -> None:
    """It is gone: nothing leads there any more."""
    pointer = f"{data_directory}/pg_wal/{POINTER_NAME}"
    try:
        with _open_regular(pointer) as file:
            if file.read(_PATH_BYTES_MAX) == os.fsencode(spool):
                os.unlink(pointer)  # noqa: PTH108
    except OSError:
        return


def _wal_directory_of(target: str) -> str:
    return os.path.dirname(os.path.abspath(target))  # noqa: PTH100, PTH120


def _is_ours(spool: str) -> bool:
    """Whether it is there. Raises NotOurs when somebody else could have put something into it."""
    try:
        status = os.lstat(spool)
    except FileNotFoundError:
        return False
    mode, uid = status.st_mode, status.st_uid
    if stat.S_ISDIR(mode) and uid == os.geteuid() and not mode & 0o077:
        return True
    from parsers.sentences import tr

    if not stat.S_ISDIR(mode):
        raise NotOurs(
            tr("{path} is no directory: nothing is taken from there; remove it", path=spool)
        )
    if uid != os.geteuid():
        raise NotOurs(
            tr(
                "{path} belongs to uid {uid}: nothing is taken from there; remove it",
                path=spool,
                uid=uid,
            )
        )
    raise NotOurs(
        tr(
            "{path} is open to others (mode {mode:04o}): nothing is taken from there; remove it",
            path=spool,
            mode=stat.S_IMODE(mode),
        )
    )


def _require_safe(directory: str) -> None:
    """Whoever can rename what lies in a directory decides what is found there."""
    try:
        status = os.stat(directory)  # noqa: PTH116
    except FileNotFoundError:
        return
    if status.st_uid not in (0, os.geteuid()):
        from parsers.sentences import tr

        raise NotOurs(
            tr(
                "{path} belongs to uid {uid}: nothing is fetched ahead; "
                "name a --prefetch-directory of the server's account",
                path=directory,
                uid=status.st_uid,
            )
        )
    if status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX:
        from parsers.sentences import tr

        raise NotOurs(
            tr(
                "{path} is open to others (mode {mode:04o}): "
                "nothing is fetched ahead; type  chmod go-w {path}",
                path=directory,
                mode=stat.S_IMODE(status.st_mode),
            )
        )


def _open_regular(path: str) -> BinaryIO:
    """For reading, and at once: no link is followed, no pipe waited for. Raises OSError."""
    opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        from parsers.sentences import tr

        raise OSError(errno.EINVAL, tr("not a regular file"), path)
    return open(opened, "rb")  # noqa: PTH123


def is_segment(name: str) -> bool:
    return len(name) == 24 and _DIGITS.issuperset(name)


# -- taking ---------------------------------------------------------------------------------------


def take(
    spool: str, name: str, target: str, roots: Sequence[str], words: Sequence[str] = ()
) -> bool:
    """Move a segment from the spool to where the server wants it; False: it has to be fetched."""
    fetched = f"{spool}/{name}"
    deadline = time.monotonic() + _WAIT_SECONDS
    while os.path.exists(fetched + BEGUN) and is_served(spool) and time.monotonic() < deadline:  # noqa: PTH110
        time.sleep(LOOK_SECONDS)
    try:
        with _open_regular(fetched) as segment:
            if not _is_of(segment, data_directory_of(target)):
                return False
            if not _is_archived(segment, fetched, roots, words):
                return False
        if not may_be_written(target):
            return False
        os.replace(fetched, target)  # noqa: PTH105
    except (OSError, ValueError):  # another file system, or the process went away meanwhile
        return False
    return True


def _is_archived(
    segment: BinaryIO, fetched: str, roots: Sequence[str], words: Sequence[str]
) -> bool:
    """Whether it is what the archives that are named now hold under its name.

    Their files must be those that were read; one that is stored as it is, is compared, and of
    another, which would have to be fetched again for that, what was read out of it.
    """
    with _open_regular(fetched + SOURCE) as file:
        digest, _, told = os.fsdecode(file.read(_SOURCES_BYTES_MAX)).partition("\n")
    paths = [line.split(" ", 2)[2] for line in told.splitlines()]
    named = [root if "://" in root else os.path.abspath(root) for root in roots]  # noqa: PTH100
    named = [f"{root.rstrip('/')}/" for root in named]
    within = all(words or path.startswith(tuple(named)) for path in paths)
    if not paths or not within or told != describe(paths):
        return False
    segment.seek(0)
    if len(paths) == 1 and _is_plain(paths[0], os.fstat(segment.fileno()).st_size):
        with _open_regular(os.path.realpath(paths[0])) as archived:
            return _is_same(segment, archived)
    return digest == digest_of(segment)


def _is_plain(path: str, size: int) -> bool:
    """Whether a segment is stored as it is."""
    return "://" not in path and os.path.isfile(path) and os.path.getsize(path) == size  # noqa: PTH113, PTH202


def _is_same(one: BinaryIO, other: BinaryIO) -> bool:
    while (part := one.read(_PART_BYTES)) == other.read(_PART_BYTES):
        if not part:
            return True
    return False


def digest_of(file: IO[bytes]) -> str:
    """What tells a content from another, from where the file stands."""
    from hashlib import blake2b

    digest = blake2b(digest_size=32)
    while part := file.read(_PART_BYTES):
        digest.update(part)
    return digest.hexdigest()


def describe(paths: Sequence[str]) -> str:
    """Size, time and path of each source, one a line; of a tar's member, the tar's.

    Of an object in a store its version stands in place of the time.
    """
    lines = []
    for path in paths:
        if "://" in path:
            from agent.store.objects import version_of

            size, tag = version_of(path)
            lines.append(f"{size} {tag[0]}.{tag[1]} {path}\n")
            continue
        file = path if os.path.exists(path) else os.path.dirname(path)  # noqa: PTH110, PTH120
        status = os.stat(file)  # noqa: PTH116
        lines.append(f"{status.st_size} {status.st_mtime_ns} {path}\n")
    return "".join(lines)


def _is_of(segment: BinaryIO, data_directory: str) -> bool:
    """Tell whether a segment is of the cluster that is being recovered."""
    with open(f"{data_directory}/global/pg_control", "rb") as control:  # noqa: PTH123
        wanted = control.read(8)
    head = segment.read(_IDENTIFIER_OFFSET + 8)
    return len(wanted) == 8 and head[_IDENTIFIER_OFFSET:] == wanted


# -- asking for more ------------------------------------------------------------------------------


def ask_for_more(
    spool: str, name: str, target: str, roots: Sequence[str], words: Sequence[str], count: int
) -> None:
    """Tell which segment was handed over; see to it that somebody fetches those after it.

    Fetching ahead is no condition for a restore: whatever fails, fails in silence.
    """
    try:
        size = os.stat(target).st_size  # noqa: PTH116
        with open(os.open(f"{spool}/asked.new", _ASKED, 0o600), "w") as file:  # noqa: PTH123
            file.write(f"{name} {size}\n")
        os.replace(f"{spool}/asked.new", f"{spool}/asked")  # noqa: PTH105
        if not is_served(spool):
            _start(spool, data_directory_of(target), roots, words, count)
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
    opened = os.open(f"{spool}/lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(opened)
        return None
    return opened


def _for_others(root: str) -> str:
    """An archive as a process in another directory can name it."""
    if "://" not in root:
        return os.path.abspath(root)  # noqa: PTH100
    from agent.store.urls import whole

    return whole(root)


def _start(
    spool: str, data_directory: str, roots: Sequence[str], words: Sequence[str], count: int
) -> None:
    """Start the process, apart from the server: what ends a restore_command must not end it."""
    import subprocess

    paths = [_for_others(root) for root in roots]
    if words:
        paths += [REPOSITORIES, *words]
    subprocess.Popen(
        [sys.executable, "-P", "-m", "agent.cli.prefetch", spool, data_directory, str(count),
         *paths],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )  # fmt: skip
