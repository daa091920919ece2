"""A file that is read once and gone through several times, in little memory.

A manifest may list ten million files and be more than a gigabyte. It is kept compressed: in memory,
and in a temporary file without a name where it is still large.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import IO, Final, cast

_BLOCK_BYTES: Final = 1 << 18
_PLAIN_BYTES: Final = 8 << 20  # of most backups
_IN_MEMORY_BYTES: Final = 64 << 20  # compressed
_LEVEL: Final = 1


class Kept:
    """What a reader gave, to its end. Raises OSError where it cannot be kept."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        digest = hashlib.sha256()
        self._plain = b"".join(_blocks(read, digest.update, _PLAIN_BYTES))
        self._packed: IO[bytes] | None = None
        if len(self._plain) == _PLAIN_BYTES:
            self._packed = self._pack(read, digest.update)
        self.sha256 = digest.hexdigest()

    def _pack(self, read: Callable[[int], bytes], update: Callable[[bytes], object]) -> IO[bytes]:
        import tempfile

        from backports.zstd import ZstdCompressor

        spool = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - goes with us
        packer = ZstdCompressor(level=_LEVEL)
        for block in _blocks(read, update):
            spool.write(packer.compress(block))
        spool.write(packer.flush())
        return cast(IO[bytes], spool)

    def blocks(self) -> Iterator[bytes]:
        """All of it from its beginning, one who goes through it at a time."""
        yield self._plain
        if self._packed is not None:
            from backports.zstd import ZstdFile

            self._packed.seek(0)
            with ZstdFile(self._packed) as file:
                yield from _blocks(file.read)


def _blocks(
    read: Callable[[int], bytes],
    update: Callable[[bytes], object] = lambda block: None,
    most: int | None = None,
) -> Iterator[bytes]:
    """Pieces to the end, or to so many bytes, each told to `update` first."""
    left = most
    while block := read(_BLOCK_BYTES if left is None else min(left, _BLOCK_BYTES)):
        update(block)
        yield block
        if left is not None:
            left -= len(block)
