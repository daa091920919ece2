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
from functools import cache
from typing import Final

from agent.documents.render import render_text
from agent.language import say, spoken
from parsers.sentences import tr
from rules.model.findings import Severity, Verdict

CHOICES: Final = ("auto", "always", "never")
_RESET: Final = "\x1b[0m"
_SEVERITIES: Final = {
    Verdict.OK.word: "\x1b[1;32m",
    Severity.INFO.word: "\x1b[36m",
    Verdict.WARNING.word: "\x1b[1;33m",
    Verdict.CRITICAL.word: "\x1b[1;31m",
    Verdict.UNKNOWN.word: "\x1b[1;35m",
}
_STATES: Final = {
    tr("not restorable"): "\x1b[31m",
    tr("restorable"): "\x1b[32m",
    tr("unknown"): "\x1b[35m",
}


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
    """Where our own lines have a severity or a state: never in the middle of somebody's text."""
    for pattern, colours in _patterns(spoken()):
        if found := pattern.match(line):
            before, word = found.groups()
            return f"{before}{colours[word]}{word}{_RESET}{line[found.end() :]}"
    return line


@cache
def _patterns(_locale: str) -> list[tuple[re.Pattern[str], dict[str, str]]]:
    severities = {say(word): colour for word, colour in _SEVERITIES.items()}
    states = {say(word): colour for word, colour in _STATES.items()}
    also = re.escape(say(tr("  so also: {severity} {id}: {summary}")).partition("{")[0])
    return [
        (re.compile(rf"^((?:{also})?)({'|'.join(map(re.escape, severities))})\b"), severities),
        (re.compile(rf"^(  (?:.*  )?)({'|'.join(map(re.escape, states))})$"), states),
    ]
