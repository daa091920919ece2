"""Tar files, compressed or not, as a stream of members: nothing is unpacked to disk.

Follows what pg_basebackup -Ft and GNU tar write, read by the standard library's tarfile. A stream
that ends too early, or that cannot be decoded, raises BrokenTar at the member where it breaks. What
would take more memory than any backup needs, a header of gigabytes, raises OSError: it is not read.
"""

from __future__ import annotations

import errno
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final, NamedTuple, Self, cast

from agent.archive.codecs import BrokenStream, Content, Flaw, Stream, longer, open_stream
from parsers.sentences import message_of, tr

if TYPE_CHECKING:
    from agent.store.entries import Version


_KINDS: Final = {
    tarfile.LNKTYPE: tr("a hard link"),
    tarfile.SYMTYPE: tr("a symbolic link"),
    tarfile.FIFOTYPE: tr("a named pipe"),
    tarfile.CHRTYPE: tr("a device"),
    tarfile.BLKTYPE: tr("a device"),
}


_HEADER_BYTES: Final = 4 << 20  # of one member: extended attributes take some 64 KiB
_GLOBAL_BYTES: Final = 1 << 20  # of headers that hold for all members after them
_PADDING_BYTES: Final = 64 << 20  # after its end: 10 KiB of GNU tar, or what was allocated for it
_PIECE_BYTES: Final = 64 << 10
_MOST_MEMBERS: Final = 1_000_000  # whoever lists them needs some 200 bytes for each


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
            raise BrokenTar(tr("{error}, inside {name}", error=error, name=self.name)) from None


class Directory(NamedTuple):
    """A directory of a tar: an empty one is part of a backup too."""

    name: str  # without a leading ./


class NoFile(NamedTuple):
    """A link, a pipe or a device of a tar."""

    name: str  # without a leading ./
    kind: str


class _TooLarge(Exception):
    """More than is read of any tar. One line."""


class _Meter:
    """The bytes of a tar, of which no header takes more than it can honestly need."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._left: int | None = None  # for the header that is being read; None: for none
        self._global_bytes = 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise _TooLarge(tr("a header of more than {size} MiB", size=_HEADER_BYTES >> 20))
        return data

    @contextmanager
    def header(self, info: tarfile.TarInfo) -> Iterator[None]:
        """While a header is read, and what follows it before its member: texts, maps of holes."""
        is_first = self._left is None
        if info.type == tarfile.XGLTYPE:
            self._global_bytes += info.size
        if self._global_bytes > _GLOBAL_BYTES:
            raise _TooLarge(
                tr(
                    "more than {size} MiB of headers for all members",
                    size=_GLOBAL_BYTES >> 20,
                )
            )
        if is_first:
            self._left = _HEADER_BYTES
        yield
        if is_first:
            self._left = None


_NO_HEADER: Final = (
    tarfile.InvalidHeaderError,  # type: ignore[attr-defined]
    tarfile.TruncatedHeaderError,  # type: ignore[attr-defined]
)
_NOTHING: Final = tarfile.EmptyHeaderError  # type: ignore[attr-defined]
_ENDED: Final = tarfile.ReadError


def _headers(meter: _Meter) -> type[tarfile.TarInfo]:
    class Header(tarfile.TarInfo):
        @classmethod
        def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
            """Where no header can be read tarfile takes the tar for ended, and says nothing.

            A tar ends with blocks of zeros: all writers of backups put them there.
            """
            try:
                return super().fromtarfile(tarfile)
            except (*_NO_HEADER, _NOTHING) as error:
                if tarfile.offset == 0:
                    raise  # it says that one
                if isinstance(error, _NOTHING):
                    raise _ENDED("unexpected end of data") from None
                raise ValueError from None

        def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
            with meter.header(self):
                return super()._proc_member(tar)  # type: ignore[misc,no-any-return]

    return Header


def read_members(path: str) -> Iterator[Member]:
    """Yield the regular files of a tar in its order. Raises OSError, BrokenTar."""
    return (entry for entry in read_entries(path) if isinstance(entry, Member))


def read_entries(path: str) -> Iterator[Member | Directory | NoFile]:
    """Yield all that a tar holds, in its order. Raises OSError, BrokenTar."""
    last: str = tr("its start")
    count = 0
    try:
        with open_stream(path) as stream, _open(_Meter(stream)) as tar:
            while (info := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # a kilobyte each
                count += 1
                if count > _MOST_MEMBERS:
                    raise _TooLarge(tr("more than {most:,} members", most=_MOST_MEMBERS))
                name = info.name.removeprefix("./")
                if info.isreg():
                    content = tar.extractfile(info)
                    assert content is not None
                    yield Member(name, info.size, content, stream.version)
                elif info.isdir():
                    yield Directory(name)
                else:
                    yield NoFile(
                        name,
                        tr("{what}, not a file", what=_KINDS.get(info.type, tr("something else"))),
                    )
                last = name
            _read_padding(cast(IO[bytes], tar.fileobj), last)
    except (tarfile.TarError, BrokenStream) as error:
        raise BrokenTar(tr("{error}, after {last}", error=error, last=last)) from None
    except (_TooLarge, RecursionError) as error:  # each header of a chain is a call
        what = (
            message_of(error)
            if isinstance(error, _TooLarge)
            else tr("a header of a header of a header")
        )
        raise OSError(
            errno.EFBIG, tr("{what}, after {last}: not read", what=what, last=last), path
        ) from None
    except ValueError:  # tarfile's own, whose words quote the header, and ours
        raise BrokenTar(tr("a header that no tar has, after {last}", last=last)) from None


def _read_padding(rest: IO[bytes], last: str) -> None:
    """What follows the end: zeros, and behind them a compressor's checksum.

    Anything else is what a block of zeros in its place hid: whoever unpacks it leaves it out.
    """
    left = _PADDING_BYTES
    while data := rest.read(_PIECE_BYTES):
        if data.strip(b"\0"):
            raise BrokenTar(tr("something follows its end, after {last}", last=last))
        left -= len(data)
        if left < 0:
            raise _TooLarge(
                tr("more than {size} MiB of zeros at its end", size=_PADDING_BYTES >> 20)
            )


def _open(meter: _Meter) -> tarfile.TarFile:
    return tarfile.open(fileobj=cast(IO[bytes], meter), mode="r|", tarinfo=_headers(meter))


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
        return Content(b"", None, Flaw.CUT, message_of(error))
    raise FileNotFoundError(tr("{path} has no member {name}", path=path, name=name))
