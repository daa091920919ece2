"""A file far from all WAL, whatever it holds: no WAL before it is missing for its name."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fix_check import pitr_check
from tests.unpack import unpack_tar

ARCHIVES = Path(__file__).parent.parent / "data" / "archives"
MIB = 1 << 20
# What such a file is told of by: that it is bad, never that other WAL is missing.
OF_ITSELF = {"wal_damaged", "foreign_system", "wal_arriving", "history_missing", "wal_gap_harmless"}
NAMES = {
    "beyond": "00000001000000FF00000001",
    "next but two": "000000010000000000000018",
    "before": "000000010000000000000001",
    "another timeline": "000000090000000500000012",
    "the last timeline": "FFFFFFFE0000000500000012",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    unpack_tar(ARCHIVES / "good_15.tar.xz", home)
    return home


@pytest.fixture(scope="module")
def contents(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    other = tmp_path_factory.mktemp("other")
    unpack_tar(ARCHIVES / "timelines_good.tar.xz", other)
    own = (home / "archive" / "000000010000000000000012").read_bytes()
    return {
        "nothing": b"",
        "a word": b"junk\n",
        "a page of zeros": bytes(8192),
        "zeros": bytes(MIB),
        "chance": random.Random(7).randbytes(MIB),
        "another place's": own,
        "half of another place's": own[: MIB // 2],
        "too much": own + bytes(100),
        "another cluster's": (other / "archive" / "00000001000000000000000A").read_bytes(),
    }


def judged(home: Path) -> tuple[set[tuple[str, str]], list[Any]]:
    """Findings with their severities, and the windows."""
    found = pitr_check(
        "--archive", home / "archive", "--backup", home / "backup", "--backup-depth", "label",
        "--format", "json",
    ).json  # fmt: skip
    windows = [backup["windows"] for backup in found["backups"]]
    for window in (window for each in windows for window in each):
        window.pop("verified_at", None)
    return {(each["id"], each["severity"]) for each in found["findings"]}, windows


@pytest.fixture(scope="module")
def healthy(home: Path) -> tuple[set[tuple[str, str]], list[Any]]:
    return judged(home)


@pytest.mark.parametrize("place", NAMES)
def test_no_wal_is_missing_for_a_far_name(
    home: Path,
    contents: dict[str, bytes],
    healthy: tuple[set[tuple[str, str]], list[Any]],
    place: str,
) -> None:
    """While the file may grow, and later."""
    plain = [(NAMES[place], what, data) for what, data in contents.items()]
    packed = [
        (f"{NAMES[place]}.gz", f"{what}, packed", gzip.compress(data, 1))
        for _, what, data in plain[1::3]
    ]
    for name, what, data in (*plain, *packed):
        path = home / "archive" / name
        path.write_bytes(data)
        for age in (0, 3600):
            then = time.time() - age
            os.utime(path, (then, then))
            found, windows = judged(home)
            told = {name for name, _ in found - healthy[0]}
            assert told <= OF_ITSELF, f"{what}, {place}"
            assert windows == healthy[1], f"{what}, {place}"
        path.unlink()


@pytest.mark.parametrize("name", ["0000000A.history", "FFFFFFFF.history", "00000000.history"])
@pytest.mark.parametrize("data", [b"", b"junk\n", b"7\tno place\n"], ids=repr)
def test_no_timeline_exists_for_a_history_that_tells_of_none(
    home: Path, healthy: tuple[set[tuple[str, str]], list[Any]], name: str, data: bytes
) -> None:
    """No server looks for it: the number after its timeline's has no history."""
    path = home / "archive" / name
    path.write_bytes(data)
    found, windows = judged(home)
    path.unlink()
    assert found - healthy[0] <= {("history_empty", "warning"), ("history_broken", "info")}
    assert windows == healthy[1]


def test_a_server_looks_for_the_next_history(home: Path) -> None:
    path = home / "archive" / "00000002.history"
    path.write_bytes(b"junk\n")
    found, _ = judged(home)
    path.unlink()
    assert ("history_broken", "critical") in found


@pytest.mark.parametrize("name", ["archive_status", "pg_wal", "base", "archive", "global", "wals"])
def test_an_archive_with_a_directory_in_it_is_an_archive(
    home: Path, healthy: tuple[set[tuple[str, str]], list[Any]], name: str
) -> None:
    """Whatever it is called, and whatever lies in it."""
    directory = home / "archive" / name
    directory.mkdir()
    try:
        assert judged(home) == healthy
        (directory / "archive.info").write_bytes(b"[db]\n")
        assert judged(home) == healthy
    finally:
        shutil.rmtree(directory)


def test_wal_of_its_own_place_proves_what_lies_before_it(tmp_path: Path) -> None:
    """Where its first page is that of its name, whatever follows."""
    unpack_tar(ARCHIVES / "good_15.tar.xz", tmp_path)
    for number in "34":
        (tmp_path / "archive" / f"00000001000000000000001{number}").unlink()
    last = tmp_path / "archive" / "000000010000000000000015"
    last.write_bytes(last.read_bytes()[: MIB // 2] + bytes(MIB // 2))
    found, _ = judged(tmp_path)
    assert ("wal_gap", "critical") in found
