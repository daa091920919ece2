"""Archives as they lie in practice: by date, compressed, with copies, and WAL that is elsewhere."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agent.archive.directory import list_archive
from agent.archive.fetch import fetch
from agent.archive.pg_wal import list_pg_wal
from agent.archive.scanner import SegmentReader, read_segment
from agent.postgres.account import Account
from parsers.segment import segment_name
from tests.fix_check import MIB, RESTORE_POINT, WITHOUT_ROOTS_EYES, Archived, Checked, pitr_check
from tests.fix_layouts import (
    COMPRESS,
    DATED,
    DeadPrimary,
    FetchWal,
    compress_file,
    file_by_date,
    growing,
    mix_codecs,
    promoted,
)
from tests.fix_postgres import NewCluster


def answer(checked: Checked) -> dict[str, Any]:
    """The verdict without what tells where the archive lies and how it is stored."""
    verdict = checked.json
    for archive in verdict["archives"]:
        del archive["url"]
    del verdict["verified_at"], verdict["target"]["settings"], verdict["coverage"]["oldest_read_at"]
    for backup in verdict["backups"]:
        for window in backup["windows"]:
            del window["verified_at"]
    return verdict


@pytest.mark.parametrize("folder", DATED)
def test_dated_and_compressed_archives_give_the_verdict_of_the_flat_one(
    archived: Archived, folder: str
) -> None:
    expected = answer(archived.check())
    assert expected["verdict"] == "ok"
    file_by_date(archived.archive, DATED[folder])
    mix_codecs(archived.archive)
    checked = archived.check()
    assert answer(checked) == expected
    assert "fetch-wal" in (checked.json["target"]["settings"] or "fetch-wal")


# -- every codec, every state --------------------------------------------------------------------


def _same(data: bytes) -> bytes:
    return data


def _bad_record(data: bytes) -> bytes:
    return data[:100_000] + bytes([data[100_000] ^ 0x10]) + data[100_001:]


def _short(data: bytes) -> bytes:
    return data[:300_000]


def _bomb(data: bytes) -> bytes:
    return data + bytes(32 * MIB)


def _cut_stream(stored: bytes) -> bytes:
    return stored[: len(stored) * 2 // 3]


def _other_end(stored: bytes) -> bytes:
    """The end of the stream, where the codecs keep their checksums, is another's."""
    return stored[:-8] + bytes(byte ^ 0xA5 for byte in stored[-8:])


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize(
    ("content", "stream", "kind"),
    [
        (_same, _same, None),
        (_bad_record, _same, "bad_crc"),
        (_short, _same, "truncated"),
        (_bomb, _same, "oversized"),
        (_same, _cut_stream, "truncated"),
        (_same, _other_end, "bad_crc"),
    ],
)
def test_each_state_of_a_compressed_segment(
    pristine: Archived,
    tmp_path: Path,
    suffix: str,
    content: Callable[[bytes], bytes],
    stream: Callable[[bytes], bytes],
    kind: str | None,
) -> None:
    name = pristine.segments[-2].name
    data = pristine.segments[-2].read_bytes()
    (tmp_path / f"{name}{suffix}").write_bytes(stream(COMPRESS[suffix](content(data))))
    facts = list_archive(str(tmp_path))
    assert facts.compressed == {name}
    scan = read_segment(facts.segments[name], name, MIB, "records").scan
    if kind is None:
        plain = list_archive(str(pristine.archive)).segments[name]
        assert scan == read_segment(plain, name, MIB, "records").scan
    else:
        assert scan.damage is not None
        if (suffix, stream) != (".xz", _other_end):  # xz checks its index: it says "cut" or worse
            assert scan.damage.kind.value == kind


def test_small_files_and_the_segment_size_are_read_compressed(
    archived: Archived, tmp_path: Path
) -> None:
    (archived.archive / "00000002.history").write_text("1\t0/500000\tno reason\n")
    plain = list_archive(str(archived.archive))
    for suffix in COMPRESS:
        copy = tmp_path / suffix
        shutil.copytree(archived.archive, copy)
        for path in list(copy.iterdir()):
            compress_file(path, suffix)
        facts = list_archive(str(copy))
        assert facts.histories == plain.histories and facts.histories
        assert facts.backup_labels == plain.backup_labels and facts.backup_labels
        assert facts.segment_size_bytes == MIB
        assert facts.segments.keys() == plain.segments.keys()


def test_a_codec_that_is_not_read_here_is_unknown(archived: Archived) -> None:
    victim = archived.segments[-1]
    victim.rename(f"{victim}.br")
    checked = archived.check()
    assert (checked.status, checked.findings) == (3, {"wal_unread"})
    assert ".br: only its name" in checked.json["findings"][0]["summary"]


