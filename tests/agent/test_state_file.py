"""A row of the state is as it was put, or it is told and gone: never another."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

import pytest

from agent.state_file import StateFile, read_rows

ROWS = [
    ("drill", "lab", 1, '{"started_at": "2026-11-01T00:00:00Z", "outcome": "promoted"}'),
    ("drill", "other", 2, '{"started_at": "2026-11-02T00:00:00Z"}'),
    ("receiver", "pager", 3, ""),
]


def written(path: Path) -> StateFile:
    file = StateFile(path, "drills")
    for *key, value in ROWS:
        file.put(tuple(key), value)  # type: ignore[arg-type]
    file.save()
    return file


def test_no_flipped_bit_makes_another_row(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    written(tmp_path / "state").close()
    data = (tmp_path / "state").read_bytes()
    used = [at for at in range(len(data)) if data[at : at + 1].strip(b"\0")]
    lost = 0
    for number, at in enumerate(Random(20).sample(used, 100)):
        path = tmp_path / f"{number}"
        changed = bytearray(data)
        changed[at] ^= 1 << number % 8
        path.write_bytes(changed)
        assert set(read_rows(path)) <= set(ROWS)
        file = StateFile(path, "drills")
        found = list(file.rows())
        assert set(found) <= set(ROWS)
        lost += len(found) < len(ROWS)
        file.close()
    assert lost > 10
    assert "damaged: one of the drills is lost" in caplog.text


def test_what_is_lost_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "state"
    written(path).close()
    with sqlite3.connect(path) as file:
        file.execute("UPDATE state SET value = replace(value, '11-01', '11-21')")
        file.execute("UPDATE state SET name = x'ff' WHERE sequence = 2")
    for lines in (2, 0):
        caplog.clear()
        state = StateFile(path, "drills")
        assert list(state.rows()) == ROWS[2:]
        assert len(caplog.messages) == lines
        state.close()


def test_rows_of_a_release_without_checksums_are_believed(tmp_path: Path) -> None:
    path = tmp_path / "state"
    StateFile(path, "drills").close()
    with sqlite3.connect(path) as file:
        file.executemany("INSERT INTO state VALUES (?, ?, ?, ?)", ROWS)
    assert read_rows(path) == ROWS
    state = StateFile(path, "drills")
    assert list(state.rows()) == ROWS
    state.close()
