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

from parsers.log.encoding import encode_in_each
from parsers.log.message_catalogue import Language
from parsers.log.messages.message import PRIMARY
from parsers.log.prefix import Prefix

_COLOUR: Final = b"\x1b"  # a terminal printed this line
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
        languages: Sequence[Language],
        encodings: Sequence[str],  # that lines may be in
        prefix: Prefix | None,
    ) -> None:
        self.prefix: Final = prefix
        self._patterns: list[re.Pattern[bytes]] = []
        self._needles: list[bytes] = [_STARTS, _COLOUR]
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
        begins = trie_pattern(heads)
        if prefix is None:
            self._patterns.append(re.compile(_OPENING[format_name] + begins))
            self._needles += sorted(set(fatal))
        else:
            ours = begins + rb"|[0-9A-Z]{5}: " + begins  # a SQLSTATE in verbose logs
            labels = trie_pattern(_other_labels(languages, encodings))
            passed = _line(prefix, encodings[0], labels, sorted(set(fatal)), ours)
            self._foreign = re.compile(rb"\n(?!" + passed + rb")")
        if len(self._needles) > _WALL:
            self._patterns.append(re.compile(trie_pattern(self._needles)))
            self._needles = []

    def interesting(self, block: bytes, position: int) -> list[int]:
        """Offsets of the lines from `position` on that must be read, in order.

        `block` ends in a newline, `position` is the start of a line.
        """
        found = set(self._hits(block, position))
        starts = {block.rfind(b"\n", 0, hit) + 1 for hit in found}
        if self._foreign is not None:
            begin = max(position - 1, 0)
            if position == 0 and self._foreign.match(b"\n" + block[: block.find(b"\n") + 1]):
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


# What stands before a message.
_OPENING: Final = {"csv": rb',"', "json": rb'"message" ?: ?"'}


def _line(
    prefix: Prefix, encoding: str, labels: bytes, fatal: Iterable[bytes], ours: bytes
) -> bytes:
    """A pattern for a line that need not be read.

    Most often a label follows the prefix, or a word of a session's; then none of our messages. In
    other lines none of them follows any colon; look back from there for a FATAL.
    """
    tabbed = (prefix.text or "").startswith("\t")  # where it begins no continuation
    continuation = b"" if tabbed else rb"\t|"
    if not (prefix.start and prefix.tells):
        return continuation + b"(?!)"
    deadly = b"|".join(rb"(?<=%b)" % re.escape(label) for label in fatal)
    passed = rb"(?![^\n]*:  (?:%b|%b))" % (ours, deadly)
    if prefix.gap is not None:
        gap = prefix.gap.encode(encoding, "replace")
        passed = rb"(?:%b(?:%b|[^\n: ]*+ %b)(?!%b)|%b)" % (gap, labels, labels, ours, passed)
    return continuation + prefix.start.encode(encoding, "replace") + passed


def _other_labels(languages: Sequence[Language], encodings: Sequence[str]) -> set[bytes]:
    """The labels of messages that may be passed over, and of a message's parts."""
    labels: set[bytes] = set()
    for language in languages:
        for severity, english in language.severities.items():
            if english not in _FATAL:
                labels |= encode_in_each(_label(severity, "stderr"), encodings)
        for part in language.labels:
            labels |= encode_in_each(f"{part}  ", encodings)
    return labels


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
