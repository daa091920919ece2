"""The boundary of one file: what fails on one segment says so of it, and of no other."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

from agent.archive import fetch as fetching
from agent.archive.directory import list_archive
from agent.archive.fetch import FileRefused, fetch
from agent.archive.readings import read_segment
from agent.archive.scanner import SegmentReader, SegmentReadings
from agent.archive.unreadable import Unreadable
from agent.backups.restore_inputs import segments_read
from agent.find.journals import JournalJob, read_journal
from agent.ledger.store import Ledger
from parsers.segment import segment_name
from parsers.wal.scan import SegmentScan, scan_segment
from rules.case.case import Case
from rules.case.context import Context
from rules.case.observations import ArchiveListings
from rules.model.facts import ArchiveFacts, ScanFacts
from tests.wal_writer import MIB, WalWriter

BAD, SEGMENTS = 3, 6
NAMES = [segment_name(1, number, MIB) for number in range(1, SEGMENTS + 1)]
BAD_NAME = segment_name(1, BAD, MIB)


class Stubborn(Exception):
    """It does not survive the way to another process: it cannot be made from its text."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first}\n{second}")


def scan_or_fail(buffer: bytes, *, segment_number: int, **options: Any) -> SegmentScan:
    """A decoder with a bug that one segment brings out."""
    if segment_number == BAD:
        raise IndexError("index 1045488 is out of bounds")
    return scan_segment(buffer, segment_number=segment_number, **options)


def scan_or_fail_stubbornly(buffer: bytes, *, segment_number: int, **options: Any) -> SegmentScan:
    if segment_number == BAD:
        raise Stubborn("two", "lines")
    return scan_segment(buffer, segment_number=segment_number, **options)


@pytest.fixture
def archive(tmp_path: Path) -> ArchiveFacts:
    wal = WalWriter()
    for number in range(SEGMENTS):
        wal.commit(700 + number, number)
        wal.fill_to(0)
    directory = tmp_path / "wal"
    directory.mkdir()
    for name, data in zip(NAMES, wal.segments(), strict=True):
        (directory / name).write_bytes(data)
    return list_archive(str(directory))


def read_all(archive: ArchiveFacts, **options: Any) -> SegmentReadings:
    reader = SegmentReader(2, **options)
    try:
        return asyncio.run(reader.read(archive, archive.segments, MIB, "records"))
    finally:
        reader.close()


def test_a_failure_names_its_class_and_loses_nothing_of_its_cause(archive: ArchiveFacts) -> None:
    with pytest.raises(Unreadable) as caught:
        read_segment(archive.segments[BAD_NAME], BAD_NAME, MIB, "records", scan=scan_or_fail)
    assert str(caught.value) == (
        "unexpected IndexError: index 1045488 is out of bounds (this is a bug, please report it)"
    )
    assert isinstance(caught.value.__cause__, IndexError)
    with pytest.raises(Unreadable, match=r"^unexpected Stubborn: two lines \("):
        read_segment(
            archive.segments[BAD_NAME], BAD_NAME, MIB, "records", scan=scan_or_fail_stubbornly
        )


def test_a_file_that_is_gone_or_no_file_is_no_bug(archive: ArchiveFacts) -> None:
    path = Path(archive.segments[BAD_NAME].path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        read_segment(archive.segments[BAD_NAME], BAD_NAME, MIB, "records")
    path.mkdir()
    with pytest.raises(Unreadable, match=r"^cannot be read: Is a directory$"):
        read_segment(archive.segments[BAD_NAME], BAD_NAME, MIB, "records")


@pytest.mark.parametrize("scan", [scan_or_fail, scan_or_fail_stubbornly])
@pytest.mark.parametrize("has_ledger", [False, True])
def test_one_segment_is_unreadable_and_every_other_judged(
    archive: ArchiveFacts,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    scan: Any,
    has_ledger: bool,
) -> None:
    caplog.set_level(logging.DEBUG, "pitr.archive")
    ledger = Ledger(str(tmp_path / "ledger.sqlite"), pytest.fail) if has_ledger else None
    readings = read_all(archive, ledger=ledger, read=partial(read_segment, scan=scan))
    case = Case(context=Context(depth="records")).having(
        ArchiveListings(archives=(archive,)), segments_read(readings, "records")
    )
    facts = case.get(ScanFacts)
    assert facts is not None
    assert facts.read == set(NAMES) - {BAD_NAME}
    assert list(facts.unread) == [BAD_NAME]
    (damaged,) = facts.damaged
    assert (damaged.segment, damaged.kind) == (BAD_NAME, "unreadable")
    assert damaged.detail == facts.unread[BAD_NAME]
    assert damaged.detail.startswith(("unexpected IndexError", "unexpected Stubborn"))
    (record,) = [each for each in caplog.records if each.levelno == logging.DEBUG]
    assert BAD_NAME in record.getMessage()
    assert record.exc_info is not None
    assert scan.__name__ in logging.Formatter().formatException(record.exc_info)  # the traceback


def test_a_journal_that_fails_says_why(archive: ArchiveFacts) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise OverflowError("too large")

    job = JournalJob(BAD_NAME, archive.segments[BAD_NAME], MIB, (BAD + 1) * MIB, frozenset())
    said = read_journal(job, fail)
    assert isinstance(said, str)
    assert said.startswith("unexpected OverflowError: too large")
    assert not isinstance(read_journal(job), str | None)
    Path(archive.segments[BAD_NAME].path).unlink()
    assert read_journal(job) is None


def test_fetch_passes_over_a_copy_that_it_fails_on(
    archive: ArchiveFacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(archive.segments[BAD_NAME].path)
    copy = tmp_path / "copy" / BAD_NAME
    copy.parent.mkdir()
    copy.write_bytes(source.read_bytes())
    read, said, target = fetching.read_stored, list[str](), tmp_path / "segment"

    def read_or_fail(directory: str, name: str, limit_bytes: int) -> object:
        if directory == str(source.parent):
            raise ValueError("never seen before")
        return read(directory, name, limit_bytes)

    monkeypatch.setattr(fetching, "read_stored", read_or_fail)
    roots = [str(source.parent), str(copy.parent)]
    assert fetch(BAD_NAME, str(target), roots, complain=said.append)
    assert target.read_bytes() == copy.read_bytes()
    assert [line for line in said if "unexpected ValueError: never seen before" in line]
    with pytest.raises(FileRefused, match="unexpected ValueError: never seen before"):
        fetch(BAD_NAME, str(target), roots[:1])
