"""The ledger: a cache that changes what a check costs, and nothing that it says but when."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.archive import round as round_of_reading
from agent.archive.directory import list_archive
from agent.archive.scanner import SegmentReader
from agent.cli.check import main
from agent.ledger.store import Ledger
from tests.fix_check import WITHOUT_ROOTS_EYES, Archived, Checked, pitr_check, timeless
from tests.fix_layouts import DeadPrimary, mix_codecs
from tests.fix_tools import PATIENCE_SECONDS

TICK_SECONDS = 2.5  # a file must have been still for two seconds before its reading is remembered


def check(archived: Archived, *options: object, prefix: tuple[str, ...] = ()) -> Checked:
    """One worker: starting them is most of what these tests cost."""
    return archived.check("--workers", "1", *options, prefix=prefix)


def now() -> str:
    return datetime.now(UTC).isoformat()


@pytest.fixture(scope="module")
def healthy(pristine: Archived) -> Any:
    return timeless(check(pristine).json)


@pytest.fixture(scope="module")
def kept(pristine: Archived, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger that knows all of the pristine archive."""
    time.sleep(TICK_SECONDS)
    ledger = tmp_path_factory.mktemp("kept") / "ledger.sqlite"
    check(pristine, "--ledger", ledger)
    return ledger


@pytest.fixture
def still(archived: Archived) -> Archived:
    """An archive of one's own whose files are not taken for just written ones."""
    time.sleep(TICK_SECONDS)
    return archived


def test_a_second_run_reads_nothing_and_says_when_it_was_read(
    pristine: Archived, tmp_path: Path
) -> None:
    time.sleep(TICK_SECONDS)
    ledger = tmp_path / "ledger.sqlite"
    bare = check(pristine)
    first, first_ended = check(pristine, "--ledger", ledger), now()
    second = check(pristine, "--ledger", ledger)
    assert timeless(bare.json) == timeless(first.json) == timeless(second.json)
    assert first.err == second.err == ""
    assert first.json["verified_at"] <= second.json["verified_at"] < first_ended
    (backup,) = second.json["backups"]
    assert backup["windows"][0]["verified_at"] < first_ended
    again, again_ended = check(pristine, "--ledger", ledger, "--reverify", "1ms"), now()
    assert again.json["verified_at"] > first_ended
    assert check(pristine, "--ledger", ledger).json["verified_at"] < again_ended


