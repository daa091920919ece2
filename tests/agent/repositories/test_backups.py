"""Backups of repositories, held against what their tools say, and with every kind of fault."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agent.repositories.repository import Backups
from parsers.lsn import parse_lsn
from tests.fix_repositories import PATHS, Sample, Samples, look_of


def labels(read: Backups) -> list[str]:
    return [backup.name for backup in read.read]


@pytest.mark.parametrize("case", [case for case in PATHS if case.startswith("br_")])
def test_every_file_has_its_checksum(
    samples: Samples, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = samples(case)
    for number in sample.numbers:
        read = sample.open(number).read_backups("checksums", None)
        told = {b["label"]: b for b in sample.truth["backups"] if b["repo"] == number}
        assert read.read and set(labels(read)) <= told.keys() and not read.unreadable
        for backup in read.read:
            entry = told[backup.name]
            assert (backup.bad_files, backup.unread_files, backup.depth) == ((), (), "checksums")
            assert backup.stop_lsn == parse_lsn(entry["stop_lsn"])
            assert backup.label.start_lsn == parse_lsn(entry["start_lsn"])
            assert backup.control is not None and backup.settings is not None
            assert backup.stored is not None and backup.stored.kind == entry["type"]


def test_a_chain_of_incremental_backups_is_whole_or_says_what_it_lacks(
    samples: Samples, tmp_path: Path
) -> None:
    sample = copied(samples("bm_incr_18"), tmp_path)
    first, second, third = sample.open().read_backups("files", None).read
    assert all(each.label.incremental_from_lsn is None for each in (first, second, third))
    assert third.stored is not None and third.stored.parents == (first.name, second.name)
    shutil.rmtree(sample.root / "barman/main/base" / second.name)
    _, last = sample.open().read_backups("files", None).read
    assert last.bad_files[-1].startswith(f"{second.name} (absent, and this backup is built on it")


def copied(sample: Sample, folder: Path) -> Sample:
    root = folder / sample.case
    shutil.copytree(sample.root, root, symlinks=True)
    return Sample(sample.case, root, sample.truth)


def files_of(sample: Sample, label: str) -> list[Path]:
    root = Path(sample.url()) / "backup/main" / label
    return [path for path in sorted(root.rglob("*")) if path.is_file() and "manif" not in path.name]


def test_a_lost_bundle_spoils_every_backup_built_on_it(samples: Samples, tmp_path: Path) -> None:
    sample = copied(samples("br_bundle_block_18"), tmp_path)
    full = sample.open().labels()[0]
    (Path(sample.url()) / "backup/main" / full / "bundle/1").unlink()
    for backup in sample.open().read_backups("files", None).read:
        assert any("(absent)" in bad for bad in backup.bad_files), backup.name


def test_a_lost_full_backup_is_named_by_those_built_on_it(samples: Samples, tmp_path: Path) -> None:
    sample = copied(samples("br_damaged_16"), tmp_path)
    full = sample.open().labels()[0]
    shutil.rmtree(Path(sample.url()) / "backup/main" / full)
    read = sample.open().read_backups("files", None)
    url = f"{sample.url()}/backup/main/{full}"
    assert url not in read.unreadable  # it is known what it is: listed, and gone
    assert sample.open().facts().gone == {full: url}
    for backup in read.read:
        assert backup.bad_files[0] == f"{full} (absent, and this backup is built on it)"


@pytest.mark.parametrize("case", ["br_damaged_16", "br_bundle_block_18"])
def test_one_flipped_byte_of_any_file_is_found_by_its_checksum(
    samples: Samples, tmp_path: Path, case: str
) -> None:
    sample = copied(samples(case), tmp_path)
    label = sample.open().labels()[0]
    for path in files_of(sample, label)[::40]:
        data = bytearray(path.read_bytes())
        if not data:
            continue
        data[len(data) // 2] ^= 0x01
        path.write_bytes(data)
        bad = sample.open().read_backups("checksums", label).read[0].bad_files
        assert len(bad) == 1 and "(SHA-1 differs)" in bad[0], path
        data[len(data) // 2] ^= 0x01
        path.write_bytes(data)


def test_the_copy_of_an_info_file_is_used(samples: Samples, tmp_path: Path) -> None:
    sample = copied(samples("br_damaged_16"), tmp_path)
    info = Path(sample.url()) / "backup/main/backup.info"
    whole = labels(sample.open().read_backups("label", None))
    info.write_bytes(info.read_bytes()[:900])
    assert labels(sample.open().read_backups("label", None)) == whole
    info.with_name("backup.info.copy").unlink()
    read = sample.open().read_backups("label", None)
    assert read.read == () and "its copy: absent" in read.unreadable[str(info)]


def test_without_the_passphrase_names_are_known_and_backups_are_not(samples: Samples) -> None:
    sample = samples("br_two_repos_15")
    closed = Sample(sample.case, sample.root, {}).open(2)
    assert len(closed.list_archive().segments) == 17
    read = closed.read_backups("files", None)
    assert read.read == ()
    assert all("set PGBACKREST_REPO2_CIPHER_PASS" in why for why in read.unreadable.values())


def test_a_wrong_passphrase_damages_nothing(samples: Samples) -> None:
    sample = samples("br_two_repos_15")
    wrong = Sample(sample.case, sample.root, {"cipher_pass": {"2": "wrong"}}).open(2)
    assert len(wrong.list_archive().segments) == 17
    read = wrong.read_backups("files", None)
    assert read.read == () and read.unreadable


@pytest.mark.parametrize("case", PATHS)
def test_reading_changes_nothing(
    samples: Samples, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = samples(case)
    for name, value in sample.environment.items():
        monkeypatch.setenv(name, value)
    before = look_of(sample.root)
    for number in sample.numbers:
        repository = sample.open(number)
        repository.read_backups("checksums", None)
        repository.list_archive()
    assert look_of(sample.root) == before
