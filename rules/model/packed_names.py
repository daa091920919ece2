"""Very many names of segments, packed as their 12 bytes each, and sorted as columns.

A loop over names costs what reading them from their directory does; here it is a tenth of that. To
import numpy costs as much as a loop over some hundred thousand, so it is for more than those.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

_DIGITS: Final = 24
_PACKED_BYTES: Final = 12


def pack_names(names: list[str], suffix: str = "") -> bytes | None:
    """The 24 digits of names that end in `suffix`; None where one of them is no segment's."""
    if set(map(len, names)) != {_DIGITS + len(suffix)}:
        return None
    if suffix:
        if {name[_DIGITS:] for name in names} != {suffix}:
            return None
        names = [name[:_DIGITS] for name in names]
    digits = "".join(names)
    try:
        packed = bytes.fromhex(digits)
    except ValueError:
        return None
    if len(packed) != _PACKED_BYTES * len(names) or digits.upper() != digits:
        return None  # it takes spaces and small letters as well
    # A log has 4096 segments at the most: FFF in the last four bytes.
    beyond = any(packed[8::12]) or any(packed[9::12]) or max(packed[10::12]) > 0xF
    return None if beyond else packed


def logs_of(packed: bytes | bytearray) -> dict[str, int]:
    """What `SegmentNames` keeps of them."""
    import numpy as np

    columns = np.frombuffer(packed, ">u4").reshape(-1, _PACKED_BYTES // 4)
    logs: dict[str, int] = {}
    for timeline in np.unique(columns[:, 0]).tolist():
        own = columns[columns[:, 0] == timeline]
        keys = own[:, 1].astype(np.uint64) << np.uint64(12) | own[:, 2].astype(np.uint64)
        keys.sort()
        places = keys >> np.uint64(12)
        ends = [0, *(np.flatnonzero(places[1:] != places[:-1]) + 1).tolist(), len(keys)]
        for begin, end in pairwise(ends):
            log = f"{timeline:08X}{int(places[begin]):08X}"
            logs[log] = _bits((keys[begin:end] & np.uint64(0xFFF)).tolist())
    return logs


def _bits(numbers: list[int]) -> int:
    """Of numbers in order."""
    first, last = numbers[0], numbers[-1]
    if last - first == len(numbers) - 1:
        return ((1 << len(numbers)) - 1) << first
    return sum(1 << number for number in numbers)