def test_a_new_segment_alone_is_read(still: Archived, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    newest = still.segments[-1]
    aside = newest.rename(tmp_path / newest.name)
    check(still, "--ledger", ledger)
    aside.rename(newest)
    bare, checked = check(still), check(still, "--ledger", ledger)
    assert timeless(checked.json) == timeless(bare.json)
    assert checked.json["verified_at"] < bare.json["verified_at"], "the others were not read"


def test_a_touched_file_is_read_again_and_is_no_finding(still: Archived, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    check(still, "--ledger", ledger)
    os.utime(still.segments[-1])
    same = still.segments[-2]
    same.write_bytes(same.read_bytes())
    time.sleep(TICK_SECONDS)
    checked = check(still, "--ledger", ledger)
    assert (checked.status, checked.findings) == (0, set())


def test_another_content_under_the_same_name_is_a_finding_until_it_is_back(
    still: Archived, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.sqlite"
    began = now()
    check(still, "--ledger", ledger)
    changed = still.segments[-2]
    content = changed.read_bytes()
    damaged = bytearray(content)
    damaged[len(damaged) // 3] ^= 1
    changed.write_bytes(damaged)
    time.sleep(TICK_SECONDS)
    for _ in range(2):  # it does not end by being looked at
        checked = check(still, "--ledger", ledger)
        assert checked.findings >= {"wal_changed", "wal_damaged"}
        (finding,) = (f for f in checked.json["findings"] if f["id"] == "wal_changed")
        assert finding["severity"] == "warning"
        assert finding["evidence"]["segment"] == changed.name
        assert finding["evidence"]["verified_at"] > began
    changed.write_bytes(content)
    time.sleep(TICK_SECONDS)
    assert check(still, "--ledger", ledger).findings == set()


def test_a_damaged_file_that_is_replaced_by_a_good_one_is_no_finding(
    archived: Archived, tmp_path: Path
) -> None:
    ledger, mended = tmp_path / "ledger.sqlite", archived.segments[-2]
    content = mended.read_bytes()
    mended.write_bytes(content[: len(content) // 2])
    archived.age(mended)
    time.sleep(TICK_SECONDS)
    assert "wal_damaged" in check(archived, "--ledger", ledger).findings
    mended.write_bytes(content)
    time.sleep(TICK_SECONDS)
    assert check(archived, "--ledger", ledger).findings == set()


def test_a_relative_path_is_the_same_archive(
    pristine: Archived, tmp_path: Path, kept: Path
) -> None:
    ledger, ended = Path(shutil.copy(kept, tmp_path)), now()
    program = Path(sys.executable).parent / "pitr-check"
    said = subprocess.run(
        [program, "--archive", "archive", "--backup", pristine.backup, "--ledger", ledger,
         "--format", "json"],
        cwd=pristine.archive.parent, capture_output=True, text=True,
    )  # fmt: skip
    assert json.loads(said.stdout)["verified_at"] < ended


def test_a_budget_is_honest_and_the_next_run_goes_on(
    pristine: Archived,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(round_of_reading, "_SPARE_SECONDS", PATIENCE_SECONDS)  # a worker starts
    ledger = tmp_path / "ledger.sqlite"

    def check_slowly() -> Checked:
        status = main([
            "--archive", str(pristine.archive), "--backup", str(pristine.backup), "--workers", "1",
            "--ledger", str(ledger), "--io-limit", "1MB/s", "--budget", "1s", "--format", "json",
        ])  # fmt: skip
        return Checked(status, *capfd.readouterr())

    first = check_slowly()
    assert (first.status, first.json["verdict"], first.json["restorable"]) == (3, "unknown", None)
    (unread,) = (f for f in first.json["findings"] if f["id"] == "wal_unread")
    wanted = unread["evidence"]["segments"]
    for _ in range(20):
        checked = check_slowly()
        if checked.status == 0:
            break
        (unread,) = (f for f in checked.json["findings"] if f["id"] == "wal_unread")
        assert unread["evidence"]["segments"] < wanted
        wanted = unread["evidence"]["segments"]
    assert timeless(checked.json) == timeless(check(pristine).json)


# -- a ledger that cannot be used ------------------------------------------------------------------


def _break(kind: str, ledger: Path) -> None:
    data = ledger.read_bytes()
    if kind == "truncated":
        ledger.write_bytes(data[: len(data) // 2])
    elif kind == "empty":
        ledger.write_bytes(b"")
    elif kind == "text":
        ledger.write_text("not a database, but a letter to somebody\n" * 100)
    elif kind == "flips":
        flipped = bytearray(data)
        rng = random.Random(7)
        for _ in range(200):
            flipped[rng.randrange(100, len(flipped))] ^= 1 << rng.randrange(8)
        ledger.write_bytes(flipped)
    elif kind == "foreign":
        ledger.unlink()
        with sqlite3.connect(ledger) as connection:
            connection.execute("CREATE TABLE accounts (id INTEGER)")
    elif kind == "newer":
        with sqlite3.connect(ledger) as connection:
            connection.execute("PRAGMA user_version = 99")
    elif kind == "older":
        with sqlite3.connect(ledger) as connection:
            connection.execute("DROP TABLE scans")
            connection.execute("PRAGMA user_version = 0")
    elif kind == "view":
        with sqlite3.connect(ledger) as connection:
            connection.execute("ALTER TABLE scans RENAME TO stored")
            connection.execute(
                "CREATE VIEW scans AS SELECT id, randomblob(99) scan, x'' transactions FROM stored"
            )
    elif kind == "values":
        with sqlite3.connect(ledger) as connection:
            connection.execute("UPDATE files SET read_at = 'yesterday', sound = x'00'")
    elif kind == "bomb":
        with sqlite3.connect(ledger) as connection:
            connection.execute("UPDATE scans SET scan = zeroblob(99000000)")
    elif kind == "schema":  # SQLite quotes it in its message, which is no text then
        ledger.write_bytes(data.replace(b"CREATE TABLE files", b"CREATE \xf3ABLE files"))
    elif kind == "changes":
        with sqlite3.connect(ledger) as connection:
            connection.execute("UPDATE files SET changed_digest = digest, changed_read_at = 1")
    elif kind == "digests":
        with sqlite3.connect(ledger) as connection:
            connection.execute("UPDATE files SET mtime_ns = 1, digest = randomblob(length(digest))")
    elif kind == "fifo":
        ledger.unlink()
        os.mkfifo(ledger)


@pytest.mark.parametrize("kind", ["truncated", "empty", "text", "flips", "foreign", "newer",
                                  "older", "view", "values", "bomb", "schema", "changes",
                                  "digests", "fifo"])  # fmt: skip
def test_a_ledger_that_is_none_costs_time_and_no_verdict(
    kind: str, pristine: Archived, tmp_path: Path, healthy: Any, kept: Path
) -> None:
    ledger = Path(shutil.copy(kept, tmp_path))
    _break(kind, ledger)
    before = ledger.read_bytes() if kind == "foreign" else b""
    checked = check(pristine, "--ledger", ledger)
    assert (checked.status, timeless(checked.json)) == (0, healthy)
    assert len(checked.err.splitlines()) <= 1
    if kind in ("truncated", "text", "foreign", "newer", "schema", "fifo"):
        assert checked.err.startswith(f"ledger {ledger}: ")
        assert "going on without it" in checked.err
    if kind == "foreign":
        assert ledger.read_bytes() == before, "it is somebody else's"


def test_a_locked_ledger_is_done_without(
    pristine: Archived, tmp_path: Path, healthy: Any, kept: Path
) -> None:
    ledger = Path(shutil.copy(kept, tmp_path))
    holder = sqlite3.connect(ledger, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    checked = check(pristine, "--ledger", ledger)
    holder.close()
    assert (checked.status, timeless(checked.json)) == (0, healthy)
    assert "somebody else keeps it locked" in checked.err
    assert len(checked.err.splitlines()) == 1


def test_a_directory_that_cannot_be_written_is_one_line(
    pristine: Archived, tmp_path: Path, healthy: Any
) -> None:
    home = tmp_path / "sealed"
    home.mkdir()
    home.chmod(0o555)
    ledger = home / "ledger.sqlite"
    checked = check(pristine, "--ledger", ledger, prefix=WITHOUT_ROOTS_EYES)
    assert (checked.status, timeless(checked.json)) == (0, healthy)
    assert len(checked.err.splitlines()) == 1
    assert not ledger.exists()


def test_a_ledger_that_is_read_only_is_read(
    pristine: Archived, tmp_path: Path, healthy: Any, kept: Path
) -> None:
    ledger, ended = Path(shutil.copy(kept, tmp_path)), now()
    ledger.chmod(0o444)
    checked = check(pristine, "--ledger", ledger, prefix=WITHOUT_ROOTS_EYES)
    assert (checked.status, timeless(checked.json), checked.err) == (0, healthy, "")
    assert checked.json["verified_at"] < ended


@pytest.mark.parametrize("kind", ["none", "spoilt later"])
def test_what_a_ledger_does_not_take_is_read_once_and_not_every_round(
    kind: str, still: Archived, tmp_path: Path
) -> None:
    """One reader lives as long as the agent does."""
    path = tmp_path / "ledger.sqlite"
    facts, complaints, reads = list_archive(str(still.archive)), [], []

    async def rounds(reader: SegmentReader, count: int) -> int:
        before = len(reads)
        for _ in range(count):
            await reader.read(
                facts, facts.segments, 1 << 20, "records",
                on_progress=lambda done, *_: reads.append(done),
            )  # fmt: skip
        reader.close()
        return len(reads) - before

    ledger = Ledger(str(path), complaints.append)
    reader = SegmentReader(1, ledger=ledger)
    if kind == "none":
        path.write_text("not a ledger")
    else:
        assert asyncio.run(rounds(reader, 1)) > 0
        assert asyncio.run(rounds(reader, 1)) == 0
        ledger.close()
        path.write_text("not a ledger")
    once = asyncio.run(rounds(reader, 1))
    assert (once > 0, asyncio.run(rounds(reader, 3))) == (True, 0)
    assert len(complaints) == 1
    still.segments[-1].touch()
    time.sleep(TICK_SECONDS)
    facts = list_archive(str(still.archive))
    assert (asyncio.run(rounds(reader, 1)), asyncio.run(rounds(reader, 1))) == (1, 0)
    ledger.close()


@pytest.mark.needs("mount")
def test_a_full_disk_is_one_line(pristine: Archived, tmp_path: Path, healthy: Any) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", small], check=True)
    try:
        checked = check(pristine, "--ledger", small / "ledger.sqlite")
        assert (checked.status, timeless(checked.json)) == (0, healthy)
        assert "the disk is full" in checked.err
        assert len(checked.err.splitlines()) == 1
    finally:
        subprocess.run(["umount", str(small)], check=True)


# A busy machine may keep a transaction open for longer than a check waits for it.
_UNHURRIED = f"""
import sys
from agent.cli.check import main
from agent.ledger import store
store._LOCK_SECONDS = {PATIENCE_SECONDS}
sys.exit(main())
"""


def test_two_checks_and_a_ledger_at_once(pristine: Archived, tmp_path: Path, healthy: Any) -> None:
    command = [
        sys.executable, "-c", _UNHURRIED, "--archive", pristine.archive, "--backup",
        pristine.backup, "--format", "json", "--ledger", tmp_path / "ledger.sqlite",
    ]  # fmt: skip
    runs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for run in runs:
        out, err = run.communicate(timeout=PATIENCE_SECONDS)
        assert (run.returncode, err) == (0, "")
        assert timeless(Checked(0, out, err).json) == healthy


# -- the same answer as reading --------------------------------------------------------------------


def test_a_run_killed_at_any_instant_leaves_a_ledger_that_is_right(
    pristine: Archived, tmp_path: Path, healthy: Any
) -> None:
    program = Path(sys.executable).parent / "pitr-check"
    ledger = tmp_path / "ledger.sqlite"
    command = [
        program, "--archive", pristine.archive, "--backup", pristine.backup, "--ledger", ledger,
        "--reverify", "1ms",  # every run reads and writes everything
    ]  # fmt: skip
    rng = random.Random(os.environ.get("KILL_SEED", "18"))
    began = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    whole_seconds = time.monotonic() - began
    for _ in range(6):
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        time.sleep(rng.uniform(0.3, 1.0) * whole_seconds)
        os.killpg(run.pid, 9)
        run.wait()
        checked = check(pristine, "--ledger", ledger)
        assert (checked.status, timeless(checked.json), checked.err) == (0, healthy, "")


def test_compressed_files_copies_and_damage_are_remembered_as_they_were_read(
    archived: Archived, tmp_path: Path
) -> None:
    twin = tmp_path / "twin"
    shutil.copytree(archived.archive, twin)
    damaged = bytearray(archived.segments[-2].read_bytes())
    damaged[70_000] ^= 4
    archived.segments[-2].write_bytes(damaged)
    (archived.archive / "x").mkdir()
    shutil.copy(archived.segments[-3], archived.archive / "x")
    mix_codecs(twin)
    _same_with_and_without(tmp_path, archived, "--archive", twin)
    shutil.rmtree(twin)
    _same_with_and_without(tmp_path, archived)
    _same_with_and_without(tmp_path, archived, "--depth", "headers")


def _same_with_and_without(tmp_path: Path, archived: Archived, *options: object) -> None:
    time.sleep(TICK_SECONDS)
    ledger = tmp_path / "ledger.sqlite"
    bare = check(archived, *options)
    for _ in range(2):
        checked = check(archived, *options, "--ledger", ledger)
        assert (checked.status, timeless(checked.json)) == (bare.status, timeless(bare.json))


@pytest.mark.parametrize("backup", ["plain", "tar"])
def test_wal_outside_the_archive_is_remembered_too(
    dead_primary: DeadPrimary, backup: str, tmp_path: Path
) -> None:
    command = (
        "--archive", dead_primary.archive, "--wal", dead_primary.pg_wal,
        "--backup", getattr(dead_primary, backup), "--format", "json", "--workers", "1",
    )  # fmt: skip
    bare = pitr_check(*command)
    for _ in range(2):
        checked = pitr_check(*command, "--ledger", tmp_path / "ledger.sqlite")
        assert (checked.status, timeless(checked.json)) == (bare.status, timeless(bare.json))


def test_help_names_the_options(tmp_path: Path) -> None:
    out = pitr_check("--help").out
    assert all(option in out for option in ("--ledger", "--budget", "--io-limit", "--reverify"))
