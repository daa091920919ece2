"""log_line_prefix: the text that begins every line of a stderr log.

Follows log_status_format in src/backend/utils/error/elog.c. Each escape has two readings: in a
client's session it holds a value, in a process of the server's own the session's escapes are empty.
A value proves a session; that there is none proves nothing (see `parsers.log.origin`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from parsers.values import dataclass

_STAMP: Final = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
_TZ: Final = r"[A-Za-z+-][A-Za-z0-9+-]{0,31}"
# Numbers as C prints them; no zero begins one, so `1/0` and `4364` may touch.
_COUNT: Final = r"(?:0|[1-9]\d{0,19})"
_PID: Final = r"[1-9]\d{0,9}"
_VXID: Final = rf"(?:-?\d{{1,10}}/{_COUNT})?"


class Escape(NamedTuple):
    """What one escape prints."""

    session: str  # pattern in a client's session
    background: str  # pattern in a process of the server's own
    name: str | None = None  # the part of the record that it is; None: nothing we use


# Whatever the client likes, even what looks like a whole line. A host's name has up to 1025 bytes.
_VALUE: Final = ".{1,1100}?"
ESCAPES: Final = {
    "a": Escape(_VALUE, "", "application_name"),  # or [unknown]
    "u": Escape(_VALUE, "", "user"),  # or [unknown]
    "d": Escape(_VALUE, "", "database"),  # or [unknown]
    "r": Escape(_VALUE, ""),  # remote host and port: 10.0.0.1(5432), [local]
    "h": Escape(_VALUE, ""),  # remote host
    "L": Escape(_VALUE, r"\[none\]"),  # 18: local address
    "b": Escape(r"[^\d\W][^\[\]\n]{0,95}?", r"[^\d\W][^\[\]\n]{0,95}?", "backend_type"),
    "p": Escape(_PID, _PID, "pid"),
    "P": Escape(rf"(?:{_PID})?", ""),  # pid of the parallel group's leader
    "t": Escape(rf"{_STAMP} {_TZ}", rf"{_STAMP} {_TZ}", "stamp"),
    "m": Escape(rf"{_STAMP}\.\d{{3}} {_TZ}", rf"{_STAMP}\.\d{{3}} {_TZ}", "stamp"),
    "n": Escape(r"\d{1,20}\.\d{3}", r"\d{1,20}\.\d{3}", "epoch"),
    "i": Escape(r".{0,1100}?", ""),  # command tag
    "e": Escape(r"[0-9A-Z]{5}", r"[0-9A-Z]{5}", "sqlstate"),
    "c": Escape(r"[0-9a-f]{1,16}\.[0-9a-f]{1,8}", r"[0-9a-f]{1,16}\.[0-9a-f]{1,8}", "session_id"),
    "l": Escape(_COUNT, _COUNT),  # number of the line within its process
    "s": Escape(rf"{_STAMP} {_TZ}", rf"{_STAMP} {_TZ}"),  # start of the process
    "v": Escape(_VXID, _VXID),  # virtual transaction
    "x": Escape(_COUNT, _COUNT, "xid"),  # or 0: none yet, or no more
    "Q": Escape(rf"-?{_COUNT}", rf"-?{_COUNT}"),  # query id, or 0
}
_ESCAPE: Final = re.compile(r"%(-?\d*)(.)", re.DOTALL)
# A session chooses what they print.
_FREE: Final = frozenset("audrhLi")
_MAX_WIDTH: Final = 1000
MAX_PREFIX: Final = 4096  # characters of a setting that is compiled


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """A log_line_prefix as two patterns, without the label that follows it."""

    session: str
    background: str
    start: str  # cheap pattern that the server's own lines begin with; "" when there is none
    tells: bool = True  # what begins with it need not be looked at for whose it is
    leads: bool = True  # nothing of a session's stands before it
    gap: str | None  # and what may follow it before the label; None: where that begins is unsure
    text: str | None = None  # the setting; None when it was inferred
    words: frozenset[str] | None = None  # inferred: words that any line's gaps may hold


def parse_prefix(text: str) -> Prefix:
    """Compile a setting of log_line_prefix.

    A value that a client chose ends where what follows it comes first: to look for a later place
    again, for each of several values, would cost a power of the line's length and find none.

    >>> re.match(parse_prefix("%m [%p] ").background, "2025-07-10 12:04:16.558 MST [7] LOG:")[0]
    '2025-07-10 12:04:16.558 MST [7] '
    """
    session: list[str] = [""]  # each but the first begins with such a value
    background: list[str] = []
    named: set[str] = set()
    stopped = False
    position = 0
    for match in _ESCAPE.finditer(text):
        literal = re.escape(text[position : match.start()])
        position = match.end()
        session[-1] += literal
        background += [] if stopped else [literal]
        if match[2] == "q":
            stopped = True
            continue
        session += [""] if match[2] in _FREE else []
        session[-1] += _pattern(match[1], match[2], named, session=True)
        background += [] if stopped else [_pattern(match[1], match[2], named, session=False)]
    tail = re.escape(text[position:])
    first, *free = session
    settled = "".join(f"(?>{value})" for value in free[:-1])
    return Prefix(
        start=_fixed_start(text),
        gap="",
        session=first + settled + "".join(free[-1:]) + tail,
        background="".join(background) + ("" if stopped else tail),
        text=text,
    )


BACKEND_TYPES: Final = (
    "postmaster", "startup", "checkpointer", "background writer", "walwriter", "archiver",
    "walreceiver", "walsummarizer", "walsender", "autovacuum launcher", "autovacuum worker",
    "logical replication launcher", "logical replication worker", "logger", "client backend",
    "parallel worker", "io worker", "slotsync worker", "standalone backend",
    "dead-end client backend", "not initialized",
)  # fmt: skip
# Escapes whose value is never empty, and whose look is known.
_FIXED: Final = frozenset("mtnplcesb")
# Looser patterns that cost a third to look at.
_CHEAP_STAMP: Final = r"\d{4}-[\d :.-]{14,18} [\w+-]+"
_CHEAP: Final = {
    **dict.fromkeys("mts", _CHEAP_STAMP),
    **dict.fromkeys("pl", r"\d+"),
    "b": rf"(?:{'|'.join(BACKEND_TYPES)})",  # an extension's workers have others
}


def _fixed_start(text: str) -> str:
    """The pattern of the setting up to its first escape that may be empty."""
    start: list[str] = []
    position = 0
    for match in _ESCAPE.finditer(text):
        start.append(re.escape(text[position : match.start()]))
        position = match.end()
        to_the_right = match[1] and not match[1].startswith("-")
        if match[2] not in _FIXED or (to_the_right and not any(start)):
            return "".join(start)  # blanks at the beginning may be those of what stands before
        value = _CHEAP.get(match[2]) or ESCAPES[match[2]].session
        start.append(_padded_to(match[1], value))
    return "".join(start) + re.escape(text[position:])


def _pattern(width: str, letter: str, named: set[str], *, session: bool) -> str:
    if letter == "%":
        return "%"
    escape = ESCAPES.get(letter)
    if escape is None:
        return ""  # the server drops what it does not know
    pattern = escape.session if session else escape.background
    side = "session" if session else "background"
    if not pattern:  # before the release that knows it, nothing
        return f"(?: {{{_blanks(width)}}})?+" if _blanks(width) else ""
    if escape.name and f"{side}{escape.name}" not in named:
        named.add(f"{side}{escape.name}")
        pattern = f"(?P<{escape.name}>{pattern})"
    else:
        pattern = f"(?:{pattern})"
    is_free = session and letter in _FREE
    return pattern if is_free else _padded_to(width, pattern)  # a free value holds its blanks


def _padded_to(width: str, pattern: str) -> str:
    """The pattern with the blanks that a width puts before it, or after it where negative."""
    blanks = f" {{0,{_blanks(width)}}}" if _blanks(width) else ""
    return f"{pattern}{blanks}" if width.startswith("-") else f"{blanks}{pattern}"


def _blanks(width: str) -> int:
    return min(int(width.strip("-") or 0), _MAX_WIDTH)


# -- a prefix that is not given -----------------------------------------------------------------

# As tzcode writes it; other text may follow at once.
_ABBREVIATION: Final = r"(?:[A-Za-z]{1,6}|[+-]\d{2}(?::?\d\d)?)(?!\d)"
# Recognisable values, the first that fits wins; each is looked for once.
_TOKENS: Final = (
    ("stamp", rf"{_STAMP}(?:\.\d{{3}})? {_ABBREVIATION}"),
    ("epoch", r"(?<![\d.])\d{10}\.\d{3}(?!\d)"),
    ("session_id", r"(?<![0-9a-f])[0-9a-f]{8}\.[0-9a-f]{1,8}(?![0-9a-f])"),
    ("sqlstate", r"(?<!\d)00000(?!\d)"),  # of a LOG line: other lines have others
    ("backend_type", r"\b(?:" + "|".join(BACKEND_TYPES) + r")\b"),
    (
        "pid",
        r"(?<=\[)\d+(?=[\]-])|(?<=\()\d+(?=\))|(?<=pid=)\d+"
        r"|(?<![\w.:/=-])[1-9]\d*(?![\w./-]|:\S)",
    ),
)
# What they may be in other lines: an extension's workers have types of their own.
_VALUES: Final = dict(_TOKENS) | {
    "backend_type": dict(_TOKENS)["backend_type"]
    + r"|\b[a-z][\w./-]{0,31}(?: [A-Za-z][\w./-]{0,31}){0,4}",
    "sqlstate": r"[0-9A-Z]{5}",
}
_PID_AND_COLON: Final = r"(?<![\w.:/=-])[1-9]\d*(?=:[^\W\d])"  # where the label follows at once
_TOKEN: Final = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _TOKENS))
_GAP: Final = ".{0,500}?"
_WORD: Final = re.compile(r"\w[\w.]*(?![\w.]*=)")


def infer_prefix(head: str) -> Prefix:
    """Make a lenient prefix from the text before the label of a line of the server's own."""
    unwanted = _not_pids(head)
    pattern: list[str] = []
    start: list[str] = []
    known = True  # no word so far that another line may lack
    gaps: list[str] = []
    seen: set[str] = set()
    position = 0
    for match in _TOKEN.finditer(head):
        name = match.lastgroup
        if name is None or name in seen or (name == "pid" and match[0] in unwanted):
            continue
        seen.add(name)
        gaps.append(head[position : match.start()])
        value = _PID_AND_COLON if name == "pid" and head[match.end() :] == ":" else _VALUES[name]
        known = known and not _WORD.search(gaps[-1])
        start += [_padded(gaps[-1]), _cheap(name, value, gaps[-1])] if known else []
        touches = pattern and not re.search(r"\W", gaps[-1])  # only this value shows where it ends
        before = pattern.pop() if touches else ""
        pattern.append(f"{before}(?P<gap{len(gaps)}>{_GAP})(?P<{name}>{value})")
        position = match.end()
    gaps.append(head[position:])
    settled = "".join(f"(?>{value})" for value in pattern[:-1])
    lenient = settled + "".join(pattern[-1:]) + f"(?P<gap0>{_GAP})"  # the label may touch the last
    words = gap_words({f"gap{at}": gap for at, gap in enumerate(gaps)})
    return Prefix(
        session=lenient,
        background=lenient,
        start="".join(start),
        tells=known and not _WORD.search(gaps[-1]) and "backend_type" not in seen,
        leads=not gaps[0],
        gap=_padded(gaps[-1]) or None,  # a zone's letters touch the label's
        words=words,
    )


