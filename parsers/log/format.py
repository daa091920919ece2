"""What a reader of a server log gives, and the reader of stderr with its prefix.

For the other formats see `csvlog`, `jsonlog` and `syslog`.

A reader is fed whole lines and gives records, foreign lines (what other programs wrote into the
file) and `Unparsed`. DETAIL, HINT, CONTEXT, STATEMENT and continuation lines are joined to their
record, which is therefore only complete when the next begins, or when nothing more comes (`close`).

Follows src/backend/utils/error/elog.c: send_message_to_server_log, append_with_tabs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, Final, Protocol

from parsers.errors import Unparsed
from parsers.log.damage import BLANKS, repair
from parsers.log.message_catalogue import ENGLISH, Language
from parsers.log.prefix import Prefix, gap_words, infer_prefix, is_plainer, parse_prefix
from parsers.log.tool_lines import without_dots
from parsers.sentences import tr
from parsers.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One message of the server with all its parts."""

    severity: str  # in English where the label is known, else as printed
    message: str
    stamp: str | None = None  # local time with its abbreviation, as printed
    epoch: str | None = None  # seconds since 1970, as printed (%n)
    pid: int | None = None
    backend_type: str | None = None
    session: bool = False  # the line has values that only a client's session has
    ambiguous: bool = False  # the line can be read as a client's too, with another message
    doubtful: bool = False  # the format does not prove who wrote it
    user: str | None = None  # of the session; None: the format does not tell, or there is none
    database: str | None = None
    xid: int | None = None  # of the transaction that is open; 0: none has a number
    detail: str | None = None
    hint: str | None = None
    context: str | None = None
    statement: str | None = None


