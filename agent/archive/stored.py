"""The bytes of one archived file: a file or object as it is, compressed, or a member of a tar.

Reading a member runs through the tar up to it, which is why a segment inside a tar is read only
when it lies nowhere else.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import Final

from agent.archive.codecs import Content, Flaw, read_content
from agent.store.local import NotAFile
from agent.store.reading import leads_out
from agent.store.urls import is_remote
from parsers.errors import ParseError
from parsers.sentences import tr
from parsers.wal.page import LONG_HEADER_BYTES, parse_any_header

_NO_WAL: Final = tr("a link that leads out of its directory, to what is no WAL")


def read_stored(directory: str, name: str, limit_bytes: int) -> Content:
    """Read at most `limit_bytes` of a file in `directory`, or of a member of the tar of that name.

    Raises OSError, FileNotFoundError.
    """
    if is_remote(directory):
        return _read_object(directory, name, limit_bytes)
    if os.path.isfile(directory):  # noqa: PTH113 - pathlib costs start-up time
        from agent.archive.tar import read_member

        return read_member(directory, name, limit_bytes)
    return read_content(f"{directory}/{name}", limit_bytes)


def require_own(directory: str, name: str, content: Content) -> None:
    """Raise NotAFile for somebody else's file: a link that leads out, to what is no WAL.

    A tool may lay segments elsewhere and link to them, and PostgreSQL follows; but nothing is told
    of what else such a link leads to, as its author may not be allowed to read it.
    """
    if _may_be_wal(content) or is_named_tar(directory):
        return
    if leads_out(f"{directory}/{name}", directory):
        raise NotAFile(errno.EXDEV, _NO_WAL, f"{directory}/{name}")


def _may_be_wal(content: Content) -> bool:
    """Of zeros, and of what ends before its header, there is nothing to tell."""
    head = content.data[:LONG_HEADER_BYTES]
    if not any(head):
        return content.flaw is not Flaw.CORRUPT  # its library quotes what it did not expect
    try:
        parse_any_header(head)
    except ParseError:
        return False
    return True


def is_named_tar(url: str) -> bool:
    """Whether an address of a store is, by its name, that of a tar."""
    name = url.rpartition("/")[2]
    return name.endswith((".tar", ".tgz")) or ".tar." in name


def _read_object(directory: str, name: str, limit_bytes: int) -> Content:
    """Whether `directory` is a tar is asked of the store only where it is called one."""
    if is_named_tar(directory):
        from agent.archive.tar import read_member

        with suppress(FileNotFoundError):
            return read_member(directory, name, limit_bytes)
    return read_content(f"{directory}/{name}", limit_bytes)