def _cheap(name: str | None, value: str, gap: str) -> str:
    """The pattern of a value after this gap, for many lines."""
    if name == "pid" and gap.endswith("["):
        return r"\d+(?=[\]-])"
    if name == "backend_type":
        return _CHEAP["b"]
    return _CHEAP_STAMP if name == "stamp" else f"(?:{value})"


def _padded(gap: str) -> str:
    """The pattern of a gap, whose blanks are more or fewer beside a longer or shorter value."""
    return re.sub(r"(\\ )+", " ++", re.escape(gap))


def _not_pids(head: str) -> frozenset[str]:
    """Numbers that stand alone and are another thing than the pid, as far as one line tells.

    A session id holds the pid. The line counter of a process begins with 1.
    """
    numbers = frozenset(match["pid"] for match in _TOKEN.finditer(head) if match["pid"])
    session_id = next((m["session_id"] for m in _TOKEN.finditer(head) if m["session_id"]), None)
    if session_id is not None:
        return numbers - {str(int(session_id.partition(".")[2], 16))}
    return numbers & {"1"} if not re.search(r"[\[(=]1\b", head) else frozenset()


def is_plainer(words: frozenset[str], prefix: Prefix) -> bool:
    """Tell whether a line with these words is more the server's own than the one inferred from.

    That one was the server's own where it says so: %L prints `[none]`.
    """
    return prefix.words is not None and words < prefix.words and "none" not in prefix.words


def gap_words(groups: Mapping[str, str | None]) -> frozenset[str]:
    """The words between the values of a line that an inferred prefix fits, without counters."""
    gaps = (value for name, value in groups.items() if name.startswith("gap") and value)
    words = {word for gap in gaps for word in _WORD.findall(gap)}
    return frozenset(word for word in words if not word.replace(".", "").isdigit())
