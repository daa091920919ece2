"""The formats of a server log: stderr with its prefix, csvlog, jsonlog. For syslog see log_syslog.

A reader is fed whole lines and gives records, foreign lines (what other programs wrote into the
file) and `Unparsed`. DETAIL, HINT, CONTEXT, STATEMENT and continuation lines are joined to their
record, which is therefore only complete when the next begins, or when nothing more comes (`close`).

Follows src/backend/utils/error/{elog,csvlog,jsonlog}.c: write_csvlog, write_jsonlog,
send_message_to_server_log, append_with_tabs.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from parsers.errors import Unparsed
from parsers.log_prefix import Prefix, parse_prefix, session_words
from parsers.message_catalogue import ENGLISH, Language


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One message of the server with all its parts."""

    severity: str  # in English where the label is known, else as printed
    message: str
    stamp: str | None = None  # local time with its abbreviation, as printed
    epoch: str | None = None  # seconds since 1970, as printed (%n)
    pid: int | None = None
    backend_type: str | None = None
    session: bool | None = None  # a client's; None: the format does not tell
    ambiguous: bool = False  # the line can be read as a client's too
    user: str | None = None  # of the session; None: the format does not tell, or there is none
    database: str | None = None
    xid: int | None = None  # of the transaction that is open; 0: none has a number
    detail: str | None = None
    hint: str | None = None
    context: str | None = None
    statement: str | None = None


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

_VERBOSE: Final = re.compile(r"(?=[0-9A-Z]*\d)[0-9A-Z]{5}: ")
_UNKNOWN_LABEL: Final = r"(?P<unknown>[^\W\d_][^\W\d_]*(?: [^\W\d_]+)?(?: \([A-Z]+\))?) ?:  "
_MAX_PART: Final = 65536  # characters kept of one part of a record


class StderrReader:
    """Lines of a stderr log under one prefix, in the languages given."""

    def __init__(self, prefix: Prefix, languages: Iterable[Language] = (ENGLISH,)) -> None:
        self.prefix = prefix
        self.begun = 0
        self._tabbed = (prefix.text or "").startswith("\t")
        self._draft: dict[str, Any] | None = None
        self._part = "message"
        self.use(languages)

    def use(self, languages: Iterable[Language]) -> None:
        self._severities: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        for language in languages:
            self._severities |= language.severities
            self._labels |= language.labels
        label = label_pattern(self._severities, self._labels)
        rest = r"(?P<rest>.*)\Z"
        self._session = re.compile(self.prefix.session + label + rest, re.DOTALL)
        self._background = re.compile(self.prefix.background + label + rest, re.DOTALL)
        self._foreign = re.compile(self.prefix.background + _UNKNOWN_LABEL + rest, re.DOTALL)

    def read(self, line: str) -> Iterator[LogItem]:
        groups = None
        if not line.startswith("\t") or self._tabbed:
            groups = self._match(line)
        if groups is None and line.startswith("\t"):
            yield from self._continue(line, line[1:])
            return
        if groups is None:
            yield from self.close()
            yield ForeignLine(text=line)
        elif groups.get("part"):
            yield from self._open_part(groups, line)
        else:
            yield from self.close()
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
            yield Unparsed(text=line, reason="a continuation line without its record")
        else:
            self._append("\n" + text)

    @property
    def holds(self) -> bool:
        return self._draft is not None

    def close(self) -> Iterator[LogItem]:
        if self._draft is not None:
            draft, self._draft = self._draft, None
            yield LogRecord(**draft)

    def _match(self, line: str) -> dict[str, Any] | None:
        """The named parts of a line, with `session` and `ambiguous`; None for a foreign line."""
        background, session = self._background.match(line), self._session.match(line)
        match = background or session or self._foreign.match(line)
        if match is None:
            return None
        groups: dict[str, Any] = match.groupdict()
        prefix = self.prefix
        if prefix.words is not None:
            groups["session"] = session_words(prefix, groups)
        elif prefix.tells_session:
            groups["session"] = background is None
            groups["ambiguous"] = bool(
                background and session and session.start("rest") != background.start("rest")
            )
        groups["ambiguous"] = groups.get("ambiguous", False) or self._tabbed
        return groups

    def _begin(self, groups: Mapping[str, Any]) -> dict[str, Any]:
        severity = groups.get("severity")
        message = groups["rest"]
        verbose = _VERBOSE.match(message)
        return {
            "severity": self._severities[severity] if severity else groups["unknown"],
            "message": message[verbose.end() :] if verbose else message,
            "stamp": groups.get("stamp"),
            "epoch": groups.get("epoch"),
            "pid": _pid(groups),
            "backend_type": (groups.get("backend_type") or "").strip() or None,
            "session": groups.get("session"),
            "ambiguous": groups.get("ambiguous", False),
            "user": groups.get("user") or None,
            "database": groups.get("database") or None,
            "xid": _number(groups.get("xid")),
        }

    def _open_part(self, groups: Mapping[str, Any], line: str) -> Iterator[LogItem]:
        draft = self._draft
        if draft is None or draft["pid"] != _pid(groups):
            yield from self.close()
            yield Unparsed(text=line, reason=f"a {groups['part']} line without its record")
            return
        self._part = self._labels[groups["part"]]
        if self._part in _KEPT_PARTS:
            draft[self._part] = groups["rest"]

    def _append(self, text: str) -> None:
        draft = self._draft
        if draft is not None and self._part in _KEPT_PARTS and len(draft[self._part]) < _MAX_PART:
            draft[self._part] += text


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _pid(groups: Mapping[str, Any]) -> int | None:
    """The pid of a line: %p, or the second half of the session id (%c)."""
    if groups.get("pid"):
        return int(groups["pid"])
    session_id = groups.get("session_id")
    return int(session_id.partition(".")[2], 16) if session_id else None


