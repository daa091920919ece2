"""Directories of this machine: an archive, a backup, a pg_wal, a repository, read like a store.

Nothing else of `agent` opens, lists or asks the system for a file of evidence
(`tests/test_boundary.py`).

Whoever can write there can lay anything there under any name. A pipe without a writer would hold
its reader for ever, a device may do what it likes when it is opened, and a link may lead to what
its author could not read himself. So only regular files are opened, and at once.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import IO, Final

from parsers.sentences import tr

WAY_OUT: Final = tr("a link that leads out of the archive")
NO_TARGET: Final = tr("a link to nothing, not a file")
_KINDS: Final = {
    stat.S_IFIFO: tr("a named pipe"),
    stat.S_IFSOCK: tr("a socket"),
    stat.S_IFCHR: tr("a device"),
    stat.S_IFBLK: tr("a device"),
    stat.S_IFDIR: tr("a directory"),
}


# A listing asks a million times: these are the system's calls, with no call around them.
stat_path, lstat_path, scan_directory = os.stat, os.lstat, os.scandir
walk_tree = os.walk


class NotAFile(OSError):
    """What lies under the name is no regular file, or is not to be followed."""


def open_file(path: str | os.PathLike[str], *, within: str | None = None) -> IO[bytes]:
    """Open a regular file for reading, without waiting for anybody. Raises OSError.

    A link is followed; with `within`, a directory, only to what lies below that.
    """
    if within is not None and leaves(path, within):
        raise NotAFile(errno.EXDEV, WAY_OUT, os.fspath(path))
    _require_file(_status(path).st_mode, path)  # opening a device is too late
    flags = os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK)
    except BlockingIOError:  # a regular file that somebody holds a lease on, as Samba does
        descriptor = os.open(path, flags)
    try:
        _require_file(os.fstat(descriptor).st_mode, path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_file(path: str | os.PathLike[str], size: int = -1) -> bytes:
    """Read at most `size` bytes of a regular file. Raises OSError."""
    with open_file(path) as file:
        return file.read(size)


def leaves(path: str | os.PathLike[str], root: str) -> bool:
    """Whether the file is a link to what lies outside of `root`."""
    if not os.path.islink(path):  # noqa: PTH114
        return False
    top = os.path.realpath(root)
    return os.path.commonpath((top, os.path.realpath(path))) != top


def no_file(mode: int) -> str | None:
    """What it is that has this mode; None: a regular file."""
    if stat.S_ISREG(mode):
        return None
    return tr("{what}, not a file", what=_KINDS.get(stat.S_IFMT(mode), tr("something else")))


def _status(path: str | os.PathLike[str]) -> os.stat_result:
    """Only a name that nothing has is absent."""
    try:
        return stat_path(path)
    except FileNotFoundError:
        if os.path.islink(path):  # noqa: PTH114
            raise NotAFile(errno.EINVAL, NO_TARGET, os.fspath(path)) from None
        raise


def _require_file(mode: int, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if kind := no_file(mode):
        raise NotAFile(errno.EINVAL, kind, os.fspath(path))
