"""Text for a person: severities in colour on a terminal, and the verdict again at a long end.

Programs get what they always got: without a terminal there is no colour, and no line twice.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Iterable
from typing import Final

from agent.documents.render import render_text

CHOICES: Final = ("auto", "always", "never")
_RESET: Final = "\x1b[0m"
_COLOURS: Final = {
    "OK": "\x1b[1;32m",
    "INFO": "\x1b[36m",
    "WARNING": "\x1b[1;33m",
    "CRITICAL": "\x1b[1;31m",
    "UNKNOWN": "\x1b[1;35m",
    "restorable": "\x1b[32m",
    "not restorable": "\x1b[31m",
    "unknown": "\x1b[35m",
}
# Where our own lines have a severity or a state: never in the middle of somebody's text.
_SEVERITY: Final = re.compile(r"^((?:  so also: )?)(OK|INFO|WARNING|CRITICAL|UNKNOWN)\b")
_STATE: Final = re.compile(r"^(  (?:.*  )?)(not restorable|restorable|unknown)$")


def add_color(parser: argparse._ActionsContainer) -> None:
    """--color, of every command that prints text."""
    parser.add_argument(
        "--color",
        choices=CHOICES,
        help="colour the severities in text (default: auto: on a terminal, unless NO_COLOR is set)",
    )


def show(lines: Iterable[str], color: str | None, *, verdict_first: bool = False) -> None:
    """Print text. A first line that is a verdict comes again if it has scrolled away by the end."""
    shown = render_text(lines).split("\n")
    if verdict_first and _is_terminal() and _height(shown) > _rows():
        shown += ["", shown[0]]
    print("\n".join(map(_painted, shown) if _is_coloured(color) else shown))


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _is_coloured(color: str | None) -> bool:
    if color in ("always", "never"):
        return color == "always"
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") in ("", "dumb")
    return _is_terminal() and not plain


def _rows() -> int:
    """Of the terminal, without the one in which the prompt will stand."""
    return shutil.get_terminal_size().lines - 1


def _height(lines: list[str]) -> int:
    columns = shutil.get_terminal_size().columns or 80
    return sum(1 + max(0, len(line) - 1) // columns for line in lines)


def _painted(line: str) -> str:
    for pattern in (_SEVERITY, _STATE):
        if found := pattern.match(line):
            before, word = found.groups()
            return f"{before}{_COLOURS[word]}{word}{_RESET}{line[found.end() :]}"
    return line
