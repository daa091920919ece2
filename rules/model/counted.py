"""Numbers of things, bytes and seconds, as a person reads them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import reduce
from typing import Final

from parsers.sentences import tr, trn

_SIZES: Final = ("KiB", "MiB", "GiB", "TiB", "PiB")
_TIMES: Final = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def counted(number: int, noun: str) -> str:
    """The number and its noun, which is in the plural unless there is one.

    >>> counted(1, "segment"), counted(2, "history file"), counted(0, "backup")
    ('1 segment', '2 history files', '0 backups')
    """
    return trn(f"{{n}} {noun}", f"{{n}} {noun}s", number)


def among(names: Collection[str]) -> str:
    """One name, or how many there are and between which they lie.

    >>> among(["000000010000000000000007"]), among(["a", "c", "b"])
    ('000000010000000000000007', '3 segments from a to c')
    """
    if len(names) == 1:
        return min(names)
    return tr(
        "{count} segments from {first} to {last}",
        count=len(names),
        first=min(names),
        last=max(names),
    )


def all_of(names: Iterable[str]) -> str:
    """The names, one and all.

    >>> all_of(["a", "b"])
    'a and b'
    """
    return reduce(lambda one, other: tr("{one} and {other}", one=one, other=other), names)


def verb(number: int, one: str, many: str) -> str:
    """The form of a verb that goes with a number of things: `is` or `are`."""
    return one if number == 1 else many


def sized(count: float) -> str:
    """Bytes in binary units.

    >>> sized(512), sized(1536), sized(395888)
    ('512 B', '1.5 KiB', '387 KiB')
    """
    unit = "B"
    for larger in _SIZES:
        if count < 1024:
            break
        count, unit = count / 1024, larger
    if count < 10 and unit != "B":
        return tr("{count:.1f} {unit}", count=count, unit=unit)
    return f"{count:.0f} {unit}"


def timed(seconds: float) -> str:
    """Seconds in the two largest units that they have.

    >>> timed(42), timed(1735), timed(86400)
    ('42 s', '28 m 55 s', '1 d')
    """
    left, parts = round(seconds), list[str]()
    for unit, length in _TIMES:
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
