"""`--wait` beside an archive in which nothing has come yet: a directory, and a prefix of S3."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.fix_check import Archived, pitr_check
from tests.fix_stores import Bucket
from tests.fix_tools import PATIENCE_SECONDS


@pytest.fixture
def empty(archived: Archived) -> Path:
    """Where the archive was; its files lie beside it."""
    archived.archive.rename(archived.archive.parent / "kept")
    archived.archive.mkdir()
    return archived.archive


def check(archived: Archived, archive: object, wait: str) -> tuple[int, str]:
    asked = ("--archive", archive, "--backup", archived.backup, "--depth", "names")
    checked = pitr_check(*asked, "--wait", wait)
    assert len(checked.err.strip().splitlines()) <= 1
    return checked.status, checked.err


def test_a_directory(archived: Archived, empty: Path) -> None:
    began = time.monotonic()
    status, said = check(archived, empty, "2s")
    assert (status, time.monotonic() - began >= 2) == (3, True)
    assert "is empty: is this the directory" in said
    threading.Timer(2, lambda: (empty.parent / "kept").rename(empty)).start()  # all at once
    assert check(archived, empty, f"{PATIENCE_SECONDS}s") == (0, "")


def test_a_prefix(bucket: Bucket, archived: Archived) -> None:
    url = bucket.url("waits")
    began = time.monotonic()
    status, said = check(archived, url, "2s")
    assert (status, time.monotonic() - began >= 2) == (3, True)
    assert "is empty: is this the directory" in said
    threading.Timer(2, lambda: bucket.put_tree(archived.archive, "waits")).start()
    assert check(archived, url, f"{PATIENCE_SECONDS}s") == (0, "")
