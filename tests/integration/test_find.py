"""`pitr-check find` beside pg_waldump, the server's own words, and restores that really ran."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import time
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest

from agent.cli.check import main
from agent.postgres.installation import Installation
from parsers.lsn import parse_lsn
from parsers.segment import segment_name, segment_of
from tests.fix_check import MIB, Checked, pitr_check
from tests.fix_find import DropStories, DropStory
from tests.fix_postgres import NewCluster, need_part
from tests.fix_tools import PATIENCE_SECONDS
from tests.histories import wait_for

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "schemas" / "pitr-find.schema.json").read_text()
)
_ALL = ("--limit", 1_000_000)


@pytest.fixture
def story(pg: Installation, drop_stories: DropStories) -> DropStory:
    need_part(pg, "pg_waldump")
    return drop_stories(pg)


def find(story: DropStory, *options: object, backup: bool = True) -> dict[str, Any]:
    """The document of one run, held to its schema; the same question is asked once."""
    key = (*map(str, options), backup)
    if key not in story.answers:
        story.answers[key] = run(story, *options, backup=backup).out
    return document(story.answers[key])


def run(story: DropStory, *options: object, backup: bool = True) -> Checked:
    named = ("--archive", story.archive, *(("--backup", story.backup) if backup else ()))
    words = ("find", *named, "--format", "json", *options, "--workers", 1)
    printed, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
        status = main([str(word) for word in words])
    return Checked(status, printed.getvalue(), said.getvalue())


def document(said: Checked | str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said if isinstance(said, str) else said.out)
    jsonschema.validate(found, SCHEMA)
    return found


# -- beside pg_waldump ---------------------------------------------------------------------------

_LINE = re.compile(
    r"rmgr: (?P<rmgr>\S+)\s+len \(rec/tot\):\s*\d+/\s*(?P<length>\d+), tx:\s*(?P<xid>\d+),"
    r" lsn: (?P<lsn>\S+), prev \S+, desc: (?P<desc>.*)"
)
_END = re.compile(r"(COMMIT|ABORT)(?:_PREPARED (\d+):)? (\S+ \S+) UTC(.*)")


def waldump(story: DropStory, *options: str) -> list[re.Match[str]]:
    """pg_waldump's lines over the whole archive."""
    first, last = story.segments[0], story.segments[-1]
    command = [story.pg.program("pg_waldump"), *options, "-p", story.archive, first.name, last.name]
    result = subprocess.run(
        command, capture_output=True, text=True, env={"TZ": "UTC", "LC_ALL": "C"}
    )
    assert not result.stderr, result.stderr
    lines = [_LINE.fullmatch(line) for line in result.stdout.splitlines()]
    return [line for line in lines if line]


def described(story: DropStory) -> dict[str, tuple[str, int, datetime, Any]]:
    """By LSN: kind, xid, time, subtransactions and removed files, as pg_waldump -r Transaction."""
    found: dict[str, tuple[str, int, datetime, Any]] = {}
    for line in waldump(story, "-r", "Transaction"):
        match = _END.match(line["desc"])
        if match is None:
            continue
        kind, prepared, at, rest = match.groups()
        subxids = re.search(r"; subxacts:((?: \d+)+)", rest)
        found[_lsn(line["lsn"])] = (
            kind.lower(),
            int(prepared or line["xid"]),
            datetime.fromisoformat(at + "+00:00"),
            len(subxids[1].split()) if subxids else 0,
        )
    return found


def _lsn(text: str) -> str:
    lsn = parse_lsn(text)
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def test_transactions_are_those_of_pg_waldump(story: DropStory) -> None:
    theirs = described(story)
    ours = find(story, *_ALL, backup=False)
    ended = [each for each in ours["happenings"] if each["kind"] in ("commit", "abort")]
    assert {
        each["lsn"]: (
            each["kind"], each["xid"], datetime.fromisoformat(each["time"]), each["subtransactions"]
        )
        for each in ended
    } == theirs  # fmt: skip
    assert [each["lsn"] for each in ended] == sorted(theirs, key=parse_lsn)
    assert len(theirs) > 40
    points = [each["lsn"] for each in ours["happenings"] if each["kind"] == "restore_point"]
    listed = [line for line in waldump(story, "-r", "XLOG") if "RESTORE_POINT" in line["desc"]]
    assert points == [_lsn(line["lsn"]) for line in listed]