_KEPT_PARTS: Final = frozenset({"message", "detail", "hint", "context", "statement"})


def label_pattern(severities: Iterable[str], labels: Iterable[str]) -> str:
    """A pattern for the label that follows the prefix: `LOG:  ` or `DETAIL:  `."""
    pattern = rf"(?P<severity>{_longest_first(severities)}) ?:  "
    parts = _longest_first(labels)
    return rf"(?:{pattern}|(?P<part>{parts}) {{0,2}})" if parts else pattern


def _longest_first(texts: Iterable[str]) -> str:
    return "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))


# -- csvlog ---------------------------------------------------------------------------------------

_CSV_COLUMNS: Final = frozenset({23, 24, 26})  # up to 12, 13, from 14
_CSV_START: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [^,]{1,16},")


class CsvReader:
    """csvlog: one CSV record a message, newlines inside quotes raw."""

    _MAX: Final = 4 << 20  # characters of one record

    def __init__(self, languages: Iterable[Language] = (ENGLISH,)) -> None:
        self.begun = 0
        self._held: list[str] = []
        self._size = self._quotes = 0
        self.use(languages)

    def use(self, languages: Iterable[Language]) -> None:
        self._severities: dict[str, str] = {}
        for language in languages:
            self._severities |= language.severities

    def read(self, line: str) -> Iterator[LogItem]:
        if not self._held and not _CSV_START.match(line):
            yield Unparsed(text=line, reason="not a csvlog record")
            return
        self._held.append(line)
        self._size += len(line)
        self._quotes += line.count('"')
        if self._quotes % 2 == 0 or self._size > self._MAX:
            yield from self.close()

    @property
    def holds(self) -> bool:
        return bool(self._held)

    def close(self) -> Iterator[LogItem]:
        if not self._held:
            return
        text, whole = "\n".join(self._held), self._quotes % 2 == 0
        self._held, self._size, self._quotes = [], 0, 0
        row = next(csv.reader([text], strict=True), []) if whole else []
        if len(row) not in _CSV_COLUMNS:
            yield Unparsed(text=text, reason="not a whole csvlog record")
            return
        yield self._record(row)

    def _record(self, row: list[str]) -> LogRecord:
        backend_type = row[23] if len(row) > 23 else None
        return LogRecord(
            severity=self._severities.get(row[11], row[11]),
            message=row[13],
            stamp=row[0],
            pid=int(row[3]) if row[3].isdigit() else None,
            backend_type=backend_type or None,
            session=bool(row[1] or row[4]),
            user=row[1] or None,
            database=row[2] or None,
            xid=_number(row[10]),
            detail=row[14] or None,
            hint=row[15] or None,
            context=row[18] or None,
            statement=row[19] or None,
        )


# -- jsonlog --------------------------------------------------------------------------------------


class JsonReader:
    """jsonlog (15 and later): one object a line; also as CloudNativePG wraps csvlog's fields."""

    begun = 0
    holds = False

    def read(self, line: str) -> Iterator[LogItem]:
        if not line.strip():
            return
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            yield Unparsed(text=line, reason="not a JSON object")
            return
        if not isinstance(value, dict):
            yield Unparsed(text=line, reason="not a JSON object")
        elif isinstance(value.get("record"), dict):
            yield _json_record(value["record"])
        elif "message" in value and "error_severity" in value:
            yield _json_record(value)
        else:
            yield ForeignLine(text=line)

    def close(self) -> Iterator[LogItem]:
        yield from ()

    def use(self, languages: Iterable[Language]) -> None:
        """Severities are never translated here."""


def _json_record(value: Mapping[str, Any]) -> LogRecord:
    def text(*keys: str) -> str | None:
        found = next((value[key] for key in keys if value.get(key)), None)
        return None if found is None else str(found)

    pid = text("pid", "process_id")
    return LogRecord(
        severity=text("error_severity") or "LOG",
        message=text("message") or "",
        stamp=text("timestamp", "log_time"),
        pid=int(pid) if pid and pid.isdigit() else None,
        backend_type=text("backend_type"),
        session=bool(text("user", "user_name", "remote_host", "connection_from")),
        user=text("user", "user_name"),
        database=text("dbname", "database_name"),
        xid=_number(text("txid", "transaction_id") or "0"),
        detail=text("detail"),
        hint=text("hint"),
        context=text("context"),
        statement=text("statement", "query"),
    )


# -- which format ---------------------------------------------------------------------------------


def looks_like_csv(line: str) -> bool:
    """Tell whether a line begins a csvlog record."""
    return bool(_CSV_START.match(line)) and line.count(",") >= 11


def looks_like_json(line: str) -> bool:
    """Tell whether a line is a jsonlog record."""
    return line.startswith("{") and '"' in line


PLAIN: Final = parse_prefix("")
