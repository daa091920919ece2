"""log_line_prefix: the text that begins every line of a stderr log.

Follows log_status_format in src/backend/utils/error/elog.c. Each escape has two readings: in a
client's session it holds a value, in a process of the server's own the session's escapes are empty.
That difference proves who wrote a line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

_STAMP: Final = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
_TZ: Final = r"[A-Za-z+-][A-Za-z0-9+-]*"


class Escape(NamedTuple):
    """What one escape prints."""

    session: str  # pattern in a client's session
    background: str  # pattern in a process of the server's own
    name: str | None = None  # the part of the record that it is; None: nothing we use


_VALUE: Final = r".*?"
ESCAPES: Final = {
    "a": Escape(_VALUE, "", "application_name"),
    "u": Escape(_VALUE, "", "user"),  # or [unknown]
    "d": Escape(_VALUE, "", "database"),  # or [unknown]
    "r": Escape(_VALUE, ""),  # remote host and port: 10.0.0.1(5432), [local]
    "h": Escape(_VALUE, ""),  # remote host
    "L": Escape(_VALUE, r"\[none\]"),  # 18: local address
    "b": Escape(r"[^\d\W][^\[\]\n]*?", r"[^\d\W][^\[\]\n]*?", "backend_type"),
    "p": Escape(r"\d+", r"\d+", "pid"),
    "P": Escape(r"\d*", ""),  # pid of the parallel group's leader
    "t": Escape(rf"{_STAMP} {_TZ}", rf"{_STAMP} {_TZ}", "stamp"),
    "m": Escape(rf"{_STAMP}\.\d{{3}} {_TZ}", rf"{_STAMP}\.\d{{3}} {_TZ}", "stamp"),
    "n": Escape(r"\d+\.\d{3}", r"\d+\.\d{3}", "epoch"),
    "i": Escape(_VALUE, ""),  # command tag
    "e": Escape(r"[0-9A-Z]{5}", r"[0-9A-Z]{5}", "sqlstate"),
    "c": Escape(r"[0-9a-f]+\.[0-9a-f]+", r"[0-9a-f]+\.[0-9a-f]+", "session_id"),
    "l": Escape(r"\d+", r"\d+"),  # number of the line within its process
    "s": Escape(rf"{_STAMP} {_TZ}", rf"{_STAMP} {_TZ}"),  # start of the process
    "v": Escape(r"(?:-?\d+/\d+)?", r"(?:-?\d+/\d+)?"),  # virtual transaction
    "x": Escape(r"\d+", r"\d+", "xid"),  # or 0: none yet, or no more
    "Q": Escape(r"-?\d+", r"-?\d+"),  # query id, or 0
}
_ESCAPE: Final = re.compile(r"%(-?\d*)(.)", re.DOTALL)
# A session never prints these empty, so an empty one is the server's own process.
_TELLING: Final = frozenset("udrhL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """A log_line_prefix as two patterns, without the label that follows it."""

    session: str
    background: str
    tells_session: bool  # a line of the server's own differs from a client's
    start: str  # cheap pattern that every line of a server's begins with; "" when there is none
    text: str | None = None  # the setting; None when it was inferred
    words: frozenset[str] | None = None  # inferred: words that any line's gaps may hold


def parse_prefix(text: str) -> Prefix:
    """Compile a setting of log_line_prefix.

    >>> re.match(parse_prefix("%m [%p] ").background, "2025-07-10 12:04:16.558 MST [7] LOG:")[0]
    '2025-07-10 12:04:16.558 MST [7] '
    """
    session: list[str] = []
    background: list[str] = []
    named: set[str] = set()
    stopped = tells = False
    position = 0
    for match in _ESCAPE.finditer(text):
        literal = re.escape(text[position : match.start()])
        position = match.end()
        session.append(literal)
        background += [] if stopped else [literal]
        if match[2] == "q":
            stopped = tells = True
            continue
        tells = tells or match[2] in _TELLING
        session.append(_pattern(match[1], match[2], named, session=True))
        background += [] if stopped else [_pattern(match[1], match[2], named, session=False)]
    tail = re.escape(text[position:])
    return Prefix(
        start=_fixed_start(text),
        session="".join(session) + tail,
        background="".join(background) + ("" if stopped else tail),
        tells_session=tells,
        text=text,
    )


# Escapes whose value is never empty and looks the same in every process.
_FIXED: Final = frozenset("mtnplces")
# Looser patterns that cost a third to look at.
_CHEAP_STAMP: Final = r"\d{4}-[\d :.-]{14,18} [\w+-]+"
_CHEAP: Final = dict.fromkeys("mts", _CHEAP_STAMP)


def _fixed_start(text: str) -> str:
    """The pattern of the setting up to its first escape that may be empty."""
    start: list[str] = []
    position = 0
    for match in _ESCAPE.finditer(text):
        start.append(re.escape(text[position : match.start()]))
        position = match.end()
        if match[2] not in _FIXED or match[1]:
            return "".join(start)
        start.append(_CHEAP.get(match[2]) or ESCAPES[match[2]].session)
    return "".join(start) + re.escape(text[position:])


def _pattern(width: str, letter: str, named: set[str], *, session: bool) -> str:
    if letter == "%":
        return "%"
    escape = ESCAPES.get(letter)
    if escape is None:
        return ""  # the server drops what it does not know
    pattern = escape.session if session else escape.background
    side = "session" if session else "background"
    if escape.name and pattern and f"{side}{escape.name}" not in named:
        named.add(f"{side}{escape.name}")
        pattern = f"(?P<{escape.name}>{pattern})"
    elif pattern:
        pattern = f"(?:{pattern})"
    return f" *{pattern} *" if width.strip("-") else pattern


# -- a prefix that nobody told us -----------------------------------------------------------------

BACKEND_TYPES: Final = (
    "postmaster", "startup", "checkpointer", "background writer", "walwriter", "archiver",
    "walreceiver", "walsummarizer", "walsender", "autovacuum launcher", "autovacuum worker",
    "logical replication launcher", "logical replication worker", "logger", "client backend",
    "parallel worker", "io worker", "slotsync worker", "standalone backend",
    "dead-end client backend", "not initialized",
)  # fmt: skip
# Recognisable values, the first that fits wins; each is looked for once.
_TOKENS: Final = (
    ("stamp", rf"{_STAMP}(?:\.\d{{3}})? {_TZ}"),
    ("epoch", r"\b\d{10}\.\d{3}\b"),
    ("session_id", r"\b[0-9a-f]{8}\.[0-9a-f]{1,8}\b"),
    ("backend_type", r"\b(?:" + "|".join(BACKEND_TYPES) + r")\b"),
    (
        "pid",
        r"(?<=\[)\d+(?=[\]-])|(?<=\()\d+(?=\))|(?<=pid=)\d+"
        r"|(?<![\w.:/=-])[1-9]\d*(?![\w./-]|:\S)",
    ),
)
# An extension's workers have types of their own.
_ANY_BACKEND_TYPE: Final = dict(_TOKENS)["backend_type"] + r"|\b[a-z][\w./-]*(?: [\w./-]+)*"
_TOKEN: Final = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _TOKENS))
_WORD: Final = re.compile(r"\w[\w.]*(?![\w.]*=)")


def infer_prefix(head: str) -> Prefix:
    """Make a lenient prefix from the text before the label of a line of the server's own."""
    unwanted = _not_pids(head)
    pattern: list[str] = []
    start: list[str] = []
    gaps: list[str] = []
    seen: set[str] = set()
    position = 0
    for match in _TOKEN.finditer(head):
        name = match.lastgroup
        if name is None or name in seen or (name == "pid" and match[0] in unwanted):
            continue
        seen.add(name)
        gaps.append(head[position : match.start()])
        value = _ANY_BACKEND_TYPE if name == "backend_type" else dict(_TOKENS)[name]
        start += [re.escape(gaps[-1]), _CHEAP_STAMP if name == "stamp" else value]
        pattern.append(f"(?P<gap{len(gaps)}>.*?)(?P<{name}>{value})")
        position = match.end()
    gaps.append(head[position:])
    lenient = "".join(pattern) + "(?P<gap0>.*?)"
    words = frozenset(word for gap in gaps for word in _WORD.findall(gap))
    return Prefix(
        session=lenient,
        background=lenient,
        tells_session=True,
        start="" if words or "backend_type" in seen else "".join(start),
        words=words,
    )


def _not_pids(head: str) -> frozenset[str]:
    """Numbers that stand alone and are another thing than the pid, as far as one line tells.

    A session id holds the pid. The line counter of a process begins with 1.
    """
    numbers = frozenset(match["pid"] for match in _TOKEN.finditer(head) if match["pid"])
    session_id = next((m["session_id"] for m in _TOKEN.finditer(head) if m["session_id"]), None)
    if session_id is not None:
        return numbers - {str(int(session_id.partition(".")[2], 16))}
    return numbers & {"1"} if not re.search(r"[\[(=]1\b", head) else frozenset()


def session_words(prefix: Prefix, groups: dict[str, str | None]) -> bool:
    """Tell whether a line read by an inferred prefix holds a session's values."""
    gaps = (value for name, value in groups.items() if name.startswith("gap") and value)
    words = {word for gap in gaps for word in _WORD.findall(gap)}
    counters = {word for word in words if word.replace(".", "").isdigit()}
    return bool(words - (prefix.words or frozenset()) - counters)
