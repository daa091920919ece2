"""Tar files, compressed or not, as a stream of members: nothing is unpacked to disk.

Follows what pg_basebackup -Ft and GNU tar write, read by the standard library's tarfile. A stream
that ends too early, or that cannot be decoded, raises BrokenTar at the member where it breaks.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import IO, NamedTuple, cast

from agent.archive.codecs import BrokenStream, Content, Flaw, open_stream


class BrokenTar(Exception):
    """The tar cannot be read to its end. One line, with the member after which it breaks."""


class Member(NamedTuple):
    """One regular file of a tar. It can be read until the next member is asked for."""

    name: str  # without a leading ./
    size_bytes: int
    content: IO[bytes]

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes more; empty at the end. Raises BrokenTar."""
        try:
            return self.content.read(size)
        except (tarfile.TarError, BrokenStream) as error:
            raise BrokenTar(f"{error}, inside {self.name}") from None


class Directory(NamedTuple):
    """A directory of a tar: an empty one is part of a backup too."""

    name: str  # without a leading ./


def read_members(path: str) -> Iterator[Member]:
    """Yield the regular files of a tar in its order. Raises OSError, BrokenTar."""
    return (entry for entry in read_entries(path) if isinstance(entry, Member))


def read_entries(path: str) -> Iterator[Member | Directory]:
    """Yield the regular files and directories of a tar in its order. Raises OSError, BrokenTar.

    Links, devices and the like are left out, as pg_basebackup leaves them out.
    """
    last = "its start"
    try:
        with (
            open_stream(path) as stream,
            tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as tar,
        ):
            for info in tar:
                name = info.name.removeprefix("./")
                if info.isreg():
                    content = tar.extractfile(info)
                    assert content is not None
                    yield Member(name, info.size, content)
                elif info.isdir():
                    yield Directory(name)
                last = name
    except (tarfile.TarError, BrokenStream) as error:
        raise BrokenTar(f"{error}, behind {last}") from None


def read_member(path: str, name: str, limit_bytes: int) -> Content:
    """Read one member by its name. Raises OSError, FileNotFoundError when it is not there."""
    try:
        for member in read_members(path):
            if member.name == name:
                data = member.read(limit_bytes + 1)
                flaw = Flaw.LONGER if len(data) > limit_bytes else None
                detail = f"{member.size_bytes} bytes instead of {limit_bytes}" if flaw else ""
                return Content(data[:limit_bytes], None, flaw, detail)
    except BrokenTar as error:
        return Content(b"", None, Flaw.CUT, str(error))
    raise FileNotFoundError(f"{path} has no member {name}")
