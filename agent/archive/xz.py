"""xz files as streams, in bounded memory: a header may ask for a dictionary of 4 GiB.

Python's lzma.open knows no limit. What needs more than xz's own strongest preset raises OSError: it
was not read, which says nothing of what is in it.
"""

from __future__ import annotations

import errno
import io
import lzma
from typing import IO, Final

from parsers.sentences import tr

LZMAError = lzma.LZMAError
_MEMORY_BYTES: Final = 128 << 20  # `xz -9` needs half of it
_PIECE_BYTES: Final = 1 << 18
_MAGIC: Final = b"\xfd7zXZ\0"


def open(file: IO[bytes], mode: str = "rb") -> io.BufferedReader:  # noqa: A001  # as lzma's
    """The file's bytes, decompressed. Reading raises LZMAError, EOFError, OSError."""
    assert mode == "rb"
    return io.BufferedReader(_Reader(file), _PIECE_BYTES)


class _Reader(io.RawIOBase):
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._ahead = b""  # read, and not given to the stream
        self._stream = lzma.LZMADecompressor(memlimit=_MEMORY_BYTES)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._stream.eof or self._goes_on():
            if data := self._decompress(len(buffer)):
                buffer[: len(data)] = data
                return len(data)
        return 0

    def _goes_on(self) -> bool:
        """Begin the next stream, after zeros. What is none is passed over, as lzma.open does."""
        following = self._stream.unused_data.lstrip(b"\0")
        while len(following) < len(_MAGIC) and (piece := self._file.read(_PIECE_BYTES)):
            following = (following + piece).lstrip(b"\0")
        if not following or following[: len(_MAGIC)] != _MAGIC[: len(following)]:
            return False
        self._stream = lzma.LZMADecompressor(memlimit=_MEMORY_BYTES)
        self._ahead = following
        return True

    def _decompress(self, most: int) -> bytes:
        piece, self._ahead = self._ahead, b""
        if not piece and self._stream.needs_input:
            piece = self._file.read(_PIECE_BYTES)
            if not piece:
                raise EOFError
        try:
            return self._stream.decompress(piece, most)
        except (lzma.LZMAError, MemoryError) as error:
            if isinstance(error, lzma.LZMAError) and "emory usage limit" not in str(error):
                raise
            what = tr(
                "xz: it takes more than {size} MiB of memory: not read",
                size=_MEMORY_BYTES >> 20,
            )
            raise OSError(errno.ENOMEM, what) from None
