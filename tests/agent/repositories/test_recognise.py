"""Whose repository lies there: from its root, one stanza or server, or the folder above."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.repositories.opening import RepoPlace, open_repository
from agent.repositories.recognise import recognise
from agent.repositories.repository import NotRead
from tests.fix_repositories import Samples


@pytest.mark.parametrize(
    ("case", "below", "tool", "root"),
    [
        ("br_damaged_16", "", "pgBackRest", "repo1"),
        ("br_damaged_16", "repo1", "pgBackRest", "repo1"),
        ("br_damaged_16", "repo1/archive", "pgBackRest", "repo1"),
        ("br_damaged_16", "repo1/archive/main", "pgBackRest", "repo1"),
        ("br_damaged_16", "repo1/backup/main", "pgBackRest", "repo1"),
        ("bm_incr_18", "", "Barman", "barman"),
        ("bm_incr_18", "barman", "Barman", "barman"),
        ("bm_incr_18", "barman/main", "Barman", "barman"),
        ("bc_gzip_16", "bucket", "barman-cloud", "bucket/prod"),
        ("bc_gzip_16", "bucket/prod/main", "barman-cloud", "bucket/prod"),
        ("wg_zstd_sodium_gap_18", "", "WAL-G", "storage"),
        ("wg_zstd_sodium_gap_18", "storage/wal_005", "WAL-G", "storage"),
    ],
)
def test_found_from(samples: Samples, case: str, below: str, tool: str, root: str) -> None:
    top = samples(case).root
    found = recognise(str(top / below))
    assert (found.tool, found.root) == (tool, str(top / root))


def test_several_are_not_guessed_among(samples: Samples) -> None:
    with pytest.raises(NotRead, match=r"several repositories: name one of .*repo1, .*repo2"):
        recognise(str(samples("br_two_repos_15").root))


def test_a_stanza_that_does_not_exist_names_those_that_do(samples: Samples) -> None:
    place = RepoPlace(url=samples("br_damaged_16").url(), name="produktion")
    with pytest.raises(NotRead, match="no stanza 'produktion' there: it has main"):
        open_repository(place, None)


def test_what_is_no_repository_is_said(tmp_path: Path) -> None:
    (tmp_path / "wal").mkdir()
    with pytest.raises(NotRead, match="is no repository of pgBackRest, Barman"):
        recognise(str(tmp_path))
    with pytest.raises(NotRead, match="there is no such directory"):
        recognise(str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("tool", "files"),
    [
        ("pg_probackup", ["backups/main/pg_probackup.conf", "wal/main/x"]),
        ("pghoard", ["site/xlog/00000001000000000000000E", "site/basebackup/x"]),
        ("pgmoneta", ["primary/wal/00000001000000000000000E.zstd"]),
    ],
)
def test_tools_that_are_not_read_yet_are_named(tmp_path: Path, tool: str, files: list[str]) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(NotRead, match=f"a repository of {tool}, which is not read yet"):
        recognise(str(tmp_path))
