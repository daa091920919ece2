"""The checksums of many pages at once, in numpy columns: where no compiled engine is."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from parsers.files.data_page import Blocks, PagesSeen, Replayed

Words = npt.NDArray[np.uint32]
Numbers = npt.NDArray[np.int64]

_PRIME: Final = np.uint32(16777619)
_SHIFT: Final = np.uint32(17)
_SUMS: Final = 32  # columns of a page, each summed by itself
_BASE_OFFSETS: Final = np.array([
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756,
], np.uint32)  # fmt: skip
_LSN_HIGH, _LSN_LOW, _CHECKSUM, _UPPER = 0, 1, 2, 3  # words of the header that hold them
_LOW_HALF: Final = np.uint32(0xFFFF)
_HIGH_HALF: Final = np.uint32(0xFFFF0000)


def page_checksums(words: Words, blocks: Numbers) -> Words:
    """The checksum that each page should have: pg_checksum_page.

    `words` has a row a page; `blocks` are their numbers in the fork, all its segments counted.
    """
    rows = words.reshape(len(words), -1, _SUMS)
    sums = np.repeat(_BASE_OFFSETS[np.newaxis], len(rows), axis=0)
    mixed, shifted = np.empty_like(sums), np.empty_like(sums)
    first = rows[:, 0].copy()
    first[:, _CHECKSUM] &= _HIGH_HALF  # the checksum itself counts as zero
    for number in range(rows.shape[1]):
        np.bitwise_xor(sums, rows[:, number] if number else first, out=mixed)
        _round(mixed, shifted, sums)
    for _ in range(2):  # rounds of zeros, as the server adds them
        mixed, sums = sums, mixed
        _round(mixed, shifted, sums)
    folded = np.bitwise_xor.reduce(sums, axis=1) ^ blocks.astype(np.uint32)
    checksums: Words = folded % np.uint32(65535) + np.uint32(1)
    return checksums


def _round(mixed: Words, shifted: Words, sums: Words) -> None:
    """CHECKSUM_COMP for all columns of all pages."""
    np.right_shift(mixed, _SHIFT, out=shifted)
    np.multiply(mixed, _PRIME, out=sums)
    np.bitwise_xor(sums, shifted, out=sums)


def see_columns(
    content: bytes | memoryview, block_size: int, blocks: Blocks, replayed: Replayed | None
) -> PagesSeen:
    """What `page_checks.see_pages` says: of one file or of many, it costs the same."""
    numbers = np.array(blocks, np.int64)
    words = np.frombuffer(content, np.dtype("<u4")).reshape(len(blocks), block_size // 4)
    unused = (words[:, _UPPER] & _HIGH_HALF) == 0  # PageIsNew
    lsns = words[:, _LSN_HIGH].astype(np.uint64) << np.uint64(32) | words[:, _LSN_LOW]
    differs = page_checksums(words, numbers) != words[:, _CHECKSUM] & _LOW_HALF
    newer = _are_newer(lsns, replayed) & ~unused
    empty = unused.copy()
    empty[unused] = ~words[unused].any(axis=1)
    judged = ~unused & ~newer
    return PagesSeen(
        checked=int(np.count_nonzero(judged)),
        new=int(np.count_nonzero(empty)),
        newer=int(np.count_nonzero(newer)),
        damaged=np.flatnonzero(judged & differs).tolist(),
        headless=np.flatnonzero(unused & ~empty).tolist(),
    )


def _are_newer(lsns: npt.NDArray[np.uint64], replayed: Replayed | None) -> npt.NDArray[np.bool_]:
    """Which pages replay writes again.

    No page of a backup is newer than its end: a later LSN is a part of what is damaged.
    """
    if replayed is None:
        return np.zeros(len(lsns), np.bool_)
    newer = lsns >= np.uint64(replayed.start_lsn)
    if replayed.end_lsn is not None:
        newer &= lsns <= np.uint64(replayed.end_lsn)
    return newer