def test_every_file_that_a_commit_removes_is_told(story: DropStory) -> None:
    theirs: dict[str, set[str]] = {}
    for line in waldump(story, "-r", "Transaction"):
        removed = re.search(r"; rels:((?: [\w/]+)+)", line["desc"])
        if removed and line["desc"].startswith("COMMIT"):
            paths = [path.split("/") for path in removed[1].split()]
            theirs[_lsn(line["lsn"])] = {"/".join(path[-2:]) for path in paths}
    for backup in (True, False):
        told = {
            each["lsn"]: {f"{r['database_oid']}/{r['filenode']}" for r in each["relations"]}
            for each in find(story, *_ALL, backup=backup)["happenings"]
        }
        begun = min(told, key=parse_lsn)  # with a backup the story begins where that does
        expected = {lsn: f for lsn, f in theirs.items() if parse_lsn(lsn) >= parse_lsn(begun)}
        assert (
            len(expected) >= len(story.deeds) - 3
        )  # a view has no file, nor has a partitioned table
        for lsn, files in expected.items():
            assert files <= told[lsn], lsn


def test_records_and_bytes_are_those_of_pg_waldump(story: DropStory) -> None:
    records: dict[int, int] = defaultdict(int)
    sizes: dict[int, int] = defaultdict(int)
    parents: dict[int, int] = {}
    for line in waldump(story):
        xid = int(line["xid"])
        records[xid] += 1
        sizes[xid] += int(line["length"])
        subxids = re.search(r"; subxacts:((?: \d+)+)", line["desc"])
        if subxids and _END.match(line["desc"]):
            top = int(_END.match(line["desc"])[2] or xid)  # type: ignore[index]
            parents |= {int(sub): top for sub in subxids[1].split()}
    for sub, top in parents.items():
        records[top] += records[sub]
        sizes[top] += sizes[sub]
    ours = find(story, *_ALL, backup=False)["happenings"]
    ended = [each for each in ours if each["kind"] in ("commit", "abort")]
    # Of a transaction that was prepared, the end's own record names no transaction.
    assert [(each["xid"], each["records"], each["bytes"]) for each in ended] == [
        (each["xid"], records[each["xid"]], sizes[each["xid"]]) for each in ended
    ]


# -- beside what the server said -----------------------------------------------------------------


@pytest.mark.pg(">= 13", npm=True)
def test_every_deed_has_the_name_that_the_server_gave(
    pg: Installation, drop_stories: DropStories
) -> None:
    story = drop_stories(pg)
    by_xid = {each["xid"]: each for each in find(story, *_ALL)["happenings"]}
    for deed in story.deeds:
        relations = by_xid[deed.xid]["relations"]
        (found,) = (each for each in relations if each["oid"] == deed.oid)
        assert (found["action"], found["kind"]) == (deed.action, deed.kind), deed
        assert f"{found['schema']}.{found['name']}" == deed.name
        assert found["database"] == "postgres"
    aborted = by_xid[story.rolled_back_xid]
    assert (aborted["kind"], aborted["relations"]) == ("abort", [])


def test_dropped_finds_the_transaction_by_any_of_its_names(story: DropStory) -> None:
    deed = story.deed("dropped", "application.later")
    for name in ("later", "application.later", "postgres.application.later", deed.oid):
        found = find(story, "--dropped", name)
        (happening,) = found["happenings"]
        assert happening["xid"] == deed.xid, name
        assert found["target"]["reachable"] is True
    again = find(story, "--dropped", "twice")
    assert (again["total"], again["target"]) == (2, None)
    assert any("choose one with --xid" in note for note in again["notes"])
    assert find(story, "--dropped", "new_name")["happenings"][0]["xid"] == (
        story.deed("dropped", "public.new_name").xid
    )
    everything = {each["xid"] for each in find(story, "--dropped")["happenings"]}
    assert {deed.xid for deed in story.deeds if deed.action != "rewritten"} <= everything
    assert story.deed("rewritten", "app.later").xid not in everything
    assert story.rolled_back_xid not in everything