# -- copies --------------------------------------------------------------------------------------


def copies(checked: Checked) -> list[dict[str, Any]]:
    return [copy for archive in checked.json["archives"] for copy in archive["copies"]]


@pytest.fixture
def copy(archived: Archived) -> tuple[Path, Path]:
    """(a segment of the archive, a copy of it in a dated folder)."""
    segment = archived.segments[-2]
    folder = archived.archive / "2025-07-01"
    folder.mkdir()
    return segment, Path(shutil.copy2(segment, folder))


def test_copies_of_the_same_content_are_normal(archived: Archived, copy: tuple[Path, Path]) -> None:
    segment, other = copy
    compress_file(other, ".zst")
    checked = archived.check()
    assert (checked.status, checked.findings) == (0, set())
    (found,) = copies(checked)
    assert (found["segment"], found["differs"], found["kind"]) == (segment.name, False, None)
    assert found["url"] in (f"{other}.zst", str(segment))


@pytest.mark.parametrize("broken", [0, 1])
def test_a_damaged_copy_beside_a_valid_one_costs_nothing(
    archived: Archived, copy: tuple[Path, Path], broken: int
) -> None:
    victim = copy[broken]
    victim.write_bytes(_bad_record(victim.read_bytes()))
    checked = archived.check()
    assert (checked.status, checked.json["archives"][0]["damaged"]) == (0, [])
    (found,) = copies(checked)
    assert (found["url"], found["differs"], found["kind"]) == (str(victim), True, "bad_crc")


def test_copies_that_differ_and_are_valid_conflict(
    archived: Archived, copy: tuple[Path, Path]
) -> None:
    data = copy[1].read_bytes()
    copy[1].write_bytes(data[:-1] + b"\x01")  # after the switch: no record tells
    checked = archived.check()
    (damage,) = checked.json["archives"][0]["damaged"]
    assert (damage["segment"], damage["kind"]) == (copy[0].name, "conflicting_copies")
    assert (checked.status, "wal_damaged" in checked.findings) == (2, True)
    assert str(copy[0]) in damage["detail"] and str(copy[1]) in damage["detail"]


def test_copies_of_which_none_is_valid(archived: Archived, copy: tuple[Path, Path]) -> None:
    first, second = copy
    bad = _bad_record(first.read_bytes())
    first.write_bytes(bad)
    second.write_bytes(_short(bad))
    archived.age(second)
    (damage,) = archived.check().json["archives"][0]["damaged"]
    assert damage["kind"] == "conflicting_copies"
    second.write_bytes(bad)
    (damage,) = archived.check().json["archives"][0]["damaged"]
    assert damage["kind"] == "bad_crc", "the same damage twice is no contradiction"


