"""Base backups and WAL outside of archives, in an object store: the same answers as from here."""

from __future__ import annotations

import os
import shutil
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fix_check import Archived, Checked, pitr_check
from tests.fix_layouts import COMPRESS, compress_file
from tests.fix_stores import Bucket, Proxy, Store, given_up_soon
from tests.integration.test_store import ARCHIVES, CASES, TICK_SECONDS, placeless, settingless
from tests.integration.test_store_faults import FALSE, FAULTS, every_third
from tests.unpack import unpack_tar

DEPTHS = ("label", "files", "checksums", "pages")


def as_pg_basebackup_packs(backup: Path, home: Path, suffix: str = "") -> Path:
    """base.tar, pg_wal.tar and the manifest."""
    home.mkdir()
    with tarfile.open(home / "base.tar", "w") as base:
        base.add(backup / "backup_label", "backup_label")
        for path in sorted(backup.iterdir()):
            if path.name not in ("pg_wal", "backup_manifest", "backup_label"):
                base.add(path, path.name)
    with tarfile.open(home / "pg_wal.tar", "w") as wal:
        for path in sorted((backup / "pg_wal").iterdir()):
            wal.add(path, path.name)
    shutil.copy2(backup / "backup_manifest", home)
    if suffix:
        for name in ("base.tar", "pg_wal.tar"):
            compress_file(home / name, suffix)
    return home


def as_a_person_packs(backup: Path, tar: Path, suffix: str = "") -> Path:
    """Everything in one tar, below a folder."""
    with tarfile.open(tar, "w") as packed:
        packed.add(backup, "data")
    return compress_file(tar, suffix) if suffix else tar


def same(local: Checked, here: object, remote: Checked, there: object) -> None:
    """The same but for the place; cp knows no store."""
    assert _comparable(remote, there) == _comparable(local, here)
    assert remote.status == local.status
    assert remote.err.replace(str(there), "<archive>") == local.err.replace(str(here), "<archive>")


def _comparable(checked: Checked, root: object) -> Any:
    return settingless(placeless(checked.out, root))


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A backup here, and in the store."""

    here: Path
    url: str


@pytest.fixture(scope="session")
def plain(object_store: Store, pristine: Archived) -> Stored:
    """To be read: what a thousand objects cost to put is paid once."""
    url = object_store.bucket("archives").put_tree(pristine.backup, "plain")
    return Stored(here=pristine.backup, url=url)


@pytest.fixture(scope="session")
def changed(
    object_store: Store, pristine: Archived, tmp_path_factory: pytest.TempPathFactory
) -> Stored:
    """The same with two files that are not as they were taken."""
    backup = tmp_path_factory.mktemp("changed") / "backup"
    shutil.copytree(pristine.backup, backup)
    path = backup / "base" / "1" / "1259"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    (backup / "PG_VERSION").write_text("16\n\n")
    return Stored(here=backup, url=object_store.bucket("archives").put_tree(backup, "changed"))


@pytest.fixture(scope="session")
def tarred(
    object_store: Store, pristine: Archived, tmp_path_factory: pytest.TempPathFactory
) -> Stored:
    """The same as compressed tars."""
    home = as_pg_basebackup_packs(pristine.backup, tmp_path_factory.mktemp("tarred") / "b", ".gz")
    return Stored(here=home, url=object_store.bucket("archives").put_tree(home, "tarred"))


@pytest.mark.parametrize("case", CASES)
def test_backup_and_archive_in_a_bucket_have_the_directorys_verdict(
    bucket: Bucket, tmp_path: Path, case: str
) -> None:
    unpack_tar(ARCHIVES / f"{case}.tar.xz", tmp_path / case)
    home, url = tmp_path / case, bucket.put_tree(tmp_path / case, f"whole-{case}")
    time.sleep(TICK_SECONDS)
    for words in (("--backup", "{}/backup"), ("--backups", "{}")):
        options = [each for word in words for each in (word,)]
        local, remote = (
            pitr_check(
                "--archive", f"{root}/archive", *(each.format(root) for each in options),
                "--backup-depth", "files", "--format", "json",
            )
            for root in (home, url)
        )  # fmt: skip
        same(local, home, remote, url)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_plain_backup_at_every_depth(
    bucket: Bucket, pristine: Archived, plain: Stored, changed: Stored, depth: str
) -> None:
    for backup in (plain, changed):
        options = ("--archive", pristine.archive, "--backup-depth", depth, "--format", "json")
        local = pitr_check(*options, "--backup", backup.here)
        remote = pitr_check(*options, "--backup", backup.url)
        same(local, backup.here, remote, backup.url)
        assert local.status == (0 if backup is plain or depth == "label" else 2)


@pytest.mark.parametrize("suffix", ["", *COMPRESS])
@pytest.mark.parametrize("pack", ["pg_basebackup", "person"])
def test_a_tar_in_every_codec(
    bucket: Bucket, archived: Archived, tmp_path: Path, suffix: str, pack: str
) -> None:
    home = tmp_path / "packed"
    if pack == "person":
        home.mkdir()
        as_a_person_packs(archived.backup, home / "monday.tar", suffix)
        shutil.copy(archived.segments[0], home / "not-a-backup.bin")
    else:
        as_pg_basebackup_packs(archived.backup, home, suffix)
    url = bucket.put_tree(home, f"{pack}{suffix}")
    options = ("--archive", archived.archive, "--format", "json", "--backup-depth", "checksums")
    below = "" if pack == "pg_basebackup" else f"/monday.tar{suffix}"
    for words in (("--backup", below), ("--backups", "")):
        local, remote = (
            pitr_check(*options, words[0], f"{root}{words[1]}") for root in (home, url)
        )
        same(local, home, remote, url)
        assert local.status == 0, local.out


def test_tars_that_lie_in_a_directory_are_found(archived: Archived, tmp_path: Path) -> None:
    home = tmp_path / "backups"
    home.mkdir()
    for day, suffix in (("monday", ""), ("tuesday", ".gz")):
        as_a_person_packs(archived.backup, home / f"{day}.tar", suffix)
    with tarfile.open(home / "etc.tar", "w") as other:
        other.add(__file__, "etc/hosts")
    options = ("--archive", archived.archive, "--format", "json")
    checked = pitr_check(*options, "--backups", home)
    assert checked.status == 0, checked.out
    assert [each["url"] for each in checked.json["backups"]] == [
        str(home / "monday.tar"), str(home / "tuesday.tar.gz"),
    ]  # fmt: skip
    cut = home / "tuesday.tar.gz"
    cut.write_bytes(cut.read_bytes()[:4000])
    checked = pitr_check(*options, "--backups", home)
    assert "tuesday.tar.gz" in checked.out
    assert "backup_in_progress" in checked.findings  # it was changed a moment ago


def test_wal_outside_of_an_archive(bucket: Bucket, archived: Archived, tmp_path: Path) -> None:
    """What a dead primary's pg_wal would add, saved to a bucket: as files, and as a tar."""
    saved = tmp_path / "saved" / "pg_wal"
    saved.mkdir(parents=True)
    for segment in archived.segments[-2:]:
        shutil.move(segment, saved)
    url = bucket.put_tree(saved.parent, "saved")
    tars = tmp_path / "tars"
    tars.mkdir()
    with tarfile.open(tars / "pg_wal.tar.gz", "w:gz") as tar:
        for path in sorted(saved.iterdir()):
            tar.add(path, path.name)
    packed = bucket.put_tree(tars, "saved-tar")
    options = ("--archive", archived.archive, "--backup", archived.backup, "--format", "json")
    for here, there in ((saved.parent, url), (tars, packed)):
        local, remote = (pitr_check(*options, "--wal", root) for root in (here, there))
        same(local, here, remote, there)
        assert "wal_elsewhere" in local.findings


