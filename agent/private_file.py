"""Files of our own: nobody else reads them, whoever runs us and whatever the umask."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO, Final

_MODE: Final = 0o600


def make_private(path: str | Path) -> None:
    """Have the file there, for its owner alone, before something else opens it by its name.

    One that every account could read, as an earlier release left it, is closed to them; another's,
    and one that was opened to a group alone on purpose, stays as it is. Raises OSError.
    """
    opened = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, _MODE)
    try:
        _close_to_others(opened)
    finally:
        os.close(opened)


def write_private(path: Path) -> IO[bytes]:
    """Open the file anew for writing without a buffer, for its owner alone. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    opened = os.open(path, flags, _MODE)
    try:
        _close_to_others(opened)
        return os.fdopen(opened, "wb", buffering=0)
    except BaseException:
        os.close(opened)
        raise


def _close_to_others(opened: int) -> None:
    status = os.fstat(opened)
    ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
    if ours and status.st_mode & 0o007:
        os.fchmod(opened, _MODE)
