"""The agent's own log stays one record a line, whatever is in it."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from agent.logs import configure_logging

HOSTILE = (
    'a\nts=0 level=error msg="forged"',
    "a\r\n\t\0\x1b[2J\x7f\x9b31m\u2028\u202e",
    'quotes " and \\ and = and spaces',
    "",
    b"\xff\xfe/wal".decode(errors="surrogateescape"),
    "ünïcode ✓",
)


def records(text: str, log_format: str) -> list[dict[str, Any]]:
    """The lines as a collector reads them."""
    if log_format == "json":
        return [json.loads(line) for line in text.splitlines()]
    return [dict(_pairs(line)) for line in text.splitlines()]


def _pairs(line: str) -> list[tuple[str, str]]:
    pairs, rest = [], line
    while rest:
        key, _, rest = rest.partition("=")
        if rest.startswith('"'):
            value, length = json.JSONDecoder().raw_decode(rest)
        else:
            length = len(rest.split(" ", 1)[0])
            value = rest[:length]
        pairs.append((key, value))
        rest = rest[length:].removeprefix(" ")
    return pairs


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_a_record_is_a_line_and_is_read_back(
    log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure_logging("info", log_format)
        for text in HOSTILE:
            logging.getLogger("pitr.x").info("%s: %s", text, text)
        try:
            raise KeyError("the reason\nof two lines")
        except KeyError:
            logging.getLogger("pitr.x").exception("unexpected")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    said = capsys.readouterr().err
    read = records(said, log_format)
    assert [record["msg"] for record in read] == [
        *(f"{text}: {text}" for text in HOSTILE),
        "unexpected",
    ]
    assert all(line.isprintable() for line in said.splitlines())
    assert "KeyError" in read[-1]["error"] and "test_logs.py" in read[-1]["error"]