@pytest.mark.pg("== 18")
def test_what_nobody_dropped_is_said_to_be_unknown(story: DropStory) -> None:
    checked = run(story, "--dropped", "nowhere")
    assert (checked.status, document(checked)["total"]) == (1, 0)
    assert document(checked)["target"] is None
    victim = story.archive / story.segments[-2].name
    hidden = victim.rename(victim.with_suffix(".hidden"))
    try:
        checked = run(story, "--dropped", "nowhere")
        assert checked.status == 3, "what happened in the missing segment is not known"
        assert document(checked)["wal"]["missing"] == [victim.name]
    finally:
        hidden.rename(victim)


@pytest.mark.pg("== 18")
def test_without_a_backup_the_target_is_not_proven(story: DropStory) -> None:
    deed = story.deed("dropped", "application.later")
    checked = run(story, "--xid", deed.xid, backup=False)
    found = document(checked)
    assert (checked.status, found["target"]["reachable"]) == (3, None)
    assert (found["target"]["type"], found["target"]["value"]) == ("xid", str(deed.xid))
    assert found["target"]["settings"] is None


@pytest.mark.pg("== 18")
def test_a_period_and_a_limit(story: DropStory) -> None:
    everything = find(story, *_ALL)["happenings"]
    middle = everything[len(everything) // 2]
    at = datetime.fromisoformat(middle["time"])
    near = find(story, "--around", at.isoformat(), "--limit", 3)
    assert (len(near["happenings"]), near["total"]) == (3, len(everything))
    assert middle["lsn"] in [each["lsn"] for each in near["happenings"]]
    later = find(story, "--from", at.isoformat(), *_ALL)["happenings"]
    earlier = find(story, "--to", (at - timedelta(microseconds=1)).isoformat(), *_ALL)["happenings"]
    assert {each["lsn"] for each in later} | {each["lsn"] for each in earlier} == {
        each["lsn"] for each in everything
    }
    assert all(datetime.fromisoformat(each["time"]) >= at for each in later)
    assert all(datetime.fromisoformat(each["time"]) < at for each in earlier)


@pytest.mark.pg("== 18")
def test_after_damage_nothing_is_known_and_that_is_said(story: DropStory, tmp_path: Path) -> None:
    deed = story.deed("dropped", "public.parts")
    at = find(story, "--xid", deed.xid)["happenings"][0]
    archive = Path(shutil.copytree(story.archive, tmp_path / "archive"))
    victim = archive / at["segment"]
    data = bytearray(victim.read_bytes())
    data[parse_lsn(at["lsn"]) % MIB + 20] ^= 1  # the checksum of the commit's record
    victim.write_bytes(data)
    os.utime(victim, (0, 0))
    words = ("--backup", story.backup, "--dropped", "parts", "--format", "json")
    checked = pitr_check("find", "--archive", archive, *words)
    found = document(checked)
    assert (checked.status, found["total"]) == (3, 0)
    assert any(f"{victim.name} is damaged (bad_crc" in note for note in found["notes"])
    earlier = story.deed("dropped", "public.new_name")
    words = ("--backup", story.backup, "--dropped", "new_name", "--format", "json")
    found = document(pitr_check("find", "--archive", archive, *words))
    assert found["happenings"][0]["xid"] == earlier.xid
    assert found["target"]["reachable"] is True


@pytest.mark.pg("== 18")
def test_wal_outside_the_archive_is_searched_too(story: DropStory, tmp_path: Path) -> None:
    archive = Path(shutil.copytree(story.archive, tmp_path / "archive"))
    pg_wal = tmp_path / "pg_wal"
    pg_wal.mkdir()
    deed = story.deed("dropped", "public.parts")
    segment = find(story, "--xid", deed.xid)["happenings"][0]["segment"]
    for path in sorted(archive.glob("0" * 7 + "1" + "?" * 16)):
        if path.name >= segment:
            path.rename(pg_wal / path.name)
    last = max(pg_wal.iterdir())
    last.rename(f"{last}.partial")
    words = ("--backup", story.backup, "--dropped", "parts", "--format", "json")
    assert document(pitr_check("find", "--archive", archive, *words))["total"] == 0
    found = document(pitr_check("find", "--archive", archive, "--wal", pg_wal, *words))
    assert (found["happenings"][0]["xid"], found["target"]["reachable"]) == (deed.xid, True)
    if last.name == segment:
        assert any(
            f"{last}.partial in the archive, as {segment}" in note for note in found["notes"]
        )


@pytest.mark.pg("== 18")
def test_a_running_server_names_what_the_wal_does_not(
    pg: Installation, new_cluster: NewCluster, tmp_path: Path
) -> None:
    cluster = new_cluster(pg)
    cluster.sql("CREATE TABLE t (n int)")
    cluster.sql("SELECT pg_switch_wal()")
    cluster.sql("CHECKPOINT")  # the pages that change from here on are in the WAL whole
    cluster.sql("TRUNCATE t")
    last = cluster.sql("SELECT pg_walfile_name(pg_switch_wal())")[0][0]
    wait_for(cluster.home / "archive" / last)
    archive = tmp_path / "archive"
    archive.mkdir()
    shutil.copyfile(cluster.home / "archive" / last, archive / last)
    words = ("find", "--archive", archive, "--dropped", "t", "--format", "json")
    (alone,) = document(pitr_check(*words))["happenings"]
    (asked,) = document(pitr_check(*words, "--dsn", cluster.dsn))["happenings"]
    bases = [each["relations"][0]["database"] for each in (alone, asked)]
    assert bases == [None, "postgres"], "no record tells how the database is called"
    checked = pitr_check(*words, "--dsn", "host=/nowhere")
    assert (checked.status, document(checked)["verdict"]) == (3, "unknown")
    assert checked.err.startswith("pitr-check find: --dsn: the server cannot be asked")


# -- who did it ----------------------------------------------------------------------------------


@pytest.mark.pg("== 18")
@pytest.mark.parametrize("name", ["server.log", "server.csv", "server.json"])
def test_the_log_tells_who_did_it(story: DropStory, name: str) -> None:
    deed = story.deed("dropped", "application.later")
    found = find(story, "--dropped", "application.later", "--log", story.log / name)
    witnesses = found["happenings"][0]["who"]
    assert {each["by"] for each in witnesses} == {"transaction"}
    assert {(each["user"], each["database"]) for each in witnesses} == {("postgres", "postgres")}
    texts = [each["text"] for each in witnesses]
    assert any("DROP TABLE application.later" in text for text in texts), deed
    assert any("COMMIT" in text for text in texts)
    alone = find(story, "--dropped", "shop", "--log", story.log / name)  # its own transaction
    (likely,) = alone["happenings"][0]["who"]
    assert (likely["by"], likely["user"]) == ("statement", "postgres")
    assert likely["text"].endswith("DROP DATABASE shop")
    at = datetime.fromisoformat(alone["happenings"][0]["time"])
    assert timedelta() <= at - datetime.fromisoformat(likely["at"]) < timedelta(minutes=1)


@pytest.mark.pg("== 18")
def test_a_log_that_does_not_tell_is_said_to_be_silent(story: DropStory) -> None:
    options = ("--dropped", "shop", "--log", story.log / "server.log")
    found = find(story, *options, "--log-line-prefix", "%m [%p] ")
    assert found["happenings"][0]["who"] is None
    assert any("has no %u" in note for note in found["notes"])
    assert find(story, "--dropped", "shop")["happenings"][0]["who"] is None


# -- which segments hold an instant --------------------------------------------------------------


@pytest.mark.pg("== 18")
def test_covers_names_the_segments_and_says_what_is_missing(story: DropStory) -> None:
    times = {lsn: at for lsn, (_, _, at, _) in described(story).items()}
    lsn, at = sorted(times.items(), key=lambda item: parse_lsn(item[0]))[len(times) // 2]
    name = segment_name(1, segment_of(parse_lsn(lsn), MIB), MIB)
    checked = run(story, "--covers", at.isoformat())
    coverage = document(checked)["coverage"]
    assert (checked.status, coverage["known"]) == (0, True)
    (held,) = (each for each in coverage["segments"] if each["segment"] == name)
    assert (held["held"], held["url"]) == (True, str(story.archive / name))
    after = run(story, "--covers", "2100-01-01 00:00:00+00")
    assert (after.status, document(after)["coverage"]["known"]) == (2, False)
    assert document(after)["coverage"]["next_segment"] > story.segments[-1].name
    victim = story.archive / name
    hidden = victim.rename(victim.with_suffix(".hidden"))
    try:
        checked = run(story, "--covers", at.isoformat())
        missing = [
            each["segment"]
            for each in document(checked)["coverage"]["segments"]
            if not each["held"]
        ]
        assert (checked.status, missing) == (2, [name])
    finally:
        hidden.rename(victim)


# -- what a real restore makes of it -------------------------------------------------------------


@pytest.mark.pg(">= 16")
def test_a_restore_to_the_target_has_the_table_and_all_that_was_committed_before(
    story: DropStory, new_cluster: NewCluster
) -> None:
    deed = story.deed("dropped", "application.later")
    target = find(story, "--dropped", "application.later")["target"]
    assert (target["reachable"], target["inclusive"]) == (True, False)
    ends = described(story)
    lsns = sorted(ends, key=parse_lsn)
    drop = next(lsn for lsn in lsns if ends[lsn][1] == deed.xid)
    before = {ends[lsn][1] for lsn in lsns[: lsns.index(drop)] if ends[lsn][0] == "commit"}
    after = {ends[lsn][1] for lsn in lsns[lsns.index(drop) :] if ends[lsn][0] == "commit"}
    assert target["commits_left_out"] == len(after)

    cluster = new_cluster(story.pg, initdb=False, name=f"r{story.restores}")
    story.restores += 1
    log = restore(cluster, story, target["settings"])
    assert f"recovery stopping before commit of transaction {deed.xid}" in log
    restored = {row[0] for row in cluster.sql("SELECT id FROM application.later")}
    assert restored == set(range(1, 101)), "the row of the dropping transaction is not there"
    seen = {row[0] for row in cluster.sql("SELECT n FROM seen")}
    assert seen == {value for value, xid in story.rows.items() if xid in before}
    assert seen != set(story.rows)


@pytest.mark.pg(">= 16")
def test_a_dropped_database_is_whole_again(story: DropStory, new_cluster: NewCluster) -> None:
    found = find(story, "--dropped", "shop")
    (happening,) = found["happenings"]
    assert happening["database_dropped"] == {"oid": story.database_oid, "name": "shop"}
    target = found["target"]
    assert (target["type"], target["reachable"]) == ("lsn", True)
    cluster = new_cluster(story.pg, initdb=False, name=f"r{story.restores}")
    story.restores += 1
    restore(cluster, story, target["settings"])
    dsn = cluster.dsn.replace("dbname=postgres", "dbname=shop")
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*) FROM app.accounts").fetchone()
    assert row == (1000,)


def restore(cluster: Any, story: DropStory, settings: str) -> str:
    """Restore the story's backup with the settings pasted; the log, once it is promoted."""
    cluster.restore_from(story.backup, logging_collector=False, log_destination="stderr")
    with (cluster.data / "postgresql.auto.conf").open("a") as file:
        file.write(settings)
    cluster.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while cluster.sql("SELECT pg_is_in_recovery()") != [(False,)]:
        assert time.monotonic() < deadline, "recovery did not end"
        time.sleep(0.1)
    return str(cluster.log.read_text(errors="replace"))


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        ([], 64, "nothing to check"),
        (["--backup", "/x"], 64, "name the --archive to search"),
        (["--archive", "/nowhere"], 3, "/nowhere: there is no such directory"),
        (["--archive", "/x", "--around", "noon"], 64, "--around: not a time: 'noon'"),
        (["--archive", "/x", "--from", "2025-07-10", "--to", "2025-07-09"], 64, "later than --to"),
        (["--archive", "/x", "--around", "2025-07-10", "--to", "2025-07-09"], 64, "goes without"),
        (["--archive", "/x", "--xid", "abc"], 64, "--xid: not a transaction id"),
        (["--archive", "/x", "--limit", "0"], 64, "at least 1"),
        (["--archive", "/x", "--timeline", "newest"], 64, "write latest, current or a number"),
    ],
)
def test_what_is_typed_wrong_ends_with_one_line(
    arguments: list[str], status: int, expected: str
) -> None:
    checked = pitr_check("find", *arguments)
    assert (checked.status, checked.out) == (status, "")
    (line,) = checked.err.splitlines()
    assert expected in line


def test_programs_get_their_document_even_when_nothing_can_be_read() -> None:
    checked = pitr_check("find", "--archive", "/nowhere", "--format", "json")
    found = document(checked)
    assert (checked.status, found["verdict"], found["timeline"]) == (3, "unknown", None)
    assert found["notes"] == ["/nowhere: there is no such directory"]
