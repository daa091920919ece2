"""Every link of every Markdown file leads somewhere: the file is there, and its heading."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parent.parent
_ELSEWHERE = re.compile(r"[a-z]+:")
_OURS = re.compile(r"(agent|rules|parsers|tests|docs|packaging|dashboards)/[\w./-]+")


def pages() -> list[Path]:
    below = (
        path
        for room in ("docs", "dashboards", "packaging", "tests")
        for path in (ROOT / room).rglob("*.md")
    )
    return sorted((*ROOT.glob("*.md"), *below))


@functools.cache
def anchors(path: Path) -> frozenset[str]:
    """What forges make of the headings: lower case, dashes for blanks, numbered twins."""
    found: set[str] = set()
    for token, inline in itertools.pairwise(_tokens(path)):
        if token.type == "heading_open":
            kept = re.sub(r"[^\w\- ]", "", _plain(inline).lower()).replace(" ", "-")
            twins = (f"{kept}-{number}" if number else kept for number in itertools.count())
            found.add(next(name for name in twins if name not in found))
    return frozenset(found)


def _plain(heading: Token) -> str:
    return "".join(child.content for child in heading.children or ())


def links(path: Path) -> Iterator[str]:
    for token in _tokens(path):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if target:
                yield str(target)


def _tokens(path: Path) -> list[Token]:
    return MarkdownIt().enable("table").parse(path.read_text(encoding="utf-8"))


def leads_nowhere(page: Path, link: str) -> bool:
    if _ELSEWHERE.match(link):
        return False
    name, _, anchor = (unquote(part) for part in link.partition("#"))
    target = (page.parent / name).resolve() if name else page
    if not target.exists():
        return True
    return bool(anchor) and target.suffix == ".md" and anchor not in anchors(target)


def test_every_link_leads_somewhere() -> None:
    bad = {
        str(page.relative_to(ROOT)): [link for link in links(page) if leads_nowhere(page, link)]
        for page in pages()
    }
    assert {page: found for page, found in bad.items() if found} == {}


def paths(page: Path) -> Iterator[str]:
    """Files of this repository that are named in code spans."""
    for token in _tokens(page):
        for child in token.children or ():
            if child.type == "code_inline" and _OURS.fullmatch(child.content):
                yield child.content


def test_every_file_that_is_named_is_there() -> None:
    named = {(page.name, path) for page in pages() for path in paths(page)}
    assert len(named) > 50
    assert {(page, path) for page, path in named if not _exists(path)} == set()


def _exists(path: str) -> bool:
    return (ROOT / path).exists() or (ROOT / f"{path}.py").exists()


def test_a_link_into_the_void_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A `word`, and more\n\n[a](#a-word-and-more) [b](#b) ![c](c.svg) [d](page.md#a-word)\n"
        "# Código\n\n[e](#código) [f](#codigo)\n"
    )
    assert [link for link in links(page) if leads_nowhere(page, link)] == [
        "#b",
        "c.svg",
        "page.md#a-word",
        "#codigo",
    ]
