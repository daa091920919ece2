"""Compressed files as bounded streams: gzip, bzip2, xz, lz4 and zstd.

What a file is compressed with is told by its first bytes, and by its suffix only where these do not
tell: `gzip < %p > archive/%f` leaves no suffix. Nothing is ever read past the length that the
caller expects, so a decompression bomb ends there. Each codec is imported when a file needs it.
"""

from __future__ import annotations

import enum
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final, NamedTuple

from parsers.segment import ENCRYPTION_SUFFIXES

_CHUNK_BYTES: Final = 1 << 20
_MAGIC_BYTES: Final = 32
# How encrypted files begin: openssl enc, age (binary and armoured), an armoured PGP message.
_CIPHERS: Final = {
    b"Salted__": "openssl",
    b"age-encryption.org/": "age",
    b"-----BEGIN AGE ENCRYPTED FILE": "age",
    b"-----BEGIN PGP MESSAGE": "PGP",
}


class Flaw(enum.Enum):
    """How a file breaks the promise of its length or its codec."""

    CUT = "cut"  # the compressed stream ends too early
    CORRUPT = "corrupt"  # it cannot be decoded, or its own checksum does not match
    LONGER = "longer"  # there is more than was expected
    ENCRYPTED = "encrypted"  # nothing can be said of what is in it


class BrokenStream(Exception):
    """A compressed stream that cannot be decoded to its end."""

    def __init__(self, flaw: Flaw, detail: str) -> None:
        super().__init__(detail)
        self.flaw = flaw


class Codec(NamedTuple):
    """One compressed format: how it is recognised, and which library opens it."""

    name: str  # as its command is called
    suffixes: tuple[str, ...]
    magic: bytes  # empty: only the suffix tells
    module: str  # has open(file, "rb"), as the standard library's gzip does
    errors: Callable[[Any], tuple[type[Exception], ...]]  # of the module, beside EOFError


_ZSTD_MODULE: Final = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"

CODECS: Final = (
    Codec(
        "gzip", (".gz",), b"\x1f\x8b\x08", "gzip", lambda gzip: (gzip.BadGzipFile, gzip.zlib.error)
    ),
    Codec("bzip2", (".bz2",), b"BZh", "bz2", lambda _: (OSError, ValueError)),
    Codec("xz", (".xz",), b"\xfd7zXZ\0", "lzma", lambda lzma: (lzma.LZMAError,)),
    Codec("xz", (".lzma",), b"", "lzma", lambda lzma: (lzma.LZMAError,)),
    Codec("lz4", (".lz4",), b"\x04\x22\x4d\x18", "lz4.frame", lambda _: (RuntimeError, ValueError)),
    Codec("zstd", (".zst",), b"\x28\xb5\x2f\xfd", _ZSTD_MODULE, lambda zstd: (zstd.ZstdError,)),
)
READABLE_SUFFIXES: Final = tuple(suffix for codec in CODECS for suffix in codec.suffixes)


class Content(NamedTuple):
    """What a file holds, decompressed."""

    data: bytes  # at most the expected length
    codec: str | None  # None: stored as it is
    flaw: Flaw | None  # None: `data` is all of it
    detail: str  # of the flaw: one line for a person; else empty


def codec_of(head: bytes, name: str) -> Codec | None:
    """The codec of a file by its first bytes, else by its suffix; None: stored as it is."""
    for codec in CODECS:
        if codec.magic and head.startswith(codec.magic):
            return codec
    return next((codec for codec in CODECS if name.endswith(codec.suffixes)), None)


def cipher_of(head: bytes, name: str) -> str | None:
    """What a file is encrypted with, by its first bytes, else its suffix; None: it is not."""
    for magic, cipher in _CIPHERS.items():
        if head.startswith(magic):
            return cipher
    return next((suffix for suffix in ENCRYPTION_SUFFIXES if name.endswith(suffix)), None)


class Stream:
    """A file's bytes, decompressed on the way. `read` raises BrokenStream, OSError."""

    def __init__(self, file: IO[bytes], head: bytes, name: str) -> None:
        self._file = file
        self._cipher = cipher_of(head, name)
        self.codec = codec = codec_of(head, name) if head else None
        self._is_stump = bool(codec and len(head) < len(codec.magic))
        self._errors: tuple[type[Exception], ...] = ()
        if codec is not None:
            module = importlib.import_module(codec.module)
            self._errors = codec.errors(module)
            self._file = module.open(file, "rb")

    def read(self, size: int = _CHUNK_BYTES) -> bytes:
        """At most `size` bytes; empty at the end."""
        if self._cipher:
            raise BrokenStream(Flaw.ENCRYPTED, f"encrypted ({self._cipher}): cannot be looked at")
        try:
            return self._file.read(size)
        except EOFError:
            raise self._cut() from None
        except self._errors as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            assert self.codec is not None
            if self._is_stump:  # gzip says "not a gzipped file" of a single byte
                raise self._cut() from None
            raise BrokenStream(Flaw.CORRUPT, f"{self.codec.name}: {error}") from None

    def _cut(self) -> BrokenStream:
        assert self.codec is not None
        return BrokenStream(Flaw.CUT, f"its {self.codec.name} stream is cut short")


@contextmanager
def open_stream(path: str) -> Iterator[Stream]:
    """Open a file, decompressed if it is compressed. Raises OSError."""
    with open(path, "rb") as file:  # noqa: PTH123 - paths here are strings
        head = file.read(_MAGIC_BYTES)
        file.seek(0)
        yield Stream(file, head, path)


def read_content(path: str, limit_bytes: int) -> Content:
    """Read a file of at most `limit_bytes`, decompressed. Raises OSError."""
    with open_stream(path) as stream:
        content = read_stream(stream, limit_bytes)
    if content.flaw is Flaw.LONGER and stream.codec is None:
        size = os.stat(path).st_size  # noqa: PTH116
        return content._replace(detail=f"{size} bytes instead of {limit_bytes}")
    return content


_MORE: Final = "decompresses to more than {} bytes"


def read_stream(stream: Stream, limit_bytes: int) -> Content:
    """The same for a stream that is open."""
    if stream.codec is None:
        return _read_plain(stream, limit_bytes)
    codec = stream.codec.name
    data = bytearray()
    try:
        while len(data) <= limit_bytes:
            chunk = stream.read(min(_CHUNK_BYTES, limit_bytes + 1 - len(data)))
            if not chunk:
                return Content(bytes(data), codec, None, "")
            data += chunk
    except BrokenStream as error:
        return Content(bytes(data), codec, error.flaw, str(error))
    detail = _MORE.format(limit_bytes)
    return Content(bytes(data[:limit_bytes]), codec, Flaw.LONGER, detail)


def _read_plain(stream: Stream, limit_bytes: int) -> Content:
    """What is stored as it is comes in one piece: nothing of it is copied again."""
    try:
        data = stream.read(limit_bytes + 1)
    except BrokenStream as error:
        return Content(b"", None, error.flaw, str(error))
    if len(data) <= limit_bytes:
        return Content(data, None, None, "")
    return Content(data[:limit_bytes], None, Flaw.LONGER, _MORE.format(limit_bytes))
