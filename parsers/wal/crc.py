"""CRC-32C as WAL records, pg_control and backup manifests use it.

Castagnoli polynomial, reflected, initial and final XOR of all ones: src/include/port/pg_crc32c.h.
Concatenation follows the zlib idea of multiplying by x^(8n) modulo the polynomial: it joins the
two halves of a record whose bytes lie in segments that were read apart.
"""

from __future__ import annotations

from typing import Final

import google_crc32c

POLYNOMIAL: Final = 0x82F63B78
_ONE: Final = 0x80000000  # x^0, bits reflected


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
        b = b >> 1 ^ (POLYNOMIAL if b & 1 else 0)
    return product


def _power_of_x(exponent: int) -> int:
    result, square = _ONE, _ONE >> 1
    while exponent:
        if exponent & 1:
            result = _multiply(square, result)
        square = _multiply(square, square)
        exponent >>= 1
    return result
