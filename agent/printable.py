"""Text of others' making, for a terminal that shows it and does not obey it."""

from __future__ import annotations


def printable(line: str) -> str:
    r"""Escape what is not printed: names of files and lines of logs are anybody's.

    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
