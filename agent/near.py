"""What was probably meant by a word that nothing here is called."""

from __future__ import annotations

import re
from collections.abc import Iterable

from parsers.sentences import tr


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one that looks most like it; case, `-`, `_`, `.` and blanks count for nothing.

    >>> nearest("--Target_Tme", ["--target-time", "--target-xid"])
    '--target-time'
    >>> nearest("--zebra", ["--target-time"]) is None
    True
    """
    plain = {_plain(each): each for each in known}
    key = _plain(word)
    begun = [each for name, each in plain.items() if len(key) > 2 and name.startswith(key)]
    if len(begun) == 1:
        return begun[0]
    import difflib  # for a word that is wrong

    close = difflib.get_close_matches(key, plain, n=1)
    return plain[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message, or nothing where no name comes near."""
    near = nearest(word, known)
    return tr(": did you mean {near}?", near=near) if near else ""


def _plain(word: str) -> str:
    return re.sub(r"[-_.\s]", "", word).casefold()
