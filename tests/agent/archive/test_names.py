"""A listing of names knows what a listing of files knows, and looks at those that are asked for."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.archive.directory import NotAnArchive, list_archive
from parsers.segment import segment_name
from rules.archive.listing import judge_sequence, merge_archives, timeline_tree
from rules.model.facts import ArchiveFacts
from tests.fix_place import PLACE

SIZE = 1 << 20
_NOBODY = 65534


def seg(number: int, timeline: int = 1) -> str:
    return segment_name(timeline, number, SIZE)


def write(path: Path, size: int = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """One of everything that an archive can hold, and what it should not."""
    root = tmp_path / "archive"
    for number in (*range(1, 300), 302, 5000):
        write(root / seg(number))
    for number in range(296, 310):
        write(root / "older" / f"{seg(number)}.gz", 5000)
    write(root / "older" / seg(7, 2))
    write(root / f"{seg(8, 2)}.zst", 77)
    write(root / f"{seg(9, 2)}.partial")
    (root / "00000002.history").write_text("1\t0/700000\tno recovery target specified\n")
    (root / "00000003.history").write_text("nonsense")
    write(root / f"{seg(3)}.00000028.backup", 10)
    for name in (
        "readme",
        f"{seg(1)}.tmp",
        seg(1).lower() + "x",
        "0000000100000000FFFFFFFF",
        "é" * 24,
    ):
        write(root / name, 5)
    os.mkfifo(root / seg(20, 2))
    (root / seg(10, 2)).mkdir()
    (root / seg(11, 2)).symlink_to(root / seg(1))
    (root / seg(12, 2)).symlink_to("nowhere")
    (root / seg(13, 2)).symlink_to(seg(13, 2))
    (root / "linked").symlink_to(root / "older")
    return root


def told(facts: ArchiveFacts) -> dict[str, object]:
    """What does not depend on the order in which a directory gives its files."""
    files = {
        name: {facts.segments[name], *facts.copies.get(name, ())} for name in sorted(facts.segments)
    }
    return {
        "files": files, "partials": facts.partials, "histories": facts.histories,
        "broken": facts.broken_histories.keys(), "labels": facts.backup_labels,
        "others": facts.other_count, "impossible": facts.impossible, "strays": facts.strays,
        "no files": facts.no_files, "size": facts.segment_size_bytes,
    }  # fmt: skip


@pytest.mark.parametrize("many_logs", [0, 2, 1024])
def test_both_listings_tell_the_same(
    archive: Path, many_logs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.archive.names._MANY_LOGS", many_logs)
    files, names = list_archive(str(archive)), list_archive(str(archive), by_names=True)
    assert told(names) == told(files)
    assert set(names.compressed) == {
        name for name, file in names.segments.items() if file.name.endswith((".gz", ".zst"))
    }
    tree, files = timeline_tree(names), replace(files, listed_at=names.listed_at)
    assert tree == timeline_tree(files)
    found = [judge_sequence(each, tree, SIZE, backups=None).gaps for each in (names, files)]
    assert found[0] == found[1] and found[0]


def test_both_see_two_archives_as_one(archive: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for number in (*range(290, 320), 6000):
        write(other / seg(number))
    shutil.copy(archive / "00000002.history", other)
    urls = (str(archive), str(other))
    names = merge_archives([list_archive(url, by_names=True) for url in urls])
    assert told(names) == told(merge_archives([list_archive(url) for url in urls]))


def test_no_file_is_looked_at_until_it_is_asked_for(tmp_path: Path) -> None:
    for number in range(2000):
        write(tmp_path / seg(number))
    facts = list_archive(str(tmp_path), by_names=True)
    write(tmp_path / seg(1000), 3)
    assert facts.segments[seg(1000)].size_bytes == 3
    (tmp_path / seg(1001)).unlink()
    gone = facts.segments[seg(1001)]
    assert gone.ctime_ns > facts.listed_at.timestamp() * 1e9, "nobody knows when it came"
    assert facts.segments[seg(1001)] == gone


@pytest.fixture
def closed() -> Iterator[str]:
    """The parent of a directory that we may list and not search."""
    with tempfile.TemporaryDirectory(dir=PLACE) as directory:
        Path(directory).chmod(0o755)
        write(Path(directory) / "closed" / seg(1))
        (Path(directory) / "closed").chmod(0o444)
        we = os.geteuid()
        if we == 0:
            os.seteuid(_NOBODY)
        yield directory
        os.seteuid(we)
        (Path(directory) / "closed").chmod(0o755)


@pytest.mark.parametrize("by_names", [False, True])
def test_a_directory_that_may_be_listed_and_not_searched_is_an_error(
    closed: str, by_names: bool
) -> None:
    with pytest.raises(NotAnArchive, match="cannot be read"):
        list_archive(closed, by_names=by_names)
