"""The table of docs/performance.md is that of its history."""

from __future__ import annotations

from tests.bench import history


def test_the_table_shows_the_newest_of_the_history() -> None:
    text = history.PAGE.read_text(encoding="utf-8")
    assert text.count(history.BEGIN) == text.count(history.END) == 1
    assert history.page(text) == text, "type  python -m tests.bench.history"
    assert {row["measure"] for row in history.read()} <= history.MEASURES.keys()
