"""Where a fetched file goes: beside its name first, under it once it is whole.

Only what is a regular file is replaced: a device, a pipe or a link of that name would be gone. This
runs once a segment, so it imports nothing that the interpreter has not loaded by itself.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class NoTarget(Exception):
    """What has the name must not be replaced. One line."""


def may_be_written(target: str) -> bool:
    """Whether a file can be put there: nothing has the name, or a regular file that may go."""
    try:
        return stat.S_ISREG(os.lstat(target).st_mode)
    except FileNotFoundError:
        return True


def write_target(target: str, write: Callable[[BinaryIO], None], *, durable: bool) -> None:
    """Have `write` fill a new file, and give it the name: nobody ever sees half of it.

    Raises NoTarget, OSError, and what `write` raises; then nothing has changed.
    """
    if not may_be_written(target):
        from parsers.sentences import tr

        raise NoTarget(tr("{path}: not a regular file: nothing is written there", path=target))
    beside, opened = _open_beside(target)
    try:
        with open(opened, "wb") as file:  # noqa: PTH123
            write(file)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(beside, target)  # noqa: PTH105
    except BaseException:
        if os.path.lexists(beside):
            os.unlink(beside)  # noqa: PTH108
        raise
    if durable:
        _sync_directory(os.path.dirname(target) or ".")  # noqa: PTH120


def _open_beside(target: str) -> tuple[str, int]:
    """A new file beside it, ours alone.

    The name is always the same, so that a fetch that was killed leaves nothing for long; where
    somebody else has taken it, as in /tmp, it is one that he cannot foresee.
    """
    beside = f"{target}.fetching"
    try:
        if os.path.lexists(beside):
            os.unlink(beside)  # noqa: PTH108
        return beside, os.open(beside, NEW, 0o600)
    except (FileExistsError, FileNotFoundError, IsADirectoryError, PermissionError):
        beside = f"{beside}.{os.urandom(8).hex()}"
        return beside, os.open(beside, NEW, 0o600)


def _sync_directory(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
