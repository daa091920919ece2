"""`pitr-check retention`, its advice followed for real: files deleted, then everything restored."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.cli.check import main
from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from parsers.lsn import format_lsn, parse_lsn
from tests.fix_check import Archived, Checked, pitr_check
from tests.fix_place import new_place
from tests.fix_postgres import NewCluster
from tests.fix_tools import PATIENCE_SECONDS
from tests.histories import wait_for

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "schemas" / "pitr-retention.schema.json").read_text()
)


@dataclass(frozen=True)
class Kept:
    """An archive with two timelines, and four backups of the first: full, incremental, full, full.

    Timeline 2 left the first one between the incremental and the second full backup, and went on
    for longer than the first one has.
    """

    pg: Installation
    archive: Path
    backups: Path
    rows: dict[str, int]  # rows of table t when each backup was taken, and at the end

    def url(self, name: str) -> str:
        return str(self.backups / name)

    def copy_archive(self, to: Path) -> Path:
        shutil.copytree(self.archive, to)
        subprocess.run(["chmod", "-R", "a+rX", to], check=True)
        return to


@pytest.fixture(scope="module")
def kept(account: Account, installations: dict[int, Installation]) -> Iterator[Kept]:
    home = new_place("pk-")
    primary = Cluster(installations[18], home / "c", account)
    other = Cluster(installations[18], home / "d", account)
    try:
        yield _make(primary, other)
    finally:
        primary.stop("immediate")
        other.stop("immediate")
        shutil.rmtree(home, ignore_errors=True)


def _make(primary: Cluster, other: Cluster) -> Kept:
    archive = primary.account.make_directory(primary.home / "archive")
    backups = primary.account.make_directory(primary.home / "backups")
    primary.initdb(segment_mib=1)
    archiving = {"archive_mode": "on", "archive_command": f"cp %p {archive}/%f", "fsync": False}
    primary.configure(**archiving, summarize_wal=True, max_wal_size="64MB")
    rows: dict[str, int] = {}

    def take(name: str, *options: str) -> None:
        rows[name] = _fill(primary, 2)
        primary.base_backup(backups / name, *options)

    with primary.running():
        primary.sql("CREATE TABLE t (n int)")
        take("one")
        take("two", f"--incremental={backups}/one/backup_manifest")
        rows["fork"] = _fill(primary, 1)
        primary.sql("SELECT pg_create_restore_point('fork')")
        _fill(primary, 1)
        other.restore_from(
            backups / "one", **archiving, restore_command=f"cp {archive}/%f %p",
            recovery_target_name="fork", recovery_target_action="promote",
        )  # fmt: skip
        with other.running():
            _promoted(other)
            rows["branch"] = _fill(other, 9)
            other.stop()
        take("three")
        take("four")
        rows["end"] = _fill(primary, 2)
        primary.stop()
    return Kept(primary.installation, archive, backups, rows)


def _fill(cluster: Cluster, segments: int) -> int:
    """Write some rows and end segments, archived; give how many rows there are."""
    for _ in range(segments):
        cluster.sql("INSERT INTO t SELECT generate_series(1, 10)")
        (name,) = cluster.sql("SELECT pg_walfile_name(pg_switch_wal())")[0]
        wait_for(cluster.home.parent / "c" / "archive" / name)
    return int(cluster.sql("SELECT count(*) FROM t")[0][0])


def _promoted(cluster: Cluster) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while cluster.sql("SELECT pg_is_in_recovery()") != [(False,)]:
        assert time.monotonic() < deadline, "recovery did not end"
        time.sleep(0.1)


def retention(kept: Kept, *options: object, archive: Path | None = None) -> dict[str, Any]:
    words = (
        "retention", "--archive", archive or kept.archive, "--backups", kept.backups,
        "--format", "json", "--workers", 1, *options,
    )  # fmt: skip
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = main([str(word) for word in words])
    found: dict[str, Any] = json.loads(printed.getvalue())
    jsonschema.validate(found, SCHEMA)
    assert {"ok": 0, "warning": 1, "critical": 2, "unknown": 3}[found["verdict"]] == status
    return found


def start_segment(kept: Kept, name: str) -> str:
    label = (kept.backups / name / "backup_label").read_text()
    return label.split("(file ", 1)[1][:24]


# -- what is needed ------------------------------------------------------------------------------


def test_each_backup_needs_wal_from_its_start_and_the_histories_after(kept: Kept) -> None:
    found = retention(kept)
    assert found["verdict"] == "ok"
    by_url = {backup["url"]: backup for backup in found["backups"]}
    one, two, four = (by_url[kept.url(name)] for name in ("one", "two", "four"))
    for name in ("one", "two", "three", "four"):
        assert by_url[kept.url(name)]["oldest_segment"] == start_segment(kept, name)
    assert (one["timelines"], one["histories"]) == ([1, 2], ["00000002.history"])
    assert (four["timelines"], four["histories"]) == ([1], [])
    assert two["parents"] == [kept.url("one")]
    assert found["oldest_segment"] == start_segment(kept, "one")
    first = sorted(path.name for path in kept.archive.glob("0" * 7 + "1" + "?" * 16))[0]
    assert found["not_needed"]["first"] == first < start_segment(kept, "one")


def test_an_increment_keeps_the_backup_below_it(kept: Kept) -> None:
    kept_urls = {b["url"] for b in retention(kept, "--keep", 3)["backups"] if b["kept"]}
    assert kept_urls == {kept.url(name) for name in ("one", "two", "three", "four")}
    found = retention(kept, "--keep", 2)
    assert {b["url"] for b in found["backups"] if b["kept"]} == {
        kept.url("three"), kept.url("four"),
    }  # fmt: skip
    assert found["not_needed"]["beside"], "the branch that left before them"
    assert all(name.startswith("00000002") for name in found["not_needed"]["beside"])
    assert found["not_needed"]["histories"] == ["00000002.history"]


def test_pg_archivecleanup_would_remove_exactly_what_is_listed(kept: Kept) -> None:
    for options in ((), ("--keep", 1)):
        found = retention(kept, *options)
        program, *words = found["command"].split()
        said = subprocess.run(
            [kept.pg.program(program), *words], capture_output=True, text=True, check=True
        )
        listed = {Path(line).name for line in said.stdout.split()}
        beside = set(found["not_needed"]["beside"])
        assert listed | beside == {Path(path).name for path in found["not_needed"]["files"]}
        assert listed.isdisjoint(beside)
        assert listed


# -- followed for real ---------------------------------------------------------------------------


def test_what_is_kept_still_restores_when_the_advice_was_followed(
    kept: Kept, new_cluster: NewCluster, short_directory: Path
) -> None:
    before = {cost["url"]: cost for cost in retention(kept, "--keep", 2)["deletion"]["backups"]}
    archive = kept.copy_archive(short_directory / "archive")
    advice = retention(kept, "--keep", 2, archive=archive)
    for path in advice["not_needed"]["files"]:
        Path(path).unlink()
    after = retention(kept, "--keep", 2, archive=archive)
    assert after["not_needed"]["files"] == []
    for cost in after["deletion"]["backups"]:
        assert cost["before"] == before[cost["url"]]["before"] == before[cost["url"]]["after"]
        assert cost["before"]
    for name in ("three", "four"):
        # Towards latest the server would die: the newest timeline left before these backups.
        rows = _restored_rows(kept, new_cluster, archive, name, timeline="current")
        assert rows == kept.rows["end"]


def test_every_window_restores_when_all_are_kept(
    kept: Kept, new_cluster: NewCluster, short_directory: Path
) -> None:
    archive = kept.copy_archive(short_directory / "archive")
    for path in retention(kept, archive=archive)["not_needed"]["files"]:
        Path(path).unlink()
    assert _restored_rows(kept, new_cluster, archive, "one", timeline="2") == kept.rows["branch"]
    assert _restored_rows(kept, new_cluster, archive, "one", timeline="1") == kept.rows["end"]
    combined = new_cluster(kept.pg, name="combined", initdb=False)
    chain = [kept.url(name) for name in ("one", "two")]
    combined.run("pg_combinebackup", *chain, "-o", str(combined.home / "whole"), "--no-sync")
    rows = _restored_rows(
        kept, new_cluster, archive, "two", timeline="1", backup=combined.home / "whole"
    )
    assert rows == kept.rows["end"]


def _restored_rows(
    kept: Kept,
    new_cluster: NewCluster,
    archive: Path,
    name: str,
    *,
    timeline: str,
    backup: Path | None = None,
) -> int:
    cluster = new_cluster(kept.pg, name=f"r-{name}-{timeline}", initdb=False)
    cluster.restore_from(
        backup or kept.backups / name,
        restore_command=f"cp {archive}/%f %p", recovery_target_timeline=timeline,
        archive_mode="off",
    )  # fmt: skip
    with cluster.running():
        _promoted(cluster)
        count = int(cluster.sql("SELECT count(*) FROM t")[0][0])
    shutil.rmtree(cluster.data)
    return count


def test_find_follows_the_path_of_the_timeline_asked_for(kept: Kept) -> None:
    """On timeline 2 what the first did after the fork never happened."""
    switch = (kept.archive / "00000002.history").read_text().split("\t")[1]
    for timeline, others in (("1", []), ("2", ["2"])):
        theirs = _commits(kept, "1", parse_lsn(switch) if others else None)
        for other in others:
            theirs += _commits(kept, other, None)
        named = ("--archive", kept.archive, "--timeline", timeline, "--limit", 100_000)
        found = json.loads(pitr_check("find", *named, "--format", "json").out)
        ours = [each["lsn"] for each in found["happenings"] if each["kind"] == "commit"]
        assert (found["timeline"], ours) == (int(timeline), theirs)


def _commits(kept: Kept, timeline: str, before: int | None) -> list[str]:
    """The commits of one timeline's own segments, by pg_waldump."""
    names = sorted(path.name for path in kept.archive.glob(f"0000000{timeline}" + "?" * 16))
    said = subprocess.run(
        [kept.pg.program("pg_waldump"), "-r", "Transaction", "-p", kept.archive, "-t", timeline,
         names[0], names[-1]],
        capture_output=True, text=True,
    ).stdout  # fmt: skip
    lsns = re.findall(r"lsn: (\S+), prev \S+, desc: COMMIT", said)
    switch = 0
    if timeline == "2":  # its first segment repeats the parent's up to the fork
        switch = parse_lsn((kept.archive / "00000002.history").read_text().split("\t")[1])
    return [
        format_lsn(lsn)
        for lsn in map(parse_lsn, lsns)
        if lsn >= switch and (before is None or lsn < before)
    ]


