"""What each of several archives alone would reach: as a check of that one alone says."""

from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.fix_branches import Branches
from tests.fix_check import Archived, Checked, pitr_check
from tests.fix_stores import Bucket
from tests.fix_tools import PATIENCE_SECONDS
from tests.integration.test_store_programs import NewAgent

BEHIND = "archive_copy_behind"


def mirror(archived: Archived, tmp_path: Path) -> Archived:
    """A second archive, with everything of the first; all of it old."""
    copy = tmp_path / "mirror"
    shutil.copytree(archived.archive, copy)
    for path in (*archived.archive.iterdir(), *copy.iterdir()):
        archived.age(path)
    return Archived(archived.backup, copy)


def both(first: Archived, second: object, *options: str) -> Checked:
    return pitr_check(
        "--archive", first.archive, "--archive", second, "--backup", first.backup,
        "--format", "json", *options,
    )  # fmt: skip


def alone_of(checked: Checked) -> list[dict[str, Any]]:
    return [archive["alone"] for archive in checked.json["archives"]]


def furthest(checked: Checked) -> Any:
    windows = [window for backup in checked.json["backups"] for window in backup["windows"]]
    return max((window["to"] for window in windows), key=lambda to: to["lsn"], default=None)


@pytest.mark.parametrize("depth", ["names", "records"])
@pytest.mark.parametrize("lost", ["newest", "middle", "oldest", "damaged", "nothing"])
def test_each_reaches_what_a_check_of_it_alone_says(
    archived: Archived, tmp_path: Path, lost: str, depth: str
) -> None:
    second = mirror(archived, tmp_path)
    needed = [path for path in second.segments if path.name >= start_of(archived)]
    path = {"newest": needed[-1], "middle": needed[2], "oldest": needed[0]}.get(lost)
    if path is not None:
        path.unlink()
    elif lost == "damaged":
        data = bytearray(needed[2].read_bytes())
        data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
        needed[2].write_bytes(data)
        archived.age(needed[2])
    checked = both(archived, second.archive, "--depth", depth)
    for each, found in zip((archived, second), alone_of(checked), strict=True):
        one = pitr_check(
            "--archive", each.archive, "--backup", archived.backup, "--format", "json",
            "--depth", depth,
        )  # fmt: skip
        assert found["to"] == furthest(one)
        assert found["restorable"] == one.json["restorable"]
    behind = lost != "nothing" and not (lost == "damaged" and depth == "names")
    assert (BEHIND in checked.findings) == behind
    assert checked.json["restorable"] is True


def start_of(archived: Archived) -> str:
    label = (archived.backup / "backup_label").read_text()
    return label.split("(file ")[1].split(")")[0]


def test_a_copy_that_is_only_a_moment_late_is_no_finding(
    archived: Archived, tmp_path: Path
) -> None:
    second = mirror(archived, tmp_path)
    archived.segments[-1].touch()
    second.segments[-1].unlink()
    checked = both(archived, second.archive)
    assert BEHIND not in checked.findings
    first, late = alone_of(checked)
    assert first["to"]["lsn"] > late["to"]["lsn"]


def test_a_copy_without_the_history_stays_on_its_timeline(
    branches: Branches, tmp_path: Path
) -> None:
    copy = tmp_path / "mirror"
    shutil.copytree(branches.archive, copy)
    for path in copy.glob("*.history"):
        path.unlink()
    backup = branches.backup("first")
    checked = pitr_check(
        "--archive", branches.archive, "--archive", copy, "--backup", backup, "--format", "json"
    )
    one = pitr_check("--archive", copy, "--backup", backup, "--format", "json")
    assert alone_of(checked)[1]["to"] == furthest(one)


def test_a_single_archive_has_no_copy(archived: Archived) -> None:
    assert archived.check().json["archives"][0]["alone"] is None


def test_it_is_told_everywhere(
    bucket: Bucket, archived: Archived, tmp_path: Path, new_agent: NewAgent
) -> None:
    """A directory that lags behind a bucket: text, metrics, page, API."""
    url = bucket.put_tree(archived.archive, "ahead")
    for path in archived.archive.iterdir():
        archived.age(path)
    archived.segments[-1].unlink()
    text = pitr_check("--archive", archived.archive, "--archive", url, "--backup", archived.backup)
    assert text.out.count("  from this copy alone: to ") == 2
    agent = new_agent(
        archives=[{"url": str(archived.archive)}, {"url": url}],
        backups={"url": str(archived.backup)},
    )
    name = "pitr_archive_alone_latest_restorable_timestamp_seconds"
    page = agent.wait_for(lambda page: page.total(name, archive=url))
    latest = page.total("pitr_latest_restorable_timestamp_seconds")
    assert page.total(name, archive=url) == latest
    assert (page.total(name, archive=str(archived.archive)) or 0) < (latest or 0)
    with urllib.request.urlopen(f"{agent.url}/clusters/lab", timeout=PATIENCE_SECONDS) as answer:
        assert answer.read().decode().count("from this copy alone: to ") >= 2


@pytest.mark.parametrize("lost", [False, True])
def test_a_class_wants_copies_that_are_whole(
    archived: Archived, tmp_path: Path, lost: bool
) -> None:
    second = mirror(archived, tmp_path)
    if lost:
        (second.archive / start_of(archived)).unlink()
    file = tmp_path / "pitr.yaml"
    archives = [{"url": str(each.archive)} for each in (archived, second)]
    backups = {"url": str(archived.backup.parent)}
    cluster = {"name": "a", "class": "gold", "archives": archives, "backups": backups}
    file.write_text(json.dumps({"classes": {"gold": {"copies": 2}}, "clusters": [cluster]}))
    checked = pitr_check("--config", file, "--cluster", "a", "--format", "json")
    assert ("copies_below_objective" in checked.findings) == lost


def test_one_archive_is_one_copy(archived: Archived, tmp_path: Path) -> None:
    file = tmp_path / "pitr.yaml"
    cluster = {"name": "a", "class": "gold", "archives": [{"url": str(archived.archive)}]}
    file.write_text(json.dumps({"classes": {"gold": {"copies": 2}}, "clusters": [cluster]}))
    checked = pitr_check("--config", file, "--cluster", "a", "--format", "json")
    assert "copies_below_objective" in checked.findings