def repaired(record: LogRecord) -> LogRecord:
    """A record whose text a terminal or a browser damaged, as it was."""
    return replace(
        record,
        message=repair(record.message),
        detail=repair(record.detail or "") or None,
        hint=repair(record.hint or "") or None,
        context=repair(record.context or "") or None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignLine:
    """A line that no server process wrote: a child command's output, the linker's, a person's."""

    text: str


LogItem = LogRecord | ForeignLine | Unparsed


class LogReader(Protocol):
    """What reads one format."""

    begun: int  # records begun so far

    @property
    def holds(self) -> bool:
        """A record is open: lines that come may belong to it."""

    def read(self, line: str) -> Iterator[LogItem]:
        """Take one line without its newline, and give what is complete now."""

    def close(self) -> Iterator[LogItem]:
        """Give what was held: nothing more belongs to it."""

    def use(self, languages: Iterable[Language]) -> None:
        """Read the labels of these languages from now on."""


# -- stderr ---------------------------------------------------------------------------------------

_VERBOSE: Final = re.compile(r"\A(?=[0-9A-Z]*\d)[0-9A-Z]{5}: ")
_UNKNOWN_LABEL: Final = (
    r"(?P<unknown>[^\W\d_]{1,40}+(?: [^\W\d_]{1,40}+)?(?: \([A-Z]{1,10}\))?) ?:  "
)
_MAX_PART: Final = 65536  # characters kept of one part of a record
_MAX_PIECE: Final = 8192  # characters of a foreign line in which a server's may begin
_MAX_STARTS: Final = 32  # places in them that are looked at
# How a child command's message begins: `cp: `.
_PROGRAM: Final = re.compile(r"(?:/\S*/)?[A-Za-z][\w.+-]{0,40}: ")


class StderrReader:
    """Lines of a stderr log under one prefix, in the languages given.

    A child command writes its message in pieces (error() of the C library writes the program's
    name, the text, the reason and the newline one by one), and the server's own lines come between
    them: `cp: 2025-07-10 12:04:16.558 MST [7] LOG:  ...`. The pieces are joined to one line.
    """

    def __init__(
        self,
        prefix: Prefix,
        languages: Iterable[Language] = (ENGLISH,),
        *,
        collapsed: bool = False,  # a browser made one blank of the two after a label
    ) -> None:
        self.prefix = prefix
        self._collapsed = collapsed
        self.begun = 0
        self._tabbed = (prefix.text or "").startswith("\t")
        self._draft: dict[str, Any] | None = None
        self._part = "message"
        self._piece = ""  # of a foreign line, whose rest has not come yet
        self.use(languages)

    def use(self, languages: Iterable[Language]) -> None:
        self._languages = tuple(languages)
        self._start = re.compile(self.prefix.start) if self.prefix.start else None
        self._severities: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        for language in self._languages:
            self._severities |= language.severities
            self._labels |= language.labels
        label = label_pattern(self._severities, self._labels, collapsed=self._collapsed)
        self._label = re.compile(label)
        rest = r"(?P<rest>.*)\Z"
        self._session = re.compile(self.prefix.session + label + rest, re.DOTALL)
        self._background = re.compile(self.prefix.background + label + rest, re.DOTALL)
        self._foreign = re.compile(self.prefix.background + _UNKNOWN_LABEL + rest, re.DOTALL)

    def read(self, line: str) -> Iterator[LogItem]:
        groups = None
        if not line.startswith("\t") or self._tabbed:
            line = self._take_piece(without_dots(line))
            groups = self._match(line)
            mended = repair(line) if groups is None else line
            if mended != line:
                groups = self._match(mended)
                line = mended if groups is not None else line
        if groups is None and line.startswith("\t"):
            yield from self._continue(line, line[1:])
            return
        if groups is None:
            yield from self._close_record()
            line, self._piece = self._piece + line, ""
            yield ForeignLine(text=line)
        elif groups.get("part"):
            yield from self._open_part(groups, line)
        else:
            yield from self._close_record()
            self._learn(groups, line)
            self._draft = self._begin(groups)
            self._part = "message"
            self.begun += 1

    def read_on(self, line: str) -> Iterator[LogItem]:
        """Take a line that surely belongs to the record that is open: none can begin in it."""
        groups = None if line.startswith("\t") else self._match(line)
        if groups is not None and groups.get("part"):
            yield from self._open_part(groups, line)
        else:
            yield from self._continue(line, line.removeprefix("\t"))

    def begins(self, line: str) -> bool:
        """Tell whether a line looks like the first of a record."""
        groups = self._match(line)
        return groups is not None and not groups.get("part")

    def is_part(self, line: str) -> bool:
        """Tell whether a line is a DETAIL, HINT or the like of a record before it."""
        groups = self._match(line)
        return groups is not None and bool(groups.get("part"))

    def _continue(self, line: str, text: str) -> Iterator[LogItem]:
        if self._draft is None:
            yield Unparsed(text=line, reason=tr("a continuation line without its record"))
        else:
            self._append("\n" + text)

    @property
    def holds(self) -> bool:
        return self._draft is not None

    def close(self) -> Iterator[LogItem]:
        yield from self._close_record()
        if self._piece:
            piece, self._piece = self._piece, ""
            yield ForeignLine(text=piece)

    def _close_record(self) -> Iterator[LogItem]:
        if self._draft is not None:
            draft, self._draft = self._draft, None
            parts = {part: draft[part].rstrip(BLANKS) for part in _KEPT_PARTS if draft.get(part)}
            yield LogRecord(**draft | parts)

    def _take_piece(self, line: str) -> str:
        """Keep the piece of a foreign line that a record's first line follows; give that one.

        What has a label before it is a server's line under another prefix, and the rest of it may
        be a client's text. Where a session's value may stand before the prefix's first, the piece
        may be that value: the line is given whole, and shows a session.
        """
        if self._start is None or self._start.match(line):
            return line
        if not self._piece and not _PROGRAM.match(line):
            return line
        for hit in islice(self._start.finditer(line, 0, _MAX_PIECE), _MAX_STARTS):
            piece, rest = line[: hit.start()], line[hit.start() :]
            if ":  " in piece or not (self._piece or _PROGRAM.match(piece)):
                break
            if self.begins(rest):
                self._piece = (self._piece + piece)[:_MAX_PART]
                return rest if self.prefix.leads else line
        return line

    def _match(self, line: str) -> dict[str, Any] | None:
        """The named parts of a line, with `session` and `ambiguous`; None for a foreign line."""
        background = self._background.match(line)
        session = self._session.match(line) if self.prefix.words is None else None  # they differ
        match = background or session or self._foreign.match(line)
        if match is None:
            return None
        groups: dict[str, Any] = match.groupdict()
        prefix = self.prefix
        if prefix.words is not None:
            groups["session"] = not gap_words(groups) <= prefix.words
            groups["ambiguous"] = self._label.search(groups["rest"]) is not None
        else:
            groups["session"] = background is None and session is not None
            groups["ambiguous"] = bool(  # a session's values may look like a whole line
                background and session and session.start("rest") != background.start("rest")
            )
        return groups

    def _learn(self, groups: Mapping[str, Any], line: str) -> None:
        """Infer the prefix anew from a line with fewer words: a client's may have been the first.

        `groups` of the line stay as they are.
        """
        severity = groups.get("severity")
        if not is_plainer(gap_words(groups), self.prefix) or not severity or groups["ambiguous"]:
            return
        prefix = infer_prefix(line[: len(line) - len(groups["rest"])].rpartition(severity)[0])
        if re.compile(prefix.session).groupindex == re.compile(self.prefix.session).groupindex:
            self.prefix = prefix
            self.use(self._languages)

    def _begin(self, groups: Mapping[str, Any]) -> dict[str, Any]:
        severity = groups.get("severity")
        return {
            "severity": self._severities[severity] if severity else groups["unknown"],
            "message": without_sqlstate(groups["rest"]),
            "stamp": groups.get("stamp"),
            "epoch": groups.get("epoch"),
            "pid": _pid(groups),
            "backend_type": (groups.get("backend_type") or "").strip() or None,
            "session": groups["session"],
            "ambiguous": groups["ambiguous"],
            "doubtful": self._tabbed,
            "user": (groups.get("user") or "").strip(" ") or None,
            "database": (groups.get("database") or "").strip(" ") or None,
            "xid": parse_number(groups.get("xid")),
        }

    def _open_part(self, groups: Mapping[str, Any], line: str) -> Iterator[LogItem]:
        draft = self._draft
        if draft is None or draft["pid"] != _pid(groups):
            yield from self.close()
            yield Unparsed(
                text=line, reason=tr("a {part} line without its record", part=groups["part"])
            )
            return
        self._part = self._labels[groups["part"]]
        if self._part in _KEPT_PARTS:
            draft[self._part] = groups["rest"]

    def _append(self, text: str) -> None:
        draft = self._draft
        if draft is not None and self._part in _KEPT_PARTS and len(draft[self._part]) < _MAX_PART:
            draft[self._part] += text


def without_sqlstate(message: str) -> str:
    """The message without what log_error_verbosity = verbose puts before it."""
    return _VERBOSE.sub("", message, count=1)


def parse_number(text: str | None) -> int | None:
    """A number of at most 20 digits; None for any other text."""
    return int(text) if text and text.isdecimal() and len(text) <= 20 else None


def _pid(groups: Mapping[str, Any]) -> int | None:
    """The pid of a line: %p, or the second half of the session id (%c)."""
    if groups.get("pid"):
        return parse_number(groups["pid"])
    session_id = groups.get("session_id")
    return int(session_id.partition(".")[2], 16) if session_id else None


_KEPT_PARTS: Final = frozenset({"message", "detail", "hint", "context", "statement"})


def label_pattern(
    severities: Iterable[str], labels: Iterable[str], *, collapsed: bool = False
) -> str:
    """A pattern for the label that follows the prefix: `LOG:  ` or `DETAIL:  `."""
    blanks = " {1,2}" if collapsed else "  "
    pattern = rf"(?P<severity>{_longest_first(severities)}) ?:{blanks}"
    parts = _longest_first(labels)
    return rf"(?:{pattern}|(?P<part>{parts})(?:[ \u00a0]|&nbsp;){{0,2}})" if parts else pattern


def _longest_first(texts: Iterable[str]) -> str:
    return "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))


PLAIN: Final = parse_prefix("")
