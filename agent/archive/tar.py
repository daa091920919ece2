"""Tar files, compressed or not, as a stream of members: nothing is unpacked to disk.

Follows what pg_basebackup -Ft and GNU tar write, read by the standard library's tarfile. A stream
that ends too early, or that cannot be decoded, raises BrokenTar at the member where it breaks.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Final, NamedTuple, cast

from agent.archive.codecs import BrokenStream, Content, Flaw, longer, open_stream

if TYPE_CHECKING:
    from agent.store.entries import Version


_KINDS: Final = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
}


class BrokenTar(Exception):
    """The tar cannot be read to its end. One line, with the member after which it breaks."""


class Member(NamedTuple):
    """One regular file of a tar. It can be read until the next member is asked for."""

    name: str  # without a leading ./
    size_bytes: int
    content: IO[bytes]
    version: Version | None = None  # of the tar, where it is an object in a store

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes more; empty at the end. Raises BrokenTar."""
        try:
            return self.content.read(size)
        except (tarfile.TarError, BrokenStream) as error:
            raise BrokenTar(f"{error}, inside {self.name}") from None


class Directory(NamedTuple):
    """A directory of a tar: an empty one is part of a backup too."""

    name: str  # without a leading ./


class NoFile(NamedTuple):
    """A link, a pipe or a device of a tar."""

    name: str  # without a leading ./
    kind: str


def read_members(path: str) -> Iterator[Member]:
    """Yield the regular files of a tar in its order. Raises OSError, BrokenTar."""
    return (entry for entry in read_entries(path) if isinstance(entry, Member))


def read_entries(path: str) -> Iterator[Member | Directory | NoFile]:
    """Yield all that a tar holds, in its order. Raises OSError, BrokenTar."""
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
                    yield Member(name, info.size, content, stream.version)
                elif info.isdir():
                    yield Directory(name)
                else:
                    yield NoFile(name, f"{_KINDS.get(info.type, 'something else')}, not a file")
                last = name
    except (tarfile.TarError, BrokenStream) as error:
        raise BrokenTar(f"{error}, after {last}") from None
    except ValueError:  # tarfile's own: its words quote the header
        raise BrokenTar(f"a header that no tar has, after {last}") from None


def read_member(path: str, name: str, limit_bytes: int) -> Content:
    """Read one member by its name. Raises OSError, FileNotFoundError when it is not there."""
    try:
        for member in read_members(path):
            if member.name == name:
                data = member.read(limit_bytes + 1)
                content = Content(data, None, None, "")
                if len(data) > limit_bytes:
                    content = longer(data[:limit_bytes], member.size_bytes)
                if member.version is None:
                    return content
                version = member.version._replace(size_bytes=member.size_bytes)
                return content._replace(version=version)
    except BrokenTar as error:
        return Content(b"", None, Flaw.CUT, str(error))
    raise FileNotFoundError(f"{path} has no member {name}")
