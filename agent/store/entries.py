"""What every kind of store tells: an entry of a listing, a version, a range."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One object of a listing, or one file of a host."""

    key: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int


class Version(NamedTuple):
    """What an object was when it was read."""

    size_bytes: int
    tag: tuple[int, int]  # the digits that its version tag has in an Entry's times


class ObjectRange(NamedTuple):
    """A range of an object."""

    data: bytes  # shorter than asked for only at the object's end
    version: Version
