"""Lines of Markdown are at most 120 characters long: `python -m tests.markdown_lines` wraps them.

A paragraph or list item with a longer line is filled anew, and no other; tables, code and headings
stay as they are. What a page shows is compared before and after: where it would differ, the lines
stay too.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt

ROOT: Final = Path(__file__).parent.parent
WIDTH: Final = 120
# Their turn comes when they are next edited; none is added.
UNWRAPPED: Final = frozenset(
    {
        "CHANGELOG.md",
        "README.md",
        "docs/ARCHITECTURE.md",
        "docs/checking.md",
        "docs/configuration.md",
    }
)
# What a line may begin with: quotes, a list's mark, and the blanks about them.
_OPENING: Final = re.compile(r"(?:\s*(?:>|[-*+]|\d{1,9}[.)])(?=\s))*\s*")
_PARSER: Final = MarkdownIt("commonmark").enable("table")


def pages() -> list[Path]:
    """Every page that a person writes or reads."""
    skipped = {"node_modules", "data", "golden", "template.md"}
    return sorted(
        path
        for path in ROOT.rglob("*.md")
        if path.relative_to(ROOT).as_posix() not in UNWRAPPED
        and not any(
            part.startswith(".") or part in skipped for part in path.parts[len(ROOT.parts) :]
        )
    )


def long_lines(text: str) -> Iterator[int]:
    """The numbers of lines that could be shorter, from 1."""
    lines = text.split("\n")
    for begin, end in _paragraphs(text):
        for number in range(begin, end):
            words = lines[number][_OPENING.match(lines[number]).end() :].split()  # type: ignore[union-attr]
            if len(lines[number]) > WIDTH and len(words) > 1:
                yield number + 1


def wrap(text: str) -> str:
    """The same page with its long paragraphs filled."""
    lines, too_long = text.split("\n"), {number - 1 for number in long_lines(text)}
    for begin, end in reversed(list(_paragraphs(text))):
        if too_long.isdisjoint(range(begin, end)):
            continue
        changed = [*lines[:begin], *_fill(lines[begin:end]), *lines[end:]]
        if _shown("\n".join(changed)) == _shown("\n".join(lines)):
            lines = changed
    return "\n".join(lines)


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    for token in _PARSER.parse(text):
        if token.type == "paragraph_open" and token.map:
            yield token.map[0], token.map[1]


def _fill(lines: list[str]) -> list[str]:
    opening = _OPENING.match(lines[0])
    assert opening is not None, "it may be empty"
    first = opening[0]
    quote = first[: first.rfind(">") + 1]
    later = quote + " " * (len(first) - len(quote))
    words = " ".join(
        line.removeprefix(quote).strip() for line in (lines[0][len(first) :], *lines[1:])
    )
    return textwrap.wrap(
        words, WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _shown(text: str) -> str:
    return " ".join(_PARSER.render(text).split())


def main() -> int:
    """Wrap every page, or with --check name the lines; 1 where there are some."""
    found = 0
    for page in pages():
        text = page.read_text()
        if "--check" in sys.argv:
            for number in long_lines(text):
                found += 1
                print(f"{page.relative_to(ROOT)}:{number}: longer than {WIDTH}: type  make format")
        elif (wrapped := wrap(text)) != text:
            page.write_text(wrapped)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
