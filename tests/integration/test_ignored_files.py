"""The files of a backup that may differ from its manifest: those that pg_verifybackup ignores."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.backups.find import read_any_backup
from agent.postgres.installation import Installation
from parsers.files.backup_manifest import parse_backup_manifest
from tests.fix_postgres import NewCluster

# Listed in the manifest when they lie in the data directory, as on a standby.
PLANTED = ("standby.signal", "recovery.signal", "standby.signal.bak", "sub/standby.signal")
IGNORED = ("postgresql.auto.conf", "standby.signal", "recovery.signal")
HELD = ("postgresql.conf", "PG_VERSION", "standby.signal.bak", "sub/standby.signal")


def _remove(path: Path) -> None:
    path.unlink()


def _lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"# more\n")


def _rewrite(path: Path) -> None:
    path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()))


CHANGES: dict[str, Callable[[Path], None]] = {
    "absent": _remove, "longer": _lengthen, "other content": _rewrite,
}  # fmt: skip


def verified(pg: Installation, backup: Path) -> bool | None:
    """What this major's pg_verifybackup says; None where there is none that works."""
    if not pg.has("pg_verifybackup") or pg.major >= 18:  # the wheel's of 18 crashes
        return None
    command = [str(pg.program("pg_verifybackup")), "--no-parse-wal", str(backup)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.pg(">= 15")
def test_what_pg_verifybackup_ignores_is_ignored_and_nothing_else(
    pg: Installation, new_cluster: NewCluster, tmp_path: Path
) -> None:
    cluster = new_cluster(pg, archive=False)
    cluster.sql("ALTER SYSTEM SET work_mem = '5MB'")
    for name in PLANTED:
        path = cluster.data / name
        if not path.parent.is_dir():
            cluster.account.make_directory(path.parent)
        path.write_text("planted\n")
        cluster.account.own(path)
    taken = cluster.home / "backup"
    cluster.base_backup(taken)
    manifest = parse_backup_manifest((taken / "backup_manifest").read_bytes())
    assert {*PLANTED, *IGNORED, *HELD} <= {file.path for file in manifest.files}
    assert verified(pg, taken) in (True, None)
    backup = tmp_path / "backup"
    for name in (*IGNORED, *HELD):
        for kind, change in CHANGES.items():
            shutil.copytree(taken, backup)
            change(backup / name)
            bad = read_any_backup(backup, "checksums").bad_files
            assert bool(bad) is (name in HELD), (name, kind, bad)
            assert verified(pg, backup) in (not bad, None), (name, kind)
            shutil.rmtree(backup)


@pytest.mark.pg(">= 15")
@pytest.mark.parametrize("form", ["plain", "tar"])
def test_a_backup_with_its_recovery_configuration_is_whole(
    pg: Installation, new_cluster: NewCluster, tmp_path: Path, form: str
) -> None:
    """pg_basebackup -R writes standby.signal and postgresql.auto.conf after the manifest."""
    cluster = new_cluster(pg, archive=False)
    backup = cluster.home / "backup"
    cluster.base_backup(backup, "--write-recovery-conf", f"--format={form}")
    unpacked = backup
    if form == "tar":
        unpacked = tmp_path / "unpacked"
        unpacked.mkdir()
        subprocess.run(["tar", "xf", backup / "base.tar", "-C", unpacked], check=True)
        shutil.copy(backup / "backup_manifest", unpacked)
    assert (unpacked / "standby.signal").exists()
    assert "primary_conninfo" in (unpacked / "postgresql.auto.conf").read_text()
    assert verified(pg, unpacked) in (True, None)
    for depth in ("files", "checksums", "pages"):
        found = read_any_backup(backup, depth)  # type: ignore[arg-type]
        assert (found.bad_files, found.unread_files) == ((), ())
