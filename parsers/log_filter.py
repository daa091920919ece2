"""Which lines of a log need to be read at all: a filter on bytes, before any decoding.

A busy server writes gigabytes of traffic around a few lines of recovery. A line is passed over when
it surely is a server's (the prefix begins it, or the TAB of a continuation) and surely none of our
messages (none of their beginnings follows its label). Everything else is read properly; so the
filter changes the cost, never what is found.

The patterns are shaped for the regular expression engine: each begins with a literal, that it finds
at the speed of memory, and alternatives share their first letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from parsers.log_encoding import encode_in_each
from parsers.log_prefix import Prefix
from parsers.message_catalogue import Language
from parsers.messages.message import PRIMARY

_STARTS: Final = b", compiled by "  # a server's first line, in any language
_FATAL: Final = ("FATAL", "PANIC")
_STAND_INS: Final = (b"?", b"<", b'"')  # for a foreign character that an ASCII locale cannot print
_COMMANDS: Final = ("recovery_end_command", "archive_cleanup_command", "restore_command")
_WALL: Final = 20  # needles: more of them are looked for together


class LineFilter:
    """Finds the lines of a block that must be read."""

    def __init__(
        self,
        format_name: str,
        languages: Iterable[Language],
        encodings: Sequence[str],  # that lines may be in
        prefix: Prefix | None,
    ) -> None:
        self._patterns: list[re.Pattern[bytes]] = []
        self._needles: list[bytes] = [_STARTS]
        self._foreign: re.Pattern[bytes] | None = None
        heads: set[bytes] = set()
        fatal: list[bytes] = []
        for language in languages:
            for head, needle in _beginnings(language):
                if needle is not None:
                    self._needles += sorted(_encoded(needle, format_name, encodings))
                heads |= _variants(head, format_name, encodings) if head else set()
            for severity, english in language.severities.items():
                if english in _FATAL:
                    fatal += encode_in_each(_label(severity, format_name), encodings)
        opening, begins = _OPENING[format_name], trie_pattern(heads)
        if format_name == "stderr":  # the label's end is the opening: look back for a FATAL
            behind = b"|".join(b"(?<=" + re.escape(label) + b")" for label in sorted(set(fatal)))
            self._patterns.append(re.compile(rb":  (?:" + behind + b"|" + opening + begins + b")"))
        else:
            self._patterns.append(re.compile(opening + begins))
            self._needles += sorted(set(fatal))
        if len(self._needles) > _WALL:
            self._patterns.append(re.compile(trie_pattern(self._needles)))
            self._needles = []
        if format_name == "stderr" and prefix is not None:
            start = prefix.start.encode(encodings[0], "replace") if prefix.start else b"(?!)"
            self._foreign = re.compile(rb"\n(?!\t|" + start + rb")")

    def interesting(self, block: bytes, position: int) -> list[int]:
        """Offsets of the lines from `position` on that must be read, in order.

        `block` ends in a newline, `position` is the start of a line.
        """
        found = set(self._hits(block, position))
        starts = {block.rfind(b"\n", 0, hit) + 1 for hit in found}
        if self._foreign is not None:
            begin = max(position - 1, 0)
            if begin == 0 and position == 0 and self._foreign.match(b"\n" + block[:200]):
                starts.add(0)
            starts |= {hit.start() + 1 for hit in self._foreign.finditer(block, begin)}
            starts.discard(len(block))
        return sorted(start for start in starts if start >= position)

    def _hits(self, block: bytes, position: int) -> Iterator[int]:
        for pattern in self._patterns:
            yield from (hit.start() for hit in pattern.finditer(block, position))
        for needle in self._needles:
            hit = block.find(needle, position)
            while hit >= 0:
                yield hit
                hit = block.find(needle, hit + 1)


# What stands before a message: a quote; a SQLSTATE in verbose logs.
_OPENING: Final = {
    "stderr": rb"(?:[0-9A-Z]{5}: )?",
    "csv": rb',"',
    "json": rb'"message":"',
}


def _label(severity: str, format_name: str) -> str:
    return {"stderr": f"{severity}:  ", "csv": f",{severity},", "json": f'"{severity}"'}[
        format_name
    ]


def _beginnings(language: Language) -> Iterator[tuple[str, str | None]]:
    """How each primary message begins; a needle for those that begin with a value."""
    for message, text in language.texts():
        if message.part != PRIMARY:
            continue
        head = text.split("%", 1)[0]
        if message.fields and message.fields[0] == "recovery_command":
            yield from ((command, None) for command in _COMMANDS)
        elif head and head != '"':
            yield head[:12], None
        else:
            literals = re.split(r"%[^a-zA-Z%]*(?:ll|l|z)?[a-zA-Z%]", text)
            yield "", max(literals, key=len)


def _variants(head: str, format_name: str, encodings: Sequence[str]) -> set[bytes]:
    """The head as it is, and as an ASCII locale begins it."""
    variants = _encoded(head, format_name, encodings)
    if not head.isascii():
        plain = next(head[:at] for at in range(len(head)) if not head[at].isascii())
        variants |= {plain.encode()} if plain else set(_STAND_INS)
    return variants


def _encoded(text: str, format_name: str, encodings: Sequence[str]) -> set[bytes]:
    if format_name != "stderr":
        text = text.replace('"', '""' if format_name == "csv" else '\\"')
    return encode_in_each(text, encodings)


def trie_pattern(texts: Iterable[bytes]) -> bytes:
    """A pattern for any of the texts, whose alternatives never begin alike.

    >>> trie_pattern([b"redo", b"read"])
    b're(?:ad|do)'
    """
    words = sorted(set(texts))
    if b"" in words or not words:
        return b"" if words else b"(?!)"
    common = _common_start(words)
    rest: dict[int, list[bytes]] = {}
    for word in words:
        if len(word) == len(common):
            return re.escape(common)  # a shorter text covers those that go on
        rest.setdefault(word[len(common)], []).append(word[len(common) :])
    branches = b"|".join(trie_pattern(group) for group in rest.values())
    return re.escape(common) + (b"(?:" + branches + b")" if len(rest) > 1 else branches)


def _common_start(words: list[bytes]) -> bytes:
    first, last = words[0], words[-1]
    length = next(
        (at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
        min(len(first), len(last)),
    )
    return first[:length]
