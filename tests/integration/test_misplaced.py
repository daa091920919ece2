"""What another tool made, named where an archive or a backup belongs, is recognised.

Each object is the tool's own: repositories that pgBackRest, Barman and WAL-G wrote, what pg_dump
wrote of a running server, that server's directory.
"""

from __future__ import annotations

import gzip
import shutil
import tarfile
from pathlib import Path
from typing import Final

import pytest

from agent.postgres.cluster import Cluster
from tests.fix_check import Archived, pitr_check
from tests.fix_postgres import NewCluster
from tests.fix_repositories import Samples, samples
from tests.fix_stores import Bucket

__all__ = ["samples"]

OPTIONS: Final = ("--archive", "--wal", "--backup", "--backups", "--repository")
# What lies there -> what is said of it under each option; "" where it belongs. {} is its path.
_PG_WAL: Final = "{} is a server's pg_wal: name it with --wal {}"
_SEGMENT: Final = "{} is one WAL file: name the directory that holds them, --archive {archive}"
_TAR: Final = "{} is a tar, which is not read as an archive: unpack it and name the directory; if"
_FILE: Final = "{} is a file, and neither WAL nor a backup's tar: name a directory"
_WAL: Final = "{} holds archived WAL: name it with --archive {}"
TABLE: Final[dict[str, tuple[str, str, str, str, str]]] = {
    "an archive": ("", "", _WAL, _WAL, "{} is an archive of no tool: name it with --archive {}"),
    "an archive by date": (
        "", "holds no WAL", _WAL, _WAL, "{} is an archive of no tool: name it with --archive {}",
    ),
    "a pg_wal": (_PG_WAL, "", _PG_WAL, _PG_WAL, _PG_WAL),
    "a base backup": (
        "{} is a base backup: name it with --backup {}", "", "", "",
        "{} is a base backup of no tool: name it with --backup {}",
    ),
    "both in a directory": (
        "", "holds no WAL", "{} holds base backups: name it with --backups {}", "",
        "{} is of no tool: name what it holds with --archive {archive} --backup {backup}",
    ),
    "a tar of a backup": (_TAR, "", "", _TAR, _TAR),
    "a tar of WAL": (_TAR, "", "no backup_label in it", _TAR, _TAR),
    "one segment": (_SEGMENT,) * 5,
    "a file": (_FILE,) * 5,
    "an empty file": (_FILE,) * 5,
    "a configuration": ("{} is a configuration: name it with --pgbackrest {}",) * 5,
    "an empty directory": (
        "{} is empty: is this the directory", "holds no WAL", "{} is empty: is it mounted?",
        "{} is empty: is it mounted?", "{} is empty: is it mounted?",
    ),
}  # fmt: skip
_NAME_IT: Final = "{} is a repository of %s: name it with --repository {root}"
_NAME_ROOT: Final = "{} lies in a repository of %s: name its root, --repository {root}"
# case, what is named in it, its root, the tool, and the options under which it may stand.
REPOSITORIES: Final = [
    ("br_damaged_16", ".", "repo1", "pgBackRest", "--repository"),
    ("br_damaged_16", "repo1", "repo1", "pgBackRest", "--repository"),
    ("br_damaged_16", "repo1/archive/main", "repo1", "pgBackRest", "--repository"),
    ("br_damaged_16", "repo1/archive/main/16-1", "repo1", "pgBackRest", ""),
    ("br_damaged_16", "repo1/backup/main", "repo1", "pgBackRest", "--repository"),
    ("bm_stream_15", "barman", "barman", "Barman", "--repository"),
    ("bm_stream_15", "barman/main", "barman", "Barman", "--repository"),
    ("bm_stream_15", "barman/main/base", "barman", "Barman", ""),
    ("bm_stream_15", "barman/main/wals", "barman", "Barman", "--archive"),
    ("bm_stream_15", "barman/main/streaming", "barman", "Barman", "--wal"),
    ("bc_gzip_16", "bucket", "bucket/prod", "barman-cloud", "--repository"),
    ("bc_gzip_16", "bucket/prod", "bucket/prod", "barman-cloud", "--repository"),
    ("wg_zstd_sodium_gap_18", "storage", "storage", "WAL-G", "--repository"),
    ("wg_zstd_sodium_gap_18", "storage/wal_005", "storage", "WAL-G",
     "--archive --wal --repository"),
    ("wg_zstd_sodium_gap_18", "storage/basebackups_005", "storage", "WAL-G", "--repository"),
]  # fmt: skip


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


def answered(option: str, url: object, expected: str) -> None:
    """Hold what is said of a place against the table."""
    checked = pitr_check(option, url)
    if expected:
        assert checked.err.count("\n") == 1 and not checked.out, checked
        unread = "is empty" in expected or "holds no" in expected or "no backup_label" in expected
        assert checked.status == (3 if unread else 64), checked
        assert expected in checked.err
    else:
        assert checked.out and not checked.err and checked.status < 64, checked


