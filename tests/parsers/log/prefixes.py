"""A server's log under any log_line_prefix: what elog.c's log_status_format would have written.

Made of a real run's csvlog, which has every value that an escape can print, and of its stderr log,
which has what restore_command wrote.
"""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tests.parsers.catalogues import LOGS

ESCAPES: Final = "audrhLbpPtmnielcsvxQ"
LITERALS: Final = (
    " ", " ", " ", " ", ":", "-", "[", "]", "(", ")", "<", ">", "|", ",", "@", "/", "#", "=", "_",
    "] ", ": ", "- ", "user=", "db=", "pid=", "app=", "pg", "postgres", "%%", "\u00ab",
    "\u00bb", "ms ",
)  # fmt: skip
_ESCAPE: Final = re.compile(r"%(-?\d*)(.)", re.DOTALL)


@dataclass(slots=True)
class Writer:
    """A server that writes under one prefix."""

    prefix: str
    lines: dict[str, int] = field(default_factory=dict)  # written so far, by process

    def head(self, row: list[str]) -> str:
        """The prefix of one line of this record."""
        self.lines[row[3]] = self.lines.get(row[3], 0) + 1
        is_session = row[23] == "client backend"
        out, position = "", 0
        for match in _ESCAPE.finditer(self.prefix):
            out += self.prefix[position : match.start()]
            position = match.end()
            if match[2] == "q":
                if not is_session:
                    return out
                continue
            value = self._value(match[2], row, is_session=is_session)
            width = int(match[1] or "0") if match[1] != "-" else 0
            out += value.rjust(width) if width > 0 else value.ljust(-width)
        return out + self.prefix[position:]

    def _value(self, letter: str, row: list[str], *, is_session: bool) -> str:
        stamp, zone = row[0].rsplit(" ", 1)
        session = {
            "a": row[22] or "[unknown]", "u": row[1] or "[unknown]", "d": row[2] or "[unknown]",
            "r": "10.0.0.7(51234)", "h": "10.0.0.7", "L": "10.0.0.1", "i": row[7],
        }  # fmt: skip
        if letter in session:
            return session[letter] if is_session else "[none]" * (letter == "L")
        return {
            "b": row[23], "p": row[3], "P": "", "t": f"{stamp[:-4]} {zone}", "m": row[0],
            "n": f"1795351600.{stamp[-3:]}", "e": row[12], "c": row[5],
            "l": str(self.lines[row[3]]), "s": row[8], "v": row[9], "x": row[10], "Q": row[25],
            "%": "%",
        }.get(letter, "")  # fmt: skip

    def write(self, row: list[str]) -> Iterator[str]:
        """The lines of one record."""
        parts = [(row[11], row[13]), ("DETAIL", row[14]), ("HINT", row[15]), ("CONTEXT", row[18])]
        for label, text in [*parts, ("STATEMENT", row[19])]:
            if text:
                yield f"{self.head(row)}{label}:  {text}".replace("\n", "\n\t")


def records(case: str) -> Iterator[list[str] | str]:
    """A run's records, and between them the lines that restore_command wrote."""
    with (LOGS / f"{case}.csv").open(newline="") as file:
        rows = csv.reader(file)
        for line in (LOGS / f"{case}.log").read_text().splitlines():
            if line.startswith("cp: "):
                yield line
            elif re.search(r" (?:LOG|FATAL|WARNING|PANIC|ERROR):  ", line):
                yield next(rows)


def client(like: list[str], message: str, statement: str = "") -> list[str]:
    """A record of a client's session at the same time as another one."""
    row = [*like]
    row[1:6] = ["ana", "shop", "7711", "10.0.0.7:51234", f"{like[5].split('.')[0]}.1e1f"]
    row[7], row[9], row[10], row[11] = "SELECT", "3/17", "0", "LOG"
    row[13:24] = [message, "", "", "", "", "", statement, "", "", "psql", "client backend"]
    return row


def render(case: str, prefix: str, *, clients: bool = False) -> str:
    """The stderr log of a run as a server with this prefix writes it."""
    writer = Writer(prefix)
    lines: list[str] = []
    for record in records(case):
        if isinstance(record, str):
            lines.append(record)
            continue
        lines += writer.write(record)
        if clients and "ready to accept" in record[13]:
            lines += writer.write(client(record, "duration: 0.1 ms  statement: SELECT 1"))
            forged = "archive recovery complete"
            lines += writer.write(client(record, forged, f"DO $$ BEGIN RAISE LOG '{forged}'; END"))
    return "\n".join(lines) + "\n"


def random_prefix(choose: random.Random) -> str:
    """Any prefix, of up to eight escapes."""
    pieces: list[str] = []
    for letter in choose.sample(ESCAPES, choose.randint(0, 8)):
        if choose.random() < 0.75:
            pieces.append(choose.choice(LITERALS))
        if choose.random() < 0.06:
            pieces.append("%q")
        width = choose.choice(["", "", "", "", "", "", "", "-12", "8", "-4"])
        pieces.append(f"%{width}{letter}")
    return "".join(pieces) + choose.choice([" ", " ", " ", ": ", "", "] ", "-", ":"])


# As distributions, clouds and guides set them: each must be read right without being told.
KNOWN: Final = (
    "%m [%p] ", "%m [%p] %q%u@%d ", "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%t [%p-%l] %q%u@%d ", "%m [%p] %q[user=%u,db=%d,app=%a] ", "%t:%r:%u@%d:[%p]:",
    "%t [%p]: [%l-1] %c %x %d %u %a %h ", "%m [%p]: [%l-1] db=%d,user=%u ", "%t-%c-",
    "%m %a %u %r %d %p:", "%m [%r] [%p]: [%l-1] user=%u,db=%d,host=%h ", "%t [%p]: [%l] ",
    "< %m >", "< %m [%p] > ", "%m %p %u@%d from %h [vxid:%v txid:%x] [%i] ", "%t ", "%m ",
    "%t [%p] %u@%d %a %h ", "%m|%p|%u|%d|%a|%c|", "[%m] [%p] [%l] [%e] ", "%m [%p] [%e] ",
    "%p %m %e ", "%t [%p]: %e ", "%m [%p:%l] [%v] ", "%n [%p] ", "%m [%b] [%p] ", "%m %b[%p] ",
    "[%p] %m ", "%m:%p:", "%t %p ", "%c %m %u %d %l ", "user=%u,db=%d,client=%h,app=%a %m [%p] ",
    "%m [%p] %L %q%u@%d ", "%m [%p] %Q ", "%q%u@%d ", "%b ", "(%p) ", "pid=%p,%l: %t ", "",
)  # fmt: skip