def test_another_archive_helps_out(archived: Archived, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    shutil.copytree(archived.archive, mirror)
    victim, lost = archived.segments[-2], archived.segments[-1]
    victim.write_bytes(_short(victim.read_bytes()))
    archived.age(victim)
    lost.unlink()
    assert archived.check().status == 2
    checked = archived.check("--archive", mirror)
    assert checked.json["backups"][0]["windows"]
    assert "wal_damaged" not in checked.findings
    assert {(found["url"], found["kind"]) for found in copies(checked) if found["differs"]} == {
        (str(victim), "truncated")
    }


# -- in flight, then truncated -------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_file_that_grows_is_in_flight_and_truncated_once_it_stands_still(
    archived: Archived, suffix: str
) -> None:
    victim = archived.segments[-1]
    if suffix:
        victim = compress_file(victim, suffix)
    os.truncate(victim, victim.stat().st_size // 2)
    with growing(victim):
        checked = archived.check()
    assert (checked.status, checked.findings) == (3, {"wal_unread"})
    (finding,) = checked.json["findings"]
    assert "counts as truncated 5 s after its last change" in finding["summary"]
    with growing(victim):
        checked = archived.check("--target-name", RESTORE_POINT)
    assert (checked.status, checked.findings) == (0, {"wal_arriving"}), "the target has no need"
    assert checked.json["target"]["reachable"] is True
    with growing(victim):
        checked = archived.check("--target-xid", "4000000")
    assert (checked.status, checked.findings) == (3, {"wal_unread", "target_unproven"})
    archived.age(victim)
    (damage,) = archived.check().json["archives"][0]["damaged"]
    assert (damage["segment"], damage["kind"]) == (victim.name[:24], "truncated")


# -- names and files that are something else -----------------------------------------------------


def test_names_like_segments_that_are_none(archived: Archived) -> None:
    before = len(archived.segments)
    name = "0000000100000000000000"
    for odd in (f"{name}1g", f"{name}1", f"{name}1Aa", f"{name}FF.tmp", f"{name}ab"):
        (archived.archive / odd).touch()
    (archived.archive / "loop").symlink_to(".")
    (archived.archive / "self").symlink_to("self")
    shutil.copytree(archived.backup, archived.archive / "base")
    checked = archived.check()
    assert (checked.status, checked.findings) == (0, set())
    (archive,) = checked.json["archives"]
    assert (archive["segments"], archive["copies"]) == (before, [])
    (archived.archive / f"{name}F0").mkdir()
    os.mkfifo(archived.archive / f"{name}F1.gz")
    (archived.archive / f"{name}F2").symlink_to("nowhere")
    (archived.archive / f"00000007{name[8:]}01").symlink_to(f"00000007{name[8:]}01")
    for depth in ("names", "records"):
        checked = archived.check("--depth", depth)
        assert (checked.status, checked.findings) == (3, {"segment_not_a_file"})
        (archive,) = checked.json["archives"]
        assert (archive["segments"], archive["gaps"]) == (before, [])


def test_a_file_that_vanishes_after_the_listing_is_no_damage(archived: Archived) -> None:
    facts = list_archive(str(archived.archive))
    gone = archived.segments[-1]
    gone.unlink()
    reading = SegmentReader().read(facts, facts.segments, MIB, "headers")
    readings = asyncio.run(reading)
    assert gone.name not in readings.scans
    assert not readings.unread and not readings.unreadable


def test_a_nested_directory_that_may_not_be_entered_is_not_taken_for_empty(
    archived: Archived,
) -> None:
    file_by_date(archived.archive, DATED["YYYY-MM-DD"])
    closed = archived.archive / "wal" / "2025-07-02"
    closed.chmod(0)
    checked = archived.check(prefix=WITHOUT_ROOTS_EYES)
    closed.chmod(0o755)
    assert checked.status == 3
    why = "Permission denied: its own mode 0000 forbids it (chmod u+rX)"
    assert checked.err.strip().endswith(f"{closed}: cannot be listed: {why}")


# -- WAL that lies elsewhere ---------------------------------------------------------------------


def check_dead(dead: DeadPrimary, *options: object) -> Checked:
    named = ("--archive", dead.archive, "--backup", dead.plain, "--format", "json")
    return pitr_check(*named, *options)


def _position(window: dict[str, Any]) -> int:
    high, low = window["to"]["lsn"].split("/")
    return (int(high, 16) << 32) + int(low, 16)


@pytest.mark.parametrize("depth", ["names", "headers", "records"])
def test_the_verdict_says_what_a_dead_primarys_wal_adds(
    dead_primary: DeadPrimary, depth: str
) -> None:
    alone = check_dead(dead_primary, "--depth", depth)
    with_wal = check_dead(dead_primary, "--depth", depth, "--wal", dead_primary.pg_wal)
    assert (alone.status, with_wal.status, with_wal.findings) == (0, 1, {"wal_elsewhere"})
    (before,) = alone.json["backups"][0]["windows"]
    (after,) = with_wal.json["backups"][0]["windows"]
    assert _position(after) > _position(before)
    (finding,) = with_wal.json["findings"]
    evidence = finding["evidence"]
    archived = max(path.name for path in dead_primary.archive.iterdir() if len(path.name) == 24)
    assert evidence["first"] == segment_name(1, int(archived[16:], 16) + 1, MIB)
    assert evidence["last"] == dead_primary.last_segment
    newest = max(path.name for path in dead_primary.pg_wal.iterdir() if len(path.name) == 24)
    assert newest > dead_primary.last_segment, "recycled files lie there too"
    assert evidence["recycled"] > 0
    assert newest not in evidence["copy"]
    assert "the window of" in finding["summary"]
    assert finding["remedy"].endswith(evidence["copy"])


def test_a_restore_with_the_wal_from_elsewhere_gets_every_row(
    dead_primary: DeadPrimary, new_cluster: NewCluster, fetch_wal: FetchWal, account: Account,
    short_directory: Path,
) -> None:  # fmt: skip
    checked = check_dead(dead_primary, "--wal", dead_primary.pg_wal)
    settings = checked.json["target"]["settings"]
    assert f"--archive {dead_primary.archive} --archive {dead_primary.pg_wal} %f %p" in settings
    rows = {}
    for what in ("archive", "both"):
        roots = [shutil.copytree(dead_primary.archive, short_directory / what / "archive")]
        if what == "both":
            roots.append(shutil.copytree(dead_primary.pg_wal, short_directory / what / "pg_wal"))
        for path in (short_directory / what, *(short_directory / what).rglob("*")):
            account.own(path)
        restored = new_cluster(16, initdb=False)
        options = [option for root in roots for option in ("--archive", root)]
        restored.restore_from(
            dead_primary.plain, restore_command=fetch_wal(*options),
            recovery_target_timeline="current",
        )  # fmt: skip
        with promoted(restored):
            ((rows[what],),) = restored.sql("SELECT count(*) FROM t")
    assert rows == {"archive": dead_primary.rows_archived, "both": dead_primary.rows}


@pytest.mark.parametrize("partial", [False, True])
def test_a_restore_after_the_copies_reaches_the_instant_that_was_told(
    dead_primary: DeadPrimary, new_cluster: NewCluster, account: Account, short_directory: Path,
    partial: bool,
) -> None:  # fmt: skip
    """As told, in the shell. `partial`: pg_receivewal left the last segment unfinished."""
    archive = Path(shutil.copytree(dead_primary.archive, short_directory / "archive"))
    pg_wal = Path(shutil.copytree(dead_primary.pg_wal, short_directory / "pg_wal"))
    last = pg_wal / dead_primary.last_segment
    if partial:
        last.rename(f"{last}.partial")
    named = ("--archive", archive, "--backup", dead_primary.plain, "--format", "json")
    told = pitr_check(*named, "--wal", pg_wal).json
    (finding,) = told["findings"]
    assert (f"{last}.partial" in finding["evidence"]["copy"]) is partial
    subprocess.run(finding["evidence"]["copy"], shell=True, check=True)
    alone = pitr_check(*named).json
    assert _untimed(alone) == _untimed(told)
    assert {path.name for path in archive.iterdir()} - {
        path.name for path in dead_primary.archive.iterdir()
    } == {name for name in finding["evidence"]["copy"].replace("/", " ").split() if _is_name(name)}
    for path in (archive, *archive.iterdir()):
        account.own(path)
    restored = new_cluster(16, initdb=False)
    restored.restore_from(
        dead_primary.plain, restore_command=f"cp {archive}/%f %p",
        recovery_target_timeline="current",
    )  # fmt: skip
    with promoted(restored):
        assert restored.sql("SELECT count(*) FROM t") == [(dead_primary.rows,)]
        log = restored.log.read_text()
    said = datetime.fromisoformat(told["backups"][0]["windows"][0]["to"]["time"])
    at = f"{said:%Y-%m-%d %H:%M:%S.%f}".rstrip("0").rstrip(".")  # as the server prints it
    assert f"last completed transaction was at log time {at}" in log


def _untimed(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The windows of the first backup, whenever they were read."""
    return [w | {"verified_at": None} for w in document["backups"][0]["windows"]]


def _is_name(word: str) -> bool:
    return len(word) == 24 and word.startswith("0")


def test_a_backups_own_wal_can_be_named(dead_primary: DeadPrimary, tmp_path: Path) -> None:
    """The archive lost what a tar backup needs; its pg_wal.tar was put aside."""
    backup = Path(shutil.copytree(dead_primary.tar, tmp_path / "backup"))
    aside = tmp_path / "aside"
    aside.mkdir()
    (backup / "pg_wal.tar").rename(aside / "pg_wal.tar")
    carried = list_pg_wal(str(aside)).segments
    archive = Path(shutil.copytree(dead_primary.archive, tmp_path / "archive"))
    for name in carried:
        (archive / name).unlink()
    named = ("--archive", archive, "--backup", backup, "--format", "json")
    without = pitr_check(*named)
    assert (without.status, without.json["restorable"]) == (2, False)
    stored = compress_file(aside / "pg_wal.tar", ".gz")
    for place in (aside, stored):
        checked = pitr_check(*named, "--wal", place)
        assert (checked.status, checked.json["restorable"]) == (1, True)
        assert checked.findings == {"wal_elsewhere", "tablespace_directory_needed"}
        assert f"--archive {stored} %f %p" in checked.json["target"]["settings"]
    for name in carried:
        assert fetch(name, str(tmp_path / "fetched"), [str(archive), str(stored)])
        assert (tmp_path / "fetched").read_bytes() == (dead_primary.archive / name).read_bytes()


@pytest.mark.parametrize("what", ["nowhere", "empty"])
def test_a_place_without_wal_is_refused(archived: Archived, tmp_path: Path, what: str) -> None:
    place = tmp_path / what
    if what == "empty":
        place.mkdir()
    checked = archived.check("--wal", place)
    assert checked.status == 3
    expected = "there is no such file" if what == "nowhere" else "holds no WAL"
    assert expected in checked.err
