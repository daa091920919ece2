"""What another tool made, named where an archive or a backup belongs, is recognised.

Each object is the tool's own: repositories that pgBackRest, Barman and WAL-G wrote, what pg_dump
wrote of a running server, that server's directory.
"""

from __future__ import annotations

import tarfile
from typing import Final

import pytest

from agent.postgres.cluster import Cluster
from tests.fix_check import Archived, pitr_check
from tests.fix_postgres import NewCluster
from tests.fix_repositories import Samples, samples

__all__ = ["samples"]

REPOSITORIES: Final = [
    ("br_damaged_16", "repo1", "pgBackRest", "repo1"),
    ("br_damaged_16", "repo1/archive/main", "pgBackRest", "repo1"),
    ("br_damaged_16", "repo1/backup/main", "pgBackRest", "repo1"),
    ("bm_stream_15", "barman", "Barman", "barman"),
    ("bm_stream_15", "barman/main", "Barman", "barman"),
    ("wg_zstd_sodium_gap_18", "storage", "WAL-G", "storage"),
]


def refused(*arguments: object) -> str:
    """The one line that a wrong place is answered with, in every format."""
    said = set()
    for form in ("text", "json", "nagios"):
        checked = pitr_check(*arguments, "--format", form)
        assert (checked.status, checked.out) == (64, ""), checked
        assert checked.err.count("\n") == 1
        said.add(checked.err)
    (line,) = said
    return line


@pytest.mark.parametrize(("case", "below", "tool", "root"), REPOSITORIES)
def test_a_repository_is_no_archive(
    samples: Samples, case: str, below: str, tool: str, root: str
) -> None:
    top = samples(case).root
    said = refused("--archive", top / below)
    assert f"is a repository of {tool}: name it with --repository {top / root}" in said
    found = pitr_check("find", "--archive", top / below)
    assert (found.status, found.out) == (64, "") and f"--repository {top / root}" in found.err


@pytest.mark.parametrize(
    ("case", "below", "tool", "root"),
    [each for each in REPOSITORIES if each[2] != "Barman"],  # whose backups are read as they lie
)
def test_a_repository_is_no_backup(
    samples: Samples, case: str, below: str, tool: str, root: str
) -> None:
    top = samples(case).root
    for option in ("--backup", "--backups"):
        said = refused(option, top / below)
        assert f"is a repository of {tool}: name it with --repository {top / root}" in said


def test_an_archive_is_no_backup_and_no_repository(archived: Archived) -> None:
    archive = archived.archive
    for option in ("--backup", "--backups"):
        said = refused(option, archive)
        assert f"{archive} holds archived WAL: name it with --archive {archive}" in said
    assert f"name it with --archive {archive}" in refused("--repository", archive)
    dated = archive.parent / "dated"
    (dated / "2025" / "07").mkdir(parents=True)
    archive.rename(dated / "2025" / "07" / "01")
    assert f"name it with --archive {dated}" in refused("--backups", dated)


def test_a_backup_is_no_archive(archived: Archived) -> None:
    backup = archived.backup
    assert f"is a base backup: name it with --backup {backup}" in refused("--archive", backup)
    assert f"name it with --backup {backup}" in refused("--repository", backup)


def test_a_single_wal_file(archived: Archived) -> None:
    segment = archived.segments[0]
    said = refused("--archive", segment)
    assert f"name the directory that holds them, --archive {segment.parent}" in said


def test_a_tar_of_wal(archived: Archived) -> None:
    packed = archived.archive.parent / "wal.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(archived.archive, "wal")
    said = refused("--archive", packed)
    assert "is a tar, which is not read as an archive: unpack it and name the directory" in said


@pytest.fixture
def running(new_cluster: NewCluster) -> Cluster:
    cluster = new_cluster(16)
    cluster.sql("CREATE TABLE t (n int)")
    return cluster


def test_a_running_servers_directory(running: Cluster) -> None:
    data = running.data
    said = refused("--archive", data)
    assert f"is a server's data directory: name its WAL with --wal {data}" in said
    said = refused("--backup", data)
    assert "is a running server's data directory, not a backup of it" in said
    assert f"--wal {data}" in said
    # What is proposed can be typed.
    named = pitr_check("--wal", data, "--format", "json")
    assert named.json["server_major"] == 16


@pytest.mark.parametrize("form", ["custom", "plain", "directory", "tar"])
def test_a_dump(running: Cluster, form: str) -> None:
    name = {"custom": "shop.dump", "plain": "shop.sql", "directory": "shop", "tar": "shop.tar"}
    path = running.home / name[form]
    program = str(running.installation.program("pg_dump"))
    running.run(program, f"--format={form}", "--file", str(path), "--dbname", running.dsn)
    for option in ("--archive", "--backup", "--backups"):
        said = refused(option, path)
        assert "is a dump, which no WAL can be replayed onto" in said, option


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://wal.s3.eu-west-1.amazonaws.com/main", "s3://wal/main"),
        ("https://s3.amazonaws.com/wal/main/", "s3://wal/main"),
        ("s3:wal/main", "s3://wal/main"),
        ("S3://wal/main", "s3://wal/main"),
        ("arn:aws:s3:::wal/main", "s3://wal/main"),
        ("https://storage.googleapis.com/wal/main", "gs://wal/main"),
        ("gcs://wal/main", "gs://wal/main"),
        ("https://shop.blob.core.windows.net/wal/main", "az://wal/main"),
        ("azure://wal/main", "az://wal/main"),
        ("ssh://postgres@host/backup/wal", "sftp://postgres@host/backup/wal"),
        ("postgres@host:/backup/wal", "sftp://postgres@host/backup/wal"),
    ],
)
@pytest.mark.parametrize("option", ["--archive", "--wal", "--backup", "--backups", "--repository"])
def test_an_address_in_another_spelling(option: str, written: str, meant: str) -> None:
    said = refused(option, written)
    assert said == f"pitr-check: {option}: write the address as {meant}\n"


def test_an_address_with_a_secret_is_not_repeated() -> None:
    signed = "https://wal.s3.amazonaws.com/main?X-Amz-Signature=hush"
    assert "hush" not in refused("--archive", signed)
    assert "hush" not in refused("--archive", "s3a://key:hush@bucket/wal")
    assert "hush" not in refused("--archive", "ssh://me:hush@host/wal")
