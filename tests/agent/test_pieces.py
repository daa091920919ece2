"""A segment read piece by piece is what it is when it is read whole, and no more of it is read."""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.archive import pieces
from agent.archive.readings import ScannedSegment, read_segment
from parsers.wal import kernel
from parsers.wal.scan import PIECE_BYTES, EndKind
from rules.model.facts import ArchivedFile
from tests.parsers.wal.test_kernel import make_varied
from tests.wal_writer import MIB

NAME = "000000010000000000000001"
pytestmark = pytest.mark.needs("the compiled engine")


def full() -> bytes:
    return make_varied(random.Random(1), 0xD116, 150).segments()[0]


def switched(pages: int = 3) -> bytes:
    wal = make_varied(random.Random(2), 0xD116, pages)
    wal.switch()
    return wal.segments()[0]


def archived(path: Path) -> ArchivedFile:
    status = path.stat()
    return ArchivedFile(
        name=path.name, directory=str(path.parent), size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns, ctime_ns=status.st_ctime_ns,
    )  # fmt: skip


def read(path: Path, engine: kernel.Engine, *, compare: bool) -> ScannedSegment:
    before = kernel.running()
    kernel.choose(engine)
    try:
        scanned = read_segment(archived(path), NAME, MIB, "records", compare)
    finally:
        kernel.choose(before)
    # What depends on when it was read, and not on how.
    return replace(scanned, read_at=datetime(2025, 1, 1, tzinfo=UTC), stable=False)


def broken() -> bytes:
    data = bytearray(full())
    data[500_000] ^= 1
    return bytes(data)


@pytest.mark.parametrize("compare", [False, True], ids=["", "digest"])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        (NAME, full),
        (NAME, switched),
        (NAME, broken),
        (NAME, lambda: full()[:-8192]),
        (NAME, lambda: full() + b"x"),
        (NAME, lambda: bytes(MIB)),
        (NAME, lambda: b"Salted__" + bytes(MIB - 8)),
        (NAME, lambda: b"\x1f\x8b\x08" + bytes(MIB - 3)),
        (NAME, lambda: b""),
        (NAME, lambda: make_varied(random.Random(2), 0xD116, 20).segments()[0]),
        (f"{NAME}.gz", full),
        (f"{NAME}.gz", lambda: gzip.compress(full())),
        (f"{NAME}.partial", switched),
    ],
)
def test_it_is_what_the_whole_file_is(
    name: str, make: Callable[[], bytes], compare: bool, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(make())
    assert read(path, "c", compare=compare) == read(path, "numpy", compare=compare)


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    ends: list[int] = []
    preadv = os.preadv

    def counted(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        ends.append(offset + preadv(descriptor, buffers, offset))
        return ends[-1] - offset

    monkeypatch.setattr(pieces.os, "preadv", counted)  # type: ignore[attr-defined]
    return ends


@pytest.mark.parametrize("pages", [1, 3, 40, 100])
def test_little_is_read_after_a_switch(
    pages: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / NAME
    path.write_bytes(switched(pages))
    ends = count_reads(monkeypatch)
    scanned = read(path, "c", compare=False)
    assert scanned.scan.end.kind is EndKind.SWITCH
    used = scanned.scan.end.lsn - MIB
    assert used <= ends[-1] <= used + PIECE_BYTES + 8192
    ends.clear()
    assert read(path, "c", compare=True).digest is not None
    assert ends[-1] == MIB  # a digest is of all of it


def test_a_file_cut_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / NAME
    path.write_bytes(full())
    listed = archived(path)
    preadv = os.preadv

    def cut(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        if offset:
            os.truncate(path, 200_000)
        return preadv(descriptor, buffers, offset)

    monkeypatch.setattr(pieces.os, "preadv", cut)  # type: ignore[attr-defined]
    before = kernel.running()
    kernel.choose("c")
    try:
        scanned = read_segment(listed, NAME, MIB, "records")
    finally:
        kernel.choose(before)
    assert scanned.scan.damage is not None and scanned.scan.size_bytes == 200_000
    assert not scanned.sound and not scanned.stable
