"""What this account may not read of a backup or an archive is unknown, and whose account may."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fix_check import WITHOUT_ROOTS_EYES, Archived, Checked, pitr_check
from tests.fix_tools import PATIENCE_SECONDS

OTHER = 65534  # nobody, or nobody's number


@contextmanager
def closed(path: Path, mode: int = 0) -> Iterator[str]:
    """Take the right to read away; gives what a message must say to do about it."""
    before = path.stat()
    path.chmod(mode)
    if os.geteuid() == 0:
        os.chown(path, OTHER, OTHER)
    try:
        yield "run this as its owner, " if os.geteuid() == 0 else "(chmod u+rX)"
    finally:
        if os.geteuid() == 0:
            os.chown(path, before.st_uid, before.st_gid)
        path.chmod(before.st_mode)


def check(it: Archived, *options: object) -> Checked:
    return it.check(*options, prefix=WITHOUT_ROOTS_EYES)


def is_unknown(checked: Checked) -> bool:
    document = checked.json
    severities = {finding["severity"] for finding in document["findings"]}
    target = document["target"]
    return (
        (checked.status, document["verdict"]) == (3, "unknown")
        and "critical" not in severities
        and document["restorable"] is None
        and (target["outcome"], target["reachable"]) == ("unknown", None)
    )


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("base/1/1259", "checksums"),
        ("base/1", "files"),
        ("global", "files"),
        ("global/pg_control", "label"),
        ("PG_VERSION", "files"),
        ("postgresql.conf", "files"),
        ("pg_tblspc", "files"),
        ("pg_wal", "files"),
    ],
)
def test_a_part_of_a_backup_that_may_not_be_read(archived: Archived, name: str, depth: str) -> None:
    path = archived.backup / name
    with closed(path) as advice:
        checked = check(archived, "--backup-depth", depth)
    assert is_unknown(checked), checked.out
    (finding,) = (f for f in checked.json["findings"] if f["id"] == "backup_unreadable")
    assert "Permission denied" in finding["summary"] and advice in finding["summary"]


def test_a_manifest_that_may_not_be_read(archived: Archived) -> None:
    with closed(archived.backup / "backup_manifest") as advice:
        checked = check(archived)
    assert (checked.status, checked.findings) == (3, {"backup_manifest_broken"})
    assert advice in checked.json["findings"][0]["summary"]


def test_a_directory_among_the_backups_that_may_not_be_read(archived: Archived) -> None:
    """A backup may lie in it: that there is none is not proven."""
    below = archived.backup.parent / "backups"
    below.mkdir()
    shutil.move(archived.backup, below / "one")
    (below / "lost+found").mkdir(mode=0)  # of every file system, and never a backup's
    named = ("--archive", archived.archive, "--backups", below, "--format", "json")
    assert pitr_check(*named, prefix=WITHOUT_ROOTS_EYES).status == 0
    with closed(below / "one") as advice:
        checked = pitr_check(*named, prefix=WITHOUT_ROOTS_EYES)
        text = pitr_check(*named[:-2], prefix=WITHOUT_ROOTS_EYES)
    assert is_unknown(checked) and checked.findings == {"backup_unreadable"}
    assert advice in checked.json["findings"][0]["summary"]
    assert "no base backup here" not in checked.err + text.out + text.err
    with closed(below) as advice:
        checked = pitr_check(*named, prefix=WITHOUT_ROOTS_EYES)
    assert checked.status == 3 and f"{below}: cannot be listed: Permission denied" in checked.err
    assert advice in checked.err


@pytest.mark.parametrize("name", ["base.tar", "pg_wal.tar"])
def test_a_tar_that_may_not_be_read(archived: Archived, name: str) -> None:
    backup = archived.backup.with_name("tar")
    backup.mkdir()
    (backup / "backup_manifest").write_bytes((archived.backup / "backup_manifest").read_bytes())
    subprocess.run(
        ["tar", "cf", backup / "base.tar", "-C", archived.backup, "--exclude=./pg_wal/*",
         "--exclude=./backup_manifest", "."], check=True,
    )  # fmt: skip
    subprocess.run(
        ["tar", "cf", backup / "pg_wal.tar", "-C", archived.backup / "pg_wal", "."], check=True
    )
    named = ("--archive", archived.archive, "--backup", backup, "--backup-depth", "checksums")
    whole = pitr_check(*named, "--format", "json", prefix=WITHOUT_ROOTS_EYES)
    assert whole.status == 0, whole.out
    with closed(backup / name) as advice:
        checked = pitr_check(*named, "--format", "json", prefix=WITHOUT_ROOTS_EYES)
    assert checked.status == 3
    said = checked.err + checked.out
    assert f"{name} (Permission denied" in said and advice in said
    assert "backup_files_bad" not in checked.findings


def _history(archive: Path) -> Path:
    path = archive / "00000002.history"
    path.write_text("1\t0/FF000000\tno reason\n")
    return path


@pytest.mark.parametrize(
    ("place", "mode"),
    [(lambda archive: archive, 0o444), (lambda archive: archive, 0)],
    ids=["not to be searched", "not to be listed"],
)
def test_an_archive_that_may_not_be_read(
    archived: Archived, place: Callable[[Path], Path], mode: int
) -> None:
    """A directory that may be listed and not searched shows names: none of them is missing."""
    with closed(place(archived.archive), mode) as advice:
        checked = check(archived)
    assert (checked.status, checked.findings) == (3, {"cannot_check"})
    assert "Permission denied" in checked.err and advice in checked.err


def test_a_history_that_may_not_be_read(archived: Archived) -> None:
    """All timelines hang on what it says: nothing is restored to the latest of them for sure."""
    with closed(_history(archived.archive), 0) as advice:
        checked = check(archived)
    assert (checked.status, checked.json["target"]["reachable"]) == (3, None)
    (finding,) = (each for each in checked.json["findings"] if each["id"] == "history_unread")
    assert "Permission denied" in finding["summary"] and advice in finding["summary"]


def test_fetch_wal_does_not_take_for_absent_what_it_may_not_look_at(
    archived: Archived, tmp_path: Path
) -> None:
    """PostgreSQL would take it for the end of the WAL, and open."""
    name = archived.segments[-1].name
    target = tmp_path / "RECOVERYXLOG"
    program = Path(sys.executable).with_name("pitr-agent")
    command = [
        *WITHOUT_ROOTS_EYES, str(program), "fetch-wal", "--archive", str(archived.archive), name,
        str(target),
    ]  # fmt: skip

    def fetch() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
        )

    absent = subprocess.run(
        [*command[:-2], "0000000100000000000000FF", str(target)], capture_output=True, check=False
    )
    with closed(archived.archive, 0o444):
        refused = fetch()
    assert "Permission denied" in refused.stderr
    assert refused.returncode not in (0, absent.returncode)
    assert fetch().returncode == 0 and target.exists()