# -- what a deletion costs -----------------------------------------------------------------------


def test_a_deletion_too_far_names_the_backup_that_dies_and_the_one_that_shrinks(
    kept: Kept, tmp_path: Path
) -> None:
    number = int(start_segment(kept, "three")[16:], 16) + 2  # after the WAL that it carries
    up_to = f"0000000100000000{number:08X}"
    found = retention(kept, "--up-to", up_to)
    costs = {cost["url"]: cost for cost in found["deletion"]["backups"]}
    assert costs[kept.url("four")]["after"] == costs[kept.url("four")]["before"]
    three = costs[kept.url("three")]
    assert (three["dies"], three["shrinks"]) == (False, True), "it carries WAL of its own"
    for name in ("one", "two", "three"):
        shutil.copytree(kept.backups / name, tmp_path / name)
        shutil.rmtree(tmp_path / name / "pg_wal")
    bare = (
        "retention", "--archive", kept.archive, "--backups", tmp_path, "--format", "json",
        "--up-to", up_to,
    )  # fmt: skip
    checked = pitr_check(*bare)
    assert checked.status == 2
    assert all(cost["dies"] for cost in json.loads(checked.out)["deletion"]["backups"])
    named = pitr_check(*bare, "--depth", "names")
    assert named.status == 2
    assert all(cost["dies"] for cost in json.loads(named.out)["deletion"]["backups"])


