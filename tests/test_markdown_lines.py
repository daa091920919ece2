"""What wraps Markdown changes no page that a reader sees."""

from __future__ import annotations

from tests.markdown_lines import UNWRAPPED, WIDTH, long_lines, pages, wrap

WORDS = "word " * 40
PAGE = f"""# A heading {WORDS}

{WORDS}

- {WORDS}
  1. {WORDS}
> {WORDS}

| a table | {WORDS} |
|---|---|

    code {WORDS}

https://example.org/{"x" * WIDTH}
"""


def test_paragraphs_lists_and_quotes_are_filled_and_nothing_else() -> None:
    wrapped = wrap(PAGE)
    assert list(long_lines(PAGE)) and not list(long_lines(wrapped))
    long = [line for line in wrapped.split("\n") if len(line) > WIDTH]
    assert [line.split()[0] for line in long] == ["#", "|", "code", long[-1]]
    assert wrap(wrapped) == wrapped


def test_a_line_that_would_begin_a_list_stays() -> None:
    """Filled, its second line would begin with a dash."""
    page = f"{'a' * (WIDTH - 2)} bb - {WORDS}"
    assert "\n- " not in wrap(page)


def test_every_page_is_wrapped() -> None:
    assert [page for page in pages() if list(long_lines(page.read_text()))] == []
    assert len(UNWRAPPED) <= 5, "their number only falls"
