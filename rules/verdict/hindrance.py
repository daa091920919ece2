"""Why a file could not be read, told by the words of its reader, and what to do then."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from parsers.sentences import tr


class Hindrance(NamedTuple):
    """One kind of reason."""

    name: str
    words: str  # by which a reason of this kind is known; empty: every other
    remedy: str


# Of these kinds, in the system's words and in ours.
RIGHTS: Final = r"run this as its owner|forbids it|[Pp]ermission denied|not permitted"
STORE: Final = r"the store|HTTP \d{3}|credentials|broke off"
ASK_THE_STORE: Final = tr(
    "See that the store answers, and that these credentials may list and read there; then ask"
    " again."
)


def hindrance_of(reason: str, known: Iterable[Hindrance]) -> Hindrance:
    """The first whose words are in the reason. The last of those that are known has none."""
    return next(each for each in known if re.search(each.words, reason))
