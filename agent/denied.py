"""Why the system did not let us read something, and what to type next where that is a right."""

from __future__ import annotations

import errno
import os
import pwd
import stat
from typing import Final

from parsers.sentences import tr

# What an error of these kinds is about is not there, or is nothing that can be read as a file.
_PROVES: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG}
)


def is_proof(error: OSError) -> bool:
    """Tell an error that proves something of the file from one that leaves it unknown."""
    return error.errno in _PROVES


def reason(error: OSError, path: object = None) -> str:
    """The system's words; for a right that lacks, whose account has it.

    `path`: anything that str() makes a path of.
    """
    text = error.strerror or str(error)
    if not isinstance(error, PermissionError):
        return text
    place = str(path if path is not None else error.filename or "")
    status = _nearest(place)
    if status is None:
        return text
    if status.st_uid == os.geteuid():
        return tr(
            "{text}: its own mode {mode:04o} forbids it (chmod u+rX)",
            text=text,
            mode=stat.S_IMODE(status.st_mode),
        )
    return tr("{text}: run this as its owner, {owner}", text=text, owner=_name(status.st_uid))


def unlisted(error: OSError, path: object) -> str:
    """A line that a directory cannot be listed, and why."""
    return tr("{path}: cannot be listed: {reason}", path=path, reason=reason(error, path))


def unread(error: OSError, path: object) -> str:
    """A line that a file or directory cannot be read, and why."""
    return tr("{path}: cannot be read: {reason}", path=path, reason=reason(error, path))


def _nearest(place: str) -> os.stat_result | None:
    """The status of what forbids it: the path, or the first directory above it that shows one."""
    while place:
        try:
            return os.stat(place)  # noqa: PTH116
        except OSError:
            above = os.path.dirname(place.rstrip("/"))  # noqa: PTH120
            if above == place:
                return None
            place = above or "."
    return None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
