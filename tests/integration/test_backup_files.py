"""backup_manifest, backup_label and tablespace_map of backups that real servers made."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import google_crc32c
import pytest

from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from parsers.files.backup_label import parse_backup_history, parse_backup_label
from parsers.files.backup_manifest import BackupManifest, parse_backup_manifest
from parsers.files.pg_control import parse_control_file
from parsers.files.tablespace_map import Tablespace, parse_tablespace_map
from parsers.lsn import parse_lsn
from tests.fix_postgres import NewCluster


def manifest_of(backup: Path) -> BackupManifest:
    return parse_backup_manifest((backup / "backup_manifest").read_bytes())


@pytest.mark.pg(">= 13", npm=True)
def test_a_manifest_lists_the_files_as_they_are(
    pg: Installation, new_cluster: NewCluster, base_backup_programs: dict[int, Path]
) -> None:
    cluster = new_cluster(pg, archive=False)
    odd = Path(os.fsdecode(os.fsencode(cluster.data) + b"/not \xff utf-8"))
    odd.write_bytes(b"odd")
    cluster.account.own(odd)
    for algorithm in ("SHA256", "CRC32C", "NONE"):
        backup = cluster.home / algorithm
        cluster.base_backup(
            backup, f"--manifest-checksums={algorithm}", program=base_backup_programs[pg.major]
        )
        compare_with_files(backup, algorithm, pg.major)


def compare_with_files(backup: Path, algorithm: str, major: int) -> None:
    manifest = manifest_of(backup)
    listed = {file.path for file in manifest.files}
    assert listed == {
        path
        for path in _files_under(backup)
        if not path.startswith("pg_wal/") and path != "backup_manifest"
    }
    assert "not \udcff utf-8" in listed
    for file in manifest.files:
        content = (backup / file.path).read_bytes()
        assert file.size_bytes == len(content)
        # pg_control holds its own CRC-32C: the CRC-32C over both is a constant.
        if file.path != "global/pg_control" or algorithm == "SHA256":
            assert file.checksum == _checksum(content, algorithm)
        assert file.modified_at is not None
    control = parse_control_file((backup / "global" / "pg_control").read_bytes())
    assert manifest.version == (2 if major >= 17 else 1)
    assert manifest.system_identifier == (control.system_identifier if major >= 17 else None)


def _files_under(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def _checksum(content: bytes, algorithm: str) -> str | None:
    match algorithm:
        case "SHA256":
            return hashlib.sha256(content).hexdigest()
        case "CRC32C":
            return int(google_crc32c.value(content)).to_bytes(4, "little").hex()
        case _:
            return None


@pytest.mark.pg(">= 13", npm=True)
def test_manifest_label_and_server_agree_on_the_wal_that_is_needed(
    pg: Installation, new_cluster: NewCluster, base_backup_programs: dict[int, Path]
) -> None:
    cluster = new_cluster(pg, archive=False)
    backup = cluster.home / "backup"
    cluster.base_backup(backup, program=base_backup_programs[pg.major])
    (wal,) = manifest_of(backup).wal_ranges
    label = parse_backup_label((backup / "backup_label").read_bytes())
    control = parse_control_file((backup / "global" / "pg_control").read_bytes())
    assert (wal.timeline, wal.start_lsn) == (label.timeline, label.start_lsn)
    assert label.checkpoint_lsn == control.checkpoint_lsn
    assert label.start_lsn == control.checkpoint.redo_lsn < wal.end_lsn
    assert label.source == ("master" if pg.major == 13 else "primary")


@pytest.mark.pg(">= 17", npm=True)
def test_an_incremental_backup_says_what_it_builds_upon(
    pg: Installation, new_cluster: NewCluster, base_backup_programs: dict[int, Path]
) -> None:
    cluster = new_cluster(pg, archive=False, summarize_wal=True)
    full, incremental = cluster.home / "full", cluster.home / "incremental"
    program = base_backup_programs[pg.major]
    cluster.sql("CREATE TABLE t AS SELECT generate_series(1, 100000) AS n")
    cluster.base_backup(full, program=program)
    cluster.sql("INSERT INTO t VALUES (0)")
    cluster.base_backup(incremental, f"--incremental={full}/backup_manifest", program=program)
    before = parse_backup_label((full / "backup_label").read_bytes())
    after = parse_backup_label((incremental / "backup_label").read_bytes())
    assert before.incremental_from_lsn is None
    assert after.incremental_from_lsn == before.start_lsn
    assert after.incremental_from_timeline == before.timeline
    assert not manifest_of(full).is_incremental
    changed = [file for file in manifest_of(incremental).files if file.is_incremental]
    assert changed
    assert {file.full_path for file in changed} <= {file.path for file in manifest_of(full).files}


@pytest.mark.pg(">= 13", npm=True)
def test_the_servers_own_texts_of_a_backup_are_read(
    pg: Installation, new_cluster: NewCluster
) -> None:
    """Label, `.backup` file and tablespace_map as pg_backup_stop gives them, odd paths included."""
    cluster = new_cluster(pg)
    places = [cluster.home / "plain", cluster.home / "back\\slash", cluster.home / " new\nline "]
    oids = {_make_tablespace(cluster, f"t{n}", place): place for n, place in enumerate(places)}
    stop_lsn, label_text, map_text = _take_backup(cluster, "a label: with colons")
    label = parse_backup_label(label_text.encode())
    assert (label.label, label.timeline, label.stop_lsn) == ("a label: with colons", 1, None)
    assert set(parse_tablespace_map(map_text.encode(), major=pg.major)) == {
        Tablespace(oid=oid, path=str(place)) for oid, place in oids.items()
    }
    cluster.stop()
    (history,) = (cluster.home / "archive").glob("*.backup")
    archived = parse_backup_history(history.read_bytes())
    assert (archived.start_lsn, archived.stop_lsn) == (label.start_lsn, stop_lsn)
    assert archived.checkpoint_lsn == label.checkpoint_lsn and archived.stop_timeline == 1


def _make_tablespace(cluster: Cluster, name: str, place: Path) -> int:
    cluster.account.make_directory(place)
    quoted = str(place).replace("'", "''")
    cluster.sql(f"CREATE TABLESPACE {name} LOCATION '{quoted}'")  # type: ignore[arg-type]
    return int(cluster.sql("SELECT oid FROM pg_tablespace WHERE spcname = %s", name)[0][0])


def _take_backup(cluster: Cluster, label: str) -> tuple[int, str, str]:
    """(stop LSN, backup_label, tablespace_map) of a low-level backup."""
    with cluster.connect() as connection:
        if cluster.installation.major < 15:
            connection.execute("SELECT pg_start_backup(%s, true, false)", [label])
            row = connection.execute("SELECT * FROM pg_stop_backup(false)").fetchone()
        else:
            connection.execute("SELECT pg_backup_start(%s, true)", [label])
            row = connection.execute("SELECT * FROM pg_backup_stop()").fetchone()
    assert row is not None
    return parse_lsn(row[0]), row[1], row[2]