def test_a_time_is_the_segment_that_holds_it(kept: Kept) -> None:
    windows = retention(kept)["deletion"]["backups"][-1]["before"]
    at = windows[0]["to"]["time"]
    found = retention(kept, "--up-to", at)
    assert found["deletion"]["up_to"][:8] in ("00000001", "00000002")
    assert found["verdict"] in ("warning", "critical")


def test_a_list_holds_paths_alone(kept: Kept) -> None:
    checked = pitr_check(
        "retention", "--archive", kept.archive, "--backups", kept.backups, "--format", "list",
        "--depth", "names",
    )  # fmt: skip
    assert checked.out.split() == retention(kept)["not_needed"]["files"]
    assert all(Path(line).exists() for line in checked.out.split())


def test_a_backup_that_cannot_be_read_forbids_any_deletion(kept: Kept, tmp_path: Path) -> None:
    shutil.copytree(kept.backups / "three", tmp_path / "three")
    shutil.copytree(kept.backups / "two", tmp_path / "two")  # incremental, without its full one
    words = ("retention", "--archive", kept.archive, "--backups", tmp_path, "--depth", "names")
    found = json.loads(pitr_check(*words, "--format", "json").out)
    assert (found["verdict"], found["command"]) == ("unknown", None)
    assert any("a backup that it is built on was not found" in note for note in found["notes"])
    shutil.rmtree(tmp_path / "two")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "PG_VERSION").write_text("18\n")
    listed = pitr_check(*words, "--format", "list")
    assert (listed.status, listed.out) == (3, "")
    assert "no list" in listed.err
    assert "delete none of them" in pitr_check(*words).out