@pytest.fixture(scope="module")
def places(pristine: Archived, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of each kind one; nothing is written into `pristine`."""
    top = tmp_path_factory.mktemp("places")
    archive, backup = top / "both" / "archive", top / "both" / "backup"
    shutil.copytree(pristine.archive, archive)
    shutil.copytree(pristine.backup, backup)
    shutil.copytree(archive, top / "dated" / "2025" / "07" / "01")
    for name, packed in ("wal.tar.gz", archive), ("monday.tar", backup):
        with tarfile.open(top / name, "w:gz" if name.endswith("gz") else "w") as tar:
            tar.add(packed, ".")
    (top / "notes.txt").write_text("ask Ana\n")
    (top / "pgbackrest.conf").write_text("[main]\npg1-path=/srv/pg\n")
    (top / "empty").mkdir()
    (top / "nothing").touch()
    return {
        "an archive": archive,
        "an archive by date": top / "dated",
        "a pg_wal": backup / "pg_wal",
        "a base backup": backup,
        "both in a directory": top / "both",
        "a tar of a backup": top / "monday.tar",
        "a tar of WAL": top / "wal.tar.gz",
        "one segment": next(path for path in archive.iterdir() if len(path.name) == 24),
        "a file": top / "notes.txt",
        "an empty file": top / "nothing",
        "a configuration": top / "pgbackrest.conf",
        "an empty directory": top / "empty",
    }


@pytest.mark.parametrize("what", TABLE)
def test_each_kind_of_place_under_each_option(places: dict[str, Path], what: str) -> None:
    archive, backup = places["an archive"], places["a base backup"]
    for option, expected in zip(OPTIONS, TABLE[what], strict=True):
        url = places[what]
        answered(option, url, expected.format(url, url, archive=archive, backup=backup))


@pytest.mark.parametrize(("case", "below", "root", "tool", "belongs"), REPOSITORIES)
def test_a_repository_under_each_option(
    samples: Samples, case: str, below: str, root: str, tool: str, belongs: str
) -> None:
    top = samples(case).root
    for option in OPTIONS:
        if option not in belongs.split():
            said = (_NAME_ROOT if option == "--repository" else _NAME_IT) % tool
            answered(option, top / below, said.format(top / below, root=top / root))


def test_backups_of_barman_beside_an_archive_are_read_as_they_lie(samples: Samples) -> None:
    server = samples("bm_stream_15").root / "barman" / "main"
    checked = pitr_check("--archive", server / "wals", "--backups", server)
    assert "2 backups are restorable" in checked.out


def test_a_subcommand_says_the_same(samples: Samples) -> None:
    root = samples("br_damaged_16").root / "repo1"
    for words in ("find", "--archive"), ("windows", "--backups"), ("plan", "--backups"):
        found = pitr_check(*words, root)
        assert (found.status, found.out) == (64, "") and f"--repository {root}" in found.err


def test_what_lies_in_a_store(samples: Samples, pristine: Archived, bucket: Bucket) -> None:
    root = bucket.put_tree(samples("br_damaged_16").root / "repo1", "repo1")
    for option in OPTIONS[:-1]:
        said = f"{option} {root} is a repository of pgBackRest: name it with --repository {root}"
        assert said in refused(option, root)
    archive = bucket.put_tree(pristine.archive, "wal")
    for option in "--backup", "--backups", "--repository":
        assert f"name it with --archive {archive}" in refused(option, archive)
    backup = bucket.put_tree(pristine.backup, "base")
    for option in "--archive", "--repository":
        assert f"name it with --backup {backup}" in refused(option, backup)
    bucket.put("shop.sql.gz", gzip.compress(b"--\n-- PostgreSQL database dump\n--\n"))
    for option in OPTIONS:
        assert "is a dump, which no WAL" in refused(option, bucket.url("shop.sql.gz"))


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
    for option in OPTIONS:
        assert f"{path} is a dump, which no WAL can be replayed onto" in refused(option, path)


def test_dumps_in_a_directory(running: Cluster, tmp_path: Path) -> None:
    program = str(running.installation.program("pg_dump"))
    plain = running.run(program, "--dbname", running.dsn)
    (tmp_path / "monday.sql.gz").write_bytes(gzip.compress(plain.encode()))
    for option in OPTIONS:
        assert f"{tmp_path}/monday.sql.gz is a dump" in refused(option, tmp_path)


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
@pytest.mark.parametrize("option", OPTIONS)
def test_an_address_in_another_spelling(option: str, written: str, meant: str) -> None:
    said = refused(option, written)
    assert said == f"pitr-check: {option}: write the address as {meant}\n"


def test_an_address_with_a_secret_is_not_repeated() -> None:
    signed = "https://wal.s3.amazonaws.com/main?X-Amz-Signature=hush"
    assert "hush" not in refused("--archive", signed)
    assert "hush" not in refused("--archive", "s3a://key:hush@bucket/wal")
    assert "hush" not in refused("--archive", "ssh://me:hush@host/wal")
