"""CRC-32C as WAL records, pg_control and backup manifests use it.

Castagnoli polynomial, reflected, initial and final XOR of all ones: src/include/port/pg_crc32c.h.
Concatenation follows the zlib idea of multiplying by x^(8n) modulo the polynomial: it joins the
two halves of a record whose bytes lie in segments that were read apart.
"""

from __future__ import annotations

import functools
from typing import Final

import google_crc32c
import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]
Offsets = npt.NDArray[np.int64]

_POLYNOMIAL: Final = 0x82F63B78
_ONE: Final = 0x80000000  # x^0, bits reflected
_SHORT_BYTES: Final = 96  # where a call of its own becomes the cheaper way


def crc32c(data: bytes, crc: int = 0) -> int:
    """Checksum of `data`, continuing `crc` (that of the bytes before).

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    return int(google_crc32c.extend(crc, data))


def crc32c_join(first: int, second: int, second_bytes: int) -> int:
    """Checksum of A+B from those of A and of B, and B's length in bytes.

    >>> crc32c_join(crc32c(b"1234"), crc32c(b"56789"), 5) == crc32c(b"123456789")
    True
    """
    return _multiply(_power_of_x(8 * second_bytes), first) ^ second


def _multiply(a: int, b: int) -> int:
    """Product of two polynomials modulo CRC-32C's."""
    product = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product


def _power_of_x(exponent: int) -> int:
    result, square = _ONE, _ONE >> 1
    while exponent:
        if exponent & 1:
            result = _multiply(square, result)
        square = _multiply(square, square)
        exponent >>= 1
    return result


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
    """Take in the one to three bytes behind the last whole word of each slice."""
    raw = np.frombuffer(data, np.uint8)
    for step in range(3):
        rows = np.flatnonzero(rest > step)
        state[rows] = _step(state[rows] ^ raw[ends[rows] + step], _byte_table())


@functools.cache
def _byte_table() -> Words:
    byte = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        byte = byte >> np.uint32(1) ^ np.where(byte & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
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