def test_another_clusters_wal_is_never_listed_for_deletion(kept: Kept, archived: Archived) -> None:
    """Its name sorts below what these backups need, and its own backups may need it."""
    words = ("retention", "--backup", archived.backup)
    foreign = ("--archive", kept.archive)
    told = pitr_check(*words, *foreign, "--format", "json")
    found = json.loads(told.out)
    assert (told.status, found["verdict"], found["command"]) == (3, "unknown", None)
    assert any("holds WAL of another cluster than the backups'" in note for note in found["notes"])
    listed = pitr_check(*words, *foreign, "--format", "list")
    assert (listed.status, listed.out) == (3, "")
    both = (*words, "--backup", kept.backups / "one", "--archive", archived.archive)
    mixed = pitr_check(*both, "--depth", "names", "--format", "list")
    assert (mixed.status, mixed.out) == (3, "")
    assert "the backups are of 2 clusters" in mixed.err


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (["--archive", "/x"], 64, "name --backups or --backup"),
        (["--backups", "/x"], 64, "name the --archive"),
        (["--archive", "/x", "--backups", "/x", "--keep", "0"], 64, "at least 1 backup"),
        (["--archive", "/x", "--backups", "/x", "--wal", "/x"], 64, "--wal cannot be used here"),
        (["--archive", "/x", "--backups", "/x", "--up-to", ""], 64, "--up-to: not a time"),
        (["--archive", "/x", "--backups", "/x", "--up-to", "noon"], 64, "--up-to: not a time"),
        (["--archive", "/x", "--backups", "/x", "--up-to", "2025-07-10"], 64, "write the zone"),
        (["--archive", "/nowhere", "--backups", "/x"], 3, "/x: there is no such directory"),
    ],
)
def test_what_is_typed_wrong_ends_with_one_line(
    arguments: list[str], status: int, expected: str
) -> None:
    checked: Checked = pitr_check("retention", *arguments)
    assert (checked.status, checked.out) == (status, "")
    (line,) = checked.err.splitlines()
    assert expected in line


def test_programs_get_their_document_even_when_nothing_can_be_read() -> None:
    words = ("retention", "--archive", "/nowhere", "--backups", "/nowhere", "--format", "json")
    checked = pitr_check(*words)
    found = json.loads(checked.out)
    jsonschema.validate(found, SCHEMA)
    assert (checked.status, found["verdict"]) == (3, "unknown")
    assert found["notes"] == ["/nowhere: there is no such directory"]
