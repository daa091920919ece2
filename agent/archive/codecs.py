"""Compressed files as bounded streams: gzip, bzip2, xz, lz4 and zstd.

What a file is compressed with is told by its first bytes, and by its suffix only where these do not
tell: `gzip < %p > archive/%f` leaves no suffix. Nothing is ever read past the length that the
caller expects, so a decompression bomb ends there; what a codec needs for itself is bounded too.
Each codec is imported when a file needs it.
"""

from __future__ import annotations

import enum
import errno
import importlib
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, cast

from agent.archive.ciphers import BadCipher, Cipher, cipher_for, decrypting
from agent.store.local import stat_path
from agent.store.reading import open_at, version_read
from parsers.segment import ENCRYPTION_SUFFIXES
from parsers.sentences import message_of, tr

if TYPE_CHECKING:
    from agent.store.entries import Version

_CHUNK_BYTES: Final = 1 << 20
HEAD_BYTES: Final = 32
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
_XZ_MODULE: Final = "agent.archive.xz"

CODECS: Final = (
    Codec(
        "gzip", (".gz",), b"\x1f\x8b\x08", "gzip", lambda gzip: (gzip.BadGzipFile, gzip.zlib.error)
    ),
    Codec("bzip2", (".bz2",), b"BZh", "bz2", lambda _: (OSError, ValueError)),
    Codec("xz", (".xz",), b"\xfd7zXZ\0", _XZ_MODULE, lambda xz: (xz.LZMAError,)),
    Codec("xz", (".lzma",), b"", _XZ_MODULE, lambda xz: (xz.LZMAError,)),
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
    whole_bytes: int | None = None  # of LONGER: its whole length, unless it is compressed
    version: Version | None = None  # of an object in a store: which one was read


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

    def __init__(
        self,
        file: IO[bytes],
        head: bytes,
        name: str,
        version: Version | None = None,
        cipher: Cipher | None = None,  # that `file` is decrypted of, or cannot be
    ) -> None:
        self._file = file
        self.version = version  # None: not an object in a store
        if cipher is None:
            self._cipher = cipher_of(head, name)
        else:
            self._cipher = None if cipher.key else cipher.name
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
            raise BrokenStream(
                Flaw.ENCRYPTED, tr("encrypted ({cipher}): cannot be read", cipher=self._cipher)
            )
        try:
            return self._file.read(size)
        except EOFError:
            raise self._cut() from None
        except MemoryError:
            raise OSError(
                errno.ENOMEM, tr("it takes more memory than there is: not read")
            ) from None
        except BadCipher as error:
            raise BrokenStream(Flaw.CORRUPT, message_of(error)) from None
        except self._errors as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            assert self.codec is not None
            if self._is_stump:  # gzip says "not a gzipped file" of a single byte
                raise self._cut() from None
            raise BrokenStream(
                Flaw.CORRUPT, tr("{codec}: {error}", codec=self.codec.name, error=error)
            ) from None

    def _cut(self) -> BrokenStream:
        assert self.codec is not None
        return BrokenStream(Flaw.CUT, tr("its {codec} stream is cut short", codec=self.codec.name))


@contextmanager
def open_stream(
    path: str, within: str | None = None, expected_bytes: int | None = None
) -> Iterator[Stream]:
    """Open a file, decompressed if it is compressed. Raises OSError, as open_file does.

    Of an object in a store `expected_bytes` are asked for at once.
    """
    with open_at(path, within, expected_bytes) as file:
        yield _stream_of(file, path, version_read(file))


def _stream_of(file: IO[bytes], path: str, version: Version | None = None) -> Stream:
    """The stream of a file that is open, decrypted first where a cipher is known for its folder."""
    cipher = cipher_for(path)
    if cipher is None:
        return Stream(file, _head(file), path, version)
    if cipher.key is None:
        head = _head(file)
        if any(codec.magic and head.startswith(codec.magic) for codec in CODECS):
            return Stream(file, head, path, version)  # older than the encryption
        return Stream(file, b"", path, version, cipher)
    plain = decrypting(file, cipher)
    try:
        head = plain.peek(HEAD_BYTES)[:HEAD_BYTES]
    except BadCipher as error:
        return Stream(cast(IO[bytes], _Failing(message_of(error))), b"", path, version)
    return Stream(plain, head, path, version, cipher)


class _Failing(io.RawIOBase):
    """A file whose first bytes do not decrypt."""

    def __init__(self, why: str) -> None:
        self._why = why

    def read(self, size: int = -1) -> bytes:
        raise BadCipher(self._why)


def _head(file: IO[bytes]) -> bytes:
    head = file.read(HEAD_BYTES)
    file.seek(0)
    return head


def read_content(path: str, limit_bytes: int, within: str | None = None) -> Content:
    """Read a file of at most `limit_bytes`, decompressed. Raises OSError."""
    with open_stream(path, within, limit_bytes + 1) as stream:
        content = read_stream(stream, limit_bytes)
    if content.flaw is Flaw.LONGER and stream.codec is None:
        content = longer(content.data, _size_of(path, stream))
    return content if stream.version is None else content._replace(version=stream.version)


def _size_of(path: str, stream: Stream) -> int:
    if stream.version is not None:
        return stream.version.size_bytes
    return stat_path(path).st_size


def longer(data: bytes, whole_bytes: int) -> Content:
    """What a file holds that is stored as it is, of which `data` is as much as was expected."""
    detail = tr("{size} bytes instead of {expected}", size=whole_bytes, expected=len(data))
    return Content(data, None, Flaw.LONGER, detail, whole_bytes)


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
        return Content(bytes(data), codec, error.flaw, message_of(error))
    return Content(bytes(data[:limit_bytes]), codec, Flaw.LONGER, _more(limit_bytes))


def _read_plain(stream: Stream, limit_bytes: int) -> Content:
    """What is stored as it is comes in one piece: nothing of it is copied again."""
    try:
        data = stream.read(limit_bytes + 1)
    except BrokenStream as error:
        return Content(b"", None, error.flaw, message_of(error))
    if len(data) <= limit_bytes:
        return Content(data, None, None, "")
    return Content(data[:limit_bytes], None, Flaw.LONGER, _more(limit_bytes))


def _more(limit_bytes: int) -> str:
    return tr("decompresses to more than {limit} bytes", limit=limit_bytes)
