"""CRC-32C of many records at once, in numpy columns: `parsers.wal.crc` has the single ones."""

from __future__ import annotations

import functools
from typing import Final

import google_crc32c
import numpy as np
import numpy.typing as npt

from parsers.wal.crc import POLYNOMIAL

Words = npt.NDArray[np.uint32]
Offsets = npt.NDArray[np.int64]

_SHORT_BYTES: Final = 96  # where a call of its own becomes the cheaper way


def extend_with_words(crcs: Words, columns: list[Words]) -> Words:
    """Continue many checksums at once, each by one 4-byte little-endian word a column."""
    state = ~crcs
    for column in columns:
        state = _advance(state ^ column)
    return ~state


def _advance(state: Words) -> Words:
    """Shift four bytes out of each state."""
    low, high = _tables()
    return low.take(state & np.uint32(0xFFFF)) ^ high.take(state >> np.uint32(16))


def crcs_of(data: bytes, starts: Offsets, lengths: Offsets) -> Words:
    """Checksums of many slices of `data`, each of which starts at a multiple of 4.

    Slices too short to be worth a call each go through the tables together, a word at a time.
    """
    crcs = np.empty(len(starts), np.uint32)
    short = lengths <= _SHORT_BYTES
    crcs[short] = _crcs_by_words(data, starts[short], lengths[short])
    begin, length = starts[~short], lengths[~short]
    slices = map(slice, begin.tolist(), (begin + length).tolist())
    values = map(google_crc32c.value, map(data.__getitem__, slices))
    crcs[~short] = np.fromiter(values, np.uint32, len(begin))
    return crcs


def _crcs_by_words(data: bytes, starts: Offsets, lengths: Offsets) -> Words:
    order = np.argsort(-lengths, kind="stable")  # the longest first: active ones stay in front
    starts, counts = starts[order], lengths[order] >> 2
    words, first = np.frombuffer(data, "<u4", len(data) // 4), starts >> 2
    state = np.full(len(starts), 0xFFFFFFFF, np.uint32)
    for step in range(int(counts[0]) if len(counts) else 0):
        active = int(np.searchsorted(-counts, -step))
        state[:active] = _advance(state[:active] ^ words.take(first[:active] + step))
    _finish(data, state, starts + (counts << 2), lengths[order] & 3)
    crcs = np.empty_like(state)
    crcs[order] = ~state
    return crcs


def _finish(data: bytes, state: Words, ends: Offsets, rest: Offsets) -> None:
    """Take in the one to three bytes after the last whole word of each slice."""
    raw = np.frombuffer(data, np.uint8)
    for step in range(3):
        rows = np.flatnonzero(rest > step)
        state[rows] = _step(state[rows] ^ raw[ends[rows] + step], _byte_table())


@functools.cache
def _byte_table() -> Words:
    byte = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        byte = byte >> np.uint32(1) ^ np.where(byte & 1, np.uint32(POLYNOMIAL), np.uint32(0))
    return byte


@functools.cache
def _tables() -> tuple[Words, Words]:
    """What the low and the high half of a 32-bit state become after four bytes."""
    byte = _byte_table()
    high = _step(_step(np.arange(65536, dtype=np.uint32), byte), byte)
    return _step(_step(high, byte), byte), high


def _step(state: Words, byte: Words) -> Words:
    """Shift one byte out of each state."""
    shifted: Words = byte[state & np.uint32(0xFF)] ^ state >> np.uint32(8)
    return shifted
