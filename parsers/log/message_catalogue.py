"""What the server's messages mean: matchers compiled from its own message ids, in any language.

An id is a C format string (``redo starts at %X/%X``), of whose literals and conversions the matcher
for the finished text is made (`parsers.log.format_string`). A translation is the same
id's msgstr (``redo comienza en %X/%X``), whose conversions may be reordered (``%2$s``). The ids are
in `parsers.log.messages`; the translations come from the server's compiled catalogues (gettext .mo,
see `Language`), so no translation is kept here.

Follows src/backend/utils/error/elog.c (expand_fmt_string, ``%m``) and the GNU gettext MO format.
"""

from __future__ import annotations

import functools
import gettext
import io
import re
import struct
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from parsers.errors import ParseError
from parsers.log.messages import TABLE
from parsers.log.messages.event import Event
from parsers.log.messages.message import Message
from parsers.log.times import Zone, parse_instant, parse_log_time
from parsers.lsn import parse_lsn
from parsers.sentences import tr
from parsers.values import dataclass

FieldValue = str | int | datetime | None
Fields = Mapping[str, FieldValue]


# -- matchers -------------------------------------------------------------------------------------

_LSN: Final = r"[0-9A-F]{1,8}/[0-9A-F]{1,8}"
_KIND_PATTERN: Final = {
    "lsn": _LSN,
    "string": r".*?",
    "number": r"-?\d+",
    "hex": r"[0-9A-Fa-f]+",
    "seconds": r"\d+[.,]\d{2,3}",
    "decimal": r"[\d.,]+",
    "errno": r".+",
}
_INSTANT: Final = (
    r"(?:\d{4,}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?[+-]\d\d(?::\d\d){0,2}(?: BC)?|-?infinity)"
)
_LOG_TIME: Final = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+"
# A field of one of these names is narrower than its conversion says.
_FIELD_PATTERN: Final = {
    "time": _INSTANT,
    "log_time": _LOG_TIME,
    "version": r"(?:PostgreSQL|EnterpriseDB|.* on .*compiled by).*",
    "recovery_command": r"recovery_end_command|archive_cleanup_command|restore_command",
    "work": r"checkpoint|restartpoint",
    "restored_path": r"pg_wal/RECOVERY(?:XLOG|HISTORY)",
    "wal_path": r"pg_wal/.*",
    "status_path": r"pg_wal/archive_status/.*",
    "flags": r"(?: [a-z-]+)*",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One message in one language, ready to recognise a finished text."""

    message: Message
    pattern: re.Pattern[str]
    in_ascii: Matcher | None = None  # for a text that an ASCII locale has spoilt

    def match(self, text: str, zone: Zone) -> Fields | None:
        """The fields of `text`, or None when it is another message."""
        if self.in_ascii is not None and text.isascii():
            return self.in_ascii.match(text, zone)
        found = self.pattern.match(text)
        if found is None:
            return None
        values: dict[str, FieldValue] = dict(self.message.constants)
        for name, value in found.groupdict().items():
            values[name] = _value(name, value, zone)
        return values


_NUMERIC: Final = re.compile(r"-?\d{1,20}\Z")


def _value(name: str, text: str, zone: Zone) -> FieldValue:
    if name == "lsn" or name.endswith("_lsn"):
        return parse_lsn(text)
    if name == "time":
        return parse_instant(text)
    if name == "log_time":
        return parse_log_time(text, zone)
    if name in _TEXT_FIELDS:
        return text
    return int(text) if _NUMERIC.match(text) else text


# Fields whose text may look like a number and is none.
_TEXT_FIELDS: Final = frozenset(
    {"name", "file", "path", "value", "slot", "command", "magic", "info"}
)


def compile_matcher(message: Message, text: str | None = None) -> Matcher:
    """Make the matcher of `message`, or of its translation `text`. Raises ParseError."""
    wording = message.id if text is None else text
    exact = _compile(message, wording, re.escape)
    if wording.isascii():
        return exact
    return replace(exact, in_ascii=_compile(message, wording, _loose))


def _compile(message: Message, text: str, literal: Callable[[str], str]) -> Matcher:
    from parsers.log.format_string import parse_format

    names = _names_by_argument(message)
    pieces = parse_format(text)
    pattern: list[str] = []
    seen: set[str] = set()
    argument = 1
    for piece in pieces:
        if isinstance(piece, str):
            pattern.append(literal(piece))
            continue
        start = piece.argument or argument
        argument = start + piece.arguments
        name = "error" if piece.kind == "errno" else names.get(start)
        if name is None or name in seen:
            raise ParseError(f"{text!r} does not take the arguments of {message.id!r}")
        seen.add(name)
        pattern.append(f"(?P<{name}>{_FIELD_PATTERN.get(name) or _KIND_PATTERN[piece.kind]})")
    return Matcher(message=message, pattern=re.compile("".join(pattern) + r"\Z", flags=re.DOTALL))


def _names_by_argument(message: Message) -> dict[int, str]:
    from parsers.log.format_string import Conversion, parse_format

    names = iter(message.fields)
    by_argument: dict[int, str] = {}
    argument = 1
    for piece in parse_format(message.id):
        if isinstance(piece, Conversion) and piece.kind != "errno":
            by_argument[argument] = next(names)
            argument += piece.arguments
    return by_argument


_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]+")


def _loose(literal: str) -> str:
    """A pattern for a literal as a server in an ASCII locale transliterates it.

    The C library then writes ``?`` or a stand-in for each foreign character: ``>>`` for ``»``.
    """
    parts: list[str] = []
    end = 0
    for run in _NOT_ASCII.finditer(literal):
        parts.append(re.escape(literal[end : run.start()]))
        parts.append(f"{_stand_in(run[0])}{{1,{3 * len(run[0])}}}")
        end = run.end()
    return "".join(parts) + re.escape(literal[end:])


def _stand_in(run: str) -> str:
    """Letters stand for Latin letters only: a whole word of another script becomes ``???``."""
    if not run.isalpha():
        return r"[?<>\"'`,.-]"
    return r"[A-Za-z?]" if unicodedata.name(run[0], "").startswith("LATIN") else r"\?"


class Recogniser:
    """All messages of one language, found by how a text begins; each is compiled on first use."""

    _KEY: Final = 6  # characters of a text's head that index the messages

    def __init__(self, texts: Iterable[tuple[Message, str]]) -> None:
        self._by_head: dict[str, list[tuple[Message, str]]] = {}
        self._by_folded_head: dict[str, list[tuple[Message, str]]] = {}
        self._matchers: dict[tuple[str, str], Matcher | None] = {}
        for message, text in texts:
            head = text.split("%", 1)[0][: self._KEY]
            self._by_head.setdefault(head, []).append((message, text))
            folded = _NOT_ASCII.split(head, 1)[0]
            self._by_folded_head.setdefault(folded, []).append((message, text))

    def recognise(self, text: str, part: str, zone: Zone) -> tuple[Message, Fields] | None:
        """The message that `text` is, with its fields; None when it is none of ours."""
        for message, wording in self._candidates(text):
            matcher = self._matcher(message, wording) if message.part == part else None
            fields = matcher.match(text, zone) if matcher is not None else None
            if fields is not None:
                return message, fields
        return None

    def _candidates(self, text: str) -> Iterator[tuple[Message, str]]:
        """Messages that begin as `text` does, the longest common beginning first."""
        index = self._by_folded_head if text.isascii() else self._by_head
        for length in range(self._KEY, -1, -1):
            yield from index.get(text[:length], ())

    def _matcher(self, message: Message, text: str) -> Matcher | None:
        key = (message.id, text)
        if key not in self._matchers:
            try:
                self._matchers[key] = compile_matcher(message, text)
            except ParseError:
                self._matchers[key] = None  # the server cannot print it right either
        return self._matchers[key]


# -- languages ------------------------------------------------------------------------------------

_SEVERITIES: Final = (
    "DEBUG", "LOG", "INFO", "NOTICE", "WARNING", "ERROR", "FATAL", "PANIC",
)  # fmt: skip
# Line labels, by the record's part they open. The ids hold their two spaces.
_LABELS: Final = {
    "DETAIL:  ": "detail",
    "HINT:  ": "hint",
    "QUERY:  ": "query",
    "CONTEXT:  ": "context",
    "LOCATION:  ": "location",
    "BACKTRACE:  ": "backtrace",
    "STATEMENT:  ": "statement",
}
Translate = Callable[[str], str]


class Language:
    """One language of the server: its labels and the matchers of its messages."""

    def __init__(self, name: str, translate: Translate) -> None:
        self.name = name  # "en", or the catalogue's own: "es"
        self._translate = translate
        self.severities = {translate(severity): severity for severity in _SEVERITIES}
        self.labels = {translate(label).strip(): part for label, part in _LABELS.items()}
        self._recogniser: Recogniser | None = None
        self._nouns = {translate(noun): noun for noun in _PROCESS_NOUNS}

    @property
    def recogniser(self) -> Recogniser:
        """Compiled on first use: a log is in one language, the machine holds many."""
        if self._recogniser is None:
            self._recogniser = Recogniser(self.texts())
        return self._recogniser

    def speaks(self, text: str) -> bool:
        """Tell whether `text` is this language's line of a server that starts."""
        return self._starting.match(text, _NO_ZONE) is not None

    def process(self, noun: str) -> str:
        """A process noun of a message in English: `startup process`."""
        return self._nouns.get(noun, noun)

    @functools.cached_property
    def _starting(self) -> Matcher:
        return compile_matcher(_STARTING, self._translate(_STARTING.id))

    def texts(self) -> Iterator[tuple[Message, str]]:
        """The messages and their texts in this language, without those left in English."""
        for message in TABLE:
            if self.name == ENGLISH_NAME:
                yield message, message.id
                continue
            ids = [spelt for each in (message.id, *message.also) for spelt in spellings(each)]
            texts = dict.fromkeys(map(self._translate, ids))
            yield from ((message, text) for text in texts if text not in ids)


def spellings(text: str) -> Iterator[str]:
    """A message id as each release has it: from 19 on an LSN's low half is padded."""
    yield text
    for written, otherwise in (("%X/%X", "%X/%08X"), ("%X/%08X", "%X/%X")):
        if written in text:
            yield text.replace(written, otherwise)


_PROCESS_NOUNS: Final = (
    "startup process", "checkpointer process", "background writer process", "server process",
    "WAL receiver process", "archiver process", "WAL writer process",
)  # fmt: skip
_NO_ZONE: Final = Zone()
_STARTING: Final = next(message for message in TABLE if message.event == Event.SERVER_STARTING)
ENGLISH_NAME: Final = "en"
ENGLISH: Final = Language(ENGLISH_NAME, lambda text: text)


def parse_language(name: str, data: bytes) -> Language:
    """Read a compiled catalogue (the bytes of ``postgres-15.mo``). Raises ParseError."""
    try:
        catalogue = gettext.GNUTranslations(io.BytesIO(data))
    except (OSError, ValueError, LookupError, struct.error) as error:
        raise ParseError(tr("not a gettext catalogue: {error}", error=error)) from None
    return Language(name, catalogue.gettext)