@pytest.mark.parametrize("kind", ["plain", "tar"])
def test_a_drill_of_a_backup_and_an_archive_in_a_store(
    bucket: Bucket, pristine: Archived, plain: Stored, tarred: Stored, kind: str
) -> None:
    archive = bucket.put_tree(pristine.archive, "drilled-wal")
    backup = {"plain": plain, "tar": tarred}[kind].url
    drilled = pitr_check("--archive", archive, "--backup", backup, "--drill")
    assert drilled.status == 0, drilled.out + drilled.err
    assert "it matched the prediction" in " ".join(drilled.out.split())


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(kind, name, marks=marks)
        for name in FAULTS
        for kind, marks in (
            ("plain", ()),
            ("tar", () if name == "hangs up" else pytest.mark.campaign),
        )
    ],
)
def test_a_store_that_fails_is_never_a_verdict_on_a_backup(
    proxy: Proxy, pristine: Archived, plain: Stored, tarred: Stored, name: str, kind: str
) -> None:
    url = {"plain": plain, "tar": tarred}[kind].url

    def check() -> Checked:
        return pitr_check("--archive", pristine.archive, "--backup", url, "--format", "json")

    if name != "ends early":
        proxy.fault = FAULTS[name]
        with given_up_soon():
            failed = check()
        assert failed.status == 3, failed.out
        assert not FALSE.search(failed.out + failed.err)
        assert "backup_files_bad" not in failed.findings
    proxy.fault = every_third(FAULTS[name])
    assert check().status == 0
    proxy.fault = lambda asked, answer: None
    assert check().status == 0


def test_the_configuration_names_a_store_for_backups(
    bucket: Bucket,
    pristine: Archived,
    plain: Stored,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, endpoint = plain.url, os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    backups = {"url": url, "endpoint": endpoint, "region": "us-east-1", "depth": "label"}
    cluster = {"name": "a", "archives": [{"url": str(pristine.archive)}], "backups": backups}
    config = tmp_path / "pitr.yaml"
    config.write_text(yaml.safe_dump({"clusters": [cluster]}))
    checked = pitr_check("--config", config, "--format", "json")
    assert (checked.status, checked.json["backups"][0]["url"]) == (0, url)


def test_a_backup_costs_one_listing_and_its_small_files(
    proxy: Proxy, pristine: Archived, plain: Stored
) -> None:
    count = sum(path.is_file() for path in plain.here.rglob("*"))
    assert pitr_check("--archive", pristine.archive, "--backup", plain.url).status == 0
    assert count > 900
    listings = sum(asked.is_listing for asked in proxy.asked)
    assert listings <= 2 + count // 1000, [each.path for each in proxy.asked if each.is_listing]
    assert len(proxy.asked) - listings < 20
