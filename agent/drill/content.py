"""A file's content into another, by the kernel: shared blocks where the file system can.

copy_file_range() makes a reflink on XFS and Btrfs and a copy on the server's side over NFS; where
it is not to be had, sendfile() does it. Neither takes Python's lock meanwhile.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agent.store.local import open_file
from agent.store.urls import is_remote

_PIECE_BYTES: Final = 8 << 20  # of an object
_STRIDE_BYTES: Final = 64 << 20  # between two looks at whether it is still wanted
# Not these two files, not this kernel, not across file systems.
_NOT_THIS_WAY: Final = frozenset({
    errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.ETXTBSY,
})  # fmt: skip

_Way = Callable[[int, int, int], int]  # (source, target, at most) -> bytes copied, 0 at the end


def _send(source: int, target: int, count: int) -> int:
    return os.sendfile(target, source, None, count)


def _read_and_write(source: int, target: int, count: int) -> int:
    data = os.read(source, min(count, 1 << 20))
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(target, rest) :]
    return len(data)


_WAYS: Final[tuple[_Way, ...]] = (
    *((os.copy_file_range,) if hasattr(os, "copy_file_range") else ()), _send, _read_and_write,
)  # fmt: skip


def copy_content(source: str, target: Path, require_wanted: Callable[[], None]) -> None:
    """Copy a regular file to a new one; `require_wanted` may raise to end it. Raises OSError."""
    if is_remote(source):
        _download(source, target, require_wanted)
        return
    with open_file(source) as from_file, target.open("wb", buffering=0) as to_file:
        for way in _WAYS:
            try:
                if _copy(way, from_file.fileno(), to_file.fileno(), require_wanted):
                    return  # nothing at all may be its way to say that it cannot
            except OSError as error:
                if error.errno not in _NOT_THIS_WAY:
                    error.filename = source
                    raise


def _download(source: str, target: Path, require_wanted: Callable[[], None]) -> None:
    from agent.store.objects import open_object

    with open_object(source, _PIECE_BYTES) as from_object, target.open("wb") as to_file:
        while data := from_object.read(_PIECE_BYTES):
            to_file.write(data)
            require_wanted()


def _copy(way: _Way, source: int, target: int, require_wanted: Callable[[], None]) -> int:
    total = 0
    while copied := way(source, target, _STRIDE_BYTES):
        total += copied
        require_wanted()
    return total
