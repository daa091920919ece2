"""What a page of ours must be, whoever named the things on it: read as a browser would."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

_VOID: Final = {"meta", "link", "input", "br", "hr", "img"}
_LEADING: Final = ("href", "src", "srcset", "action", "data", "poster", "formaction")


@dataclass
class Page:
    """Elements with their attributes, and what is written, in the page's order."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    unclosed: list[str] = field(default_factory=list)
    leads: dict[str, str] = field(default_factory=dict)  # the words of a link -> where to

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def whole_axis(self) -> Page:
        """From the view of the whole axis on: a report of more than a day has zooms before it."""
        begin = 0
        for at, (_, attributes) in enumerate(self.elements):
            if "view" in attributes.get("class", "").split():
                begin = at
        return Page(elements=self.elements[begin:])

    @property
    def ids(self) -> Counter[str]:
        return Counter(each["id"] for _, each in self.elements if "id" in each)

    @property
    def links(self) -> list[str]:
        return [each[name] for _, each in self.elements for name in _LEADING if name in each]

    def having(self, name: str, **wanted: str) -> list[dict[str, str]]:
        """The elements of a name that have these attributes; a class among others counts."""
        return [
            attributes
            for element, attributes in self.elements
            if element == name
            and all(
                value in attributes.get(key.rstrip("_"), "").split()
                for key, value in wanted.items()
            )
        ]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.page.unclosed.append(tag)
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "a":
            href = next(each["href"] for name, each in reversed(self.page.elements) if name == "a")
            self.page.leads[data.strip()] = href
        if "style" not in self._open:
            self.page.words.append(data)


def read_page(html: str) -> Page:
    """Read it, and hold it to what every page of ours is: closed, its ids unique, obedient."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    page = reader.page
    assert not page.unclosed and not reader._open
    assert not [name for name, count in page.ids.items() if count > 1]
    for element, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (
            element
        )
    return page
