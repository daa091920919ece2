"""What reads segments beside the compiled engine: threads, of which a hung one holds up nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.archive import round as rounds
from agent.archive import workers
from agent.archive.directory import list_archive
from agent.archive.readings import ScannedSegment, read_segment
from agent.archive.scanner import SegmentReader, SegmentReadings
from agent.archive.workers import StillHangs, Threads
from parsers.segment import segment_name
from parsers.wal import kernel
from rules.model.facts import ArchivedFile
from tests.fix_tools import PATIENCE_SECONDS, need
from tests.wal_writer import MIB, WalWriter

SECONDS = PATIENCE_SECONDS
NAMES = [segment_name(1, number, MIB) for number in range(1, 5)]


@pytest.fixture
def hung() -> Iterator[threading.Event]:
    """What a read waits for until the test is over."""
    event = threading.Event()
    yield event
    event.set()


def test_calls_are_made_side_by_side_and_fail_by_themselves() -> None:
    threads, barrier = Threads(2), threading.Barrier(2, timeout=SECONDS)
    both = [threads.submit(number, barrier.wait) for number in range(2)]
    assert sorted(future.result(SECONDS) for future in both) == [0, 1]
    assert isinstance(threads.submit("x", int, "no number").exception(SECONDS), ValueError)
    assert threads.submit("x", int, "1").result(SECONDS) == 1
    threads.close()


def test_what_waits_is_cancelled_and_later_calls_are_made(hung: threading.Event) -> None:
    threads, begun = Threads(1), threading.Event()

    def hang() -> None:
        begun.set()
        hung.wait()

    threads.submit("hung", hang)
    begun.wait(SECONDS)
    waiting = threads.submit("waiting", int, "1")
    threads.close()
    assert waiting.cancelled()
    assert threads.submit("other", int, "2").result(SECONDS) == 2
    with pytest.raises(StillHangs):
        threads.submit("hung", int, "1")
    threads.close()
    hung.set()
    for thread in threads._given_up:
        thread.join(SECONDS)
    assert threads.submit("hung", int, "1").result(SECONDS) == 1  # it came back
    threads.close()


def test_hung_calls_cost_no_more_than_a_few_threads(hung: threading.Event) -> None:
    threads = Threads(1)
    for number in range(workers._MOST_HUNG):
        begun = threading.Event()
        threads.submit(number, lambda begun=begun: (begun.set(), hung.wait()))
        assert begun.wait(SECONDS)
        threads.close()
    with pytest.raises(StillHangs):
        threads.submit("one more", int, "1")


def test_a_program_ends_though_a_call_hangs() -> None:
    program = (
        "import threading\n"
        "from agent.archive.workers import Threads\n"
        "begun, threads = threading.Event(), Threads(1)\n"
        "threads.submit(1, lambda: (begun.set(), threading.Event().wait()))\n"
        "begun.wait(); threads.close()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], timeout=PATIENCE_SECONDS, capture_output=True
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.fixture
def compiled() -> Iterator[None]:
    """The engine beside which threads read, whichever the tests run with."""
    need("the compiled engine")
    before = kernel.running()
    kernel.choose("c")
    yield
    kernel.choose(before)


@pytest.mark.usefixtures("compiled")
def test_a_disk_that_hangs_on_one_segment_hides_no_other(
    tmp_path: Path, hung: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "_SPARE_SECONDS", 0.5)
    wal = WalWriter()
    for number in range(len(NAMES)):
        wal.commit(700 + number, number)
        wal.fill_to(0)
    for name, data in zip(NAMES, wal.segments(), strict=True):
        (tmp_path / name).write_bytes(data)
    archive = list_archive(str(tmp_path))
    newest = NAMES[-1]

    def read(file: ArchivedFile, name: str, *options: Any) -> ScannedSegment:
        if name == newest and not hung.is_set():
            hung.wait()
        return read_segment(file, name, *options)

    reader = SegmentReader(1, read=read)

    def round_of_reading(seconds: float = SECONDS) -> SegmentReadings:
        return asyncio.run(
            reader.read(archive, archive.segments, MIB, "records", budget_seconds=seconds)
        )

    first = round_of_reading(2.0)
    assert first.unread[newest] == "reading it takes too long"
    second = round_of_reading()
    assert second.unread == {newest: "reading it takes too long: an earlier look at it still hangs"}
    assert set(second.scans) == set(NAMES) - {newest}
    hung.set()
    for thread in reader._workers._given_up:  # type: ignore[attr-defined]
        thread.join(SECONDS)
    assert set(round_of_reading().scans) == set(NAMES)
    reader.close()


@pytest.mark.usefixtures("compiled")
def test_a_slow_segment_holds_up_no_other(tmp_path: Path) -> None:
    """It is read to its end only once all others were, however many."""
    wal, names = WalWriter(), [segment_name(1, number, MIB) for number in range(1, 21)]
    for number in range(len(names)):
        wal.commit(700 + number, number)
        wal.fill_to(0)
    for name, data in zip(names, wal.segments(), strict=True):
        (tmp_path / name).write_bytes(data)
    archive, others = list_archive(str(tmp_path)), threading.Semaphore(0)
    told: list[tuple[int, int, int, str]] = []

    def read(file: ArchivedFile, name: str, *options: Any) -> ScannedSegment:
        if name == names[-1]:
            assert all(others.acquire(timeout=SECONDS) for _ in names[1:])
        else:
            others.release()
        return read_segment(file, name, *options)

    reader = SegmentReader(2, read=read)
    reading = reader.read(
        archive, archive.segments, MIB, "records", on_progress=lambda *now: told.append(now)
    )
    assert set(asyncio.run(reading).scans) == set(names)
    assert told[-1] == (20, 20, 20 * MIB, "2 threads")
