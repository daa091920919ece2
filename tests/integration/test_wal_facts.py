"""What the WAL says happened, beside what pg_waldump describes and what the server reported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from agent.postgres.installation import Installation
from parsers.lsn import format_lsn, parse_lsn
from parsers.wal.facts import (
    BackupEnd,
    CheckpointRecord,
    DatabaseDrop,
    EndOfRecovery,
    Event,
    FullPageWritesChange,
    ParameterChange,
    Prepare,
    RelationTruncate,
    RestorePoint,
    TablespaceCreate,
    TablespaceDrop,
    TableTruncate,
    Transaction,
    instant,
)
from parsers.wal.stitch import stitch_run
from tests.fix_postgres import lack_part, need_part
from tests.fix_wal import Stories, Story
from tests.integration.test_wal_records import waldump
from tests.read_wal import scan_file

_LEVELS = ("minimal", "replica", "logical")


def facts_of(story: Story, timeline: int) -> Iterator[Event | Transaction]:
    """Events and transactions of a timeline's archived segments, those over boundaries included."""
    for one in stitch_run(scan_file(path) for path in story.segments(timeline)):
        for facts in (one.boundary.facts if one.boundary else None, one.scan.facts):
            if facts:
                yield from facts.events
                yield from facts.transactions


def transactions_of(story: Story, timeline: int) -> list[Transaction]:
    return [fact for fact in facts_of(story, timeline) if isinstance(fact, Transaction)]


# -- pg_waldump's descriptions -------------------------------------------------------------------


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S.%f UTC")


def describe_transaction(fact: Transaction) -> tuple[object, ...]:
    """(lsn, kind and prepared xid, time, relations, subtransactions) as pg_waldump words them."""
    kind = fact.kind.name + (f" {fact.xid}:" if "PREPARED" in fact.kind.name else "")
    paths = {_path(*relation) for relation in fact.relations}
    return (fact.lsn, kind, stamp(fact.time), paths, set(fact.subxids))


def _path(tablespace: int, database: int, number: int) -> str:
    assert tablespace in (1663, 1664), "the story has no tablespaces"
    return f"base/{database}/{number}" if tablespace == 1663 else f"global/{number}"


def parse_transaction(lsn: int, description: str) -> tuple[object, ...]:
    match = re.match(r"((?:COMMIT|ABORT)(?:_PREPARED \d+:)?) (\S+ \S+ UTC)(.*)", description)
    assert match, description
    kind, time, rest = match.groups()
    return (lsn, kind, time, _listed("rels", rest), set(map(int, _listed("subxacts", rest))))


def _listed(name: str, text: str) -> set[str]:
    match = re.search(rf"; {name}:((?: [\w/]+)+)", text)
    return set(match[1].split()) if match else set()


@pytest.mark.parametrize("timeline", [1, 2])
def test_transactions_are_the_ones_that_pg_waldump_describes(
    pg: Installation, stories: Stories, timeline: int
) -> None:
    need_part(pg, "pg_waldump")
    story = stories(pg)
    theirs = [
        parse_transaction(record.lsn, text)
        for record, text in waldump(story, story.segments(timeline))
        if record.rmgr == "Transaction" and text.startswith(("COMMIT", "ABORT"))
    ]
    assert [describe_transaction(fact) for fact in transactions_of(story, timeline)] == theirs
    assert len(theirs) > (600 if timeline == 1 else 0)


def describe_event(fact: Event | Transaction) -> str | None:
    """The start of pg_waldump's description; None for what is compared elsewhere."""
    match fact:
        case RestorePoint():
            return f"RESTORE_POINT {fact.name}"
        case Prepare():
            return f"PREPARE {fact.xid} {stamp(instant(fact.time_us))}"
        case CheckpointRecord():
            kind = "SHUTDOWN" if fact.shutdown else "ONLINE"
            level = f"wal_level {_LEVELS[fact.wal_level]}; " if fact.wal_level is not None else ""
            return (
                f"CHECKPOINT_{kind} redo {format_lsn(fact.redo_lsn)}; tli {fact.timeline};"
                f" prev tli {fact.previous_timeline}; fpw {str(fact.full_page_writes).lower()};"
                f" {level}xid {fact.next_xid >> 32}:{fact.next_xid & 0xFFFFFFFF};"
            )
        case ParameterChange():
            return (
                f"PARAMETER_CHANGE max_connections={fact.max_connections}"
                f" max_worker_processes={fact.max_worker_processes}"
                f" max_wal_senders={fact.max_wal_senders}"
                f" max_prepared_xacts={fact.max_prepared_transactions}"
                f" max_locks_per_xact={fact.max_locks_per_transaction}"
                f" wal_level={_LEVELS[fact.wal_level]}"
                f" wal_log_hints={'on' if fact.wal_log_hints else 'off'}"
                f" track_commit_timestamp={'on' if fact.track_commit_timestamp else 'off'}"
            )
        case FullPageWritesChange():
            return f"FPW_CHANGE {str(fact.on).lower()}"
        case BackupEnd():
            return f"BACKUP_END {format_lsn(fact.start_lsn)}"
        case EndOfRecovery():
            times = f"tli {fact.timeline}; prev tli {fact.previous_timeline};"
            return f"END_OF_RECOVERY {times} time {stamp(instant(fact.time_us))}"
        case RelationTruncate():
            return f"TRUNCATE {_path(*fact.relation)} to {fact.blocks} blocks flags"
        case TableTruncate():
            return f"TRUNCATE {len(fact.tables)} {sorted(fact.tables)}"
        case DatabaseDrop():
            return f"DROP dir 1663/{fact.database}"
        case TablespaceCreate():
            return f'CREATE {fact.tablespace} "{fact.location}"'
        case TablespaceDrop():
            return f"DROP {fact.tablespace}"
    return None


_COMPARED = {
    "XLOG": ("RESTORE_POINT", "CHECKPOINT_ONLINE", "CHECKPOINT_SHUTDOWN", "PARAMETER_CHANGE",
             "FPW_CHANGE", "BACKUP_END", "END_OF_RECOVERY"),
    "Transaction": ("PREPARE",),
    "Storage": ("TRUNCATE",),
    "Heap": ("TRUNCATE",),
    "Database": ("DROP",),
    "Tablespace": ("CREATE", "DROP"),
}  # fmt: skip


def parse_event(rmgr: str, xid: int, text: str) -> str | None:
    """A description in the words of `describe_event`."""
    if not text.startswith(_COMPARED.get(rmgr, ("\0",))):
        return None
    if rmgr == "Transaction":
        return f"PREPARE {xid} {re.findall(r'[0-9-]{10} [0-9:.]{15} UTC', text)[0]}"
    if rmgr == "Heap":
        tables = [int(number) for number in re.findall(r"\d+", text.split("relids")[-1])]
        return f"TRUNCATE {len(tables)} {sorted(tables)}"
    return text


@pytest.mark.parametrize("timeline", [1, 2])
def test_events_are_the_ones_that_pg_waldump_describes(
    pg: Installation, stories: Stories, timeline: int
) -> None:
    need_part(pg, "pg_waldump")
    story = stories(pg)
    ours = {fact.lsn: text for fact in facts_of(story, timeline) if (text := describe_event(fact))}
    theirs = {
        record.lsn: text
        for record, line in waldump(story, story.segments(timeline))
        if (text := parse_event(record.rmgr, record.xid, line))
    }
    assert ours.keys() == theirs.keys()
    different = {lsn: (ours[lsn], theirs[lsn]) for lsn in ours
                 if not theirs[lsn].startswith(ours[lsn])}  # fmt: skip
    assert not different
    kinds = {text.split()[0] for text in ours.values()}
    assert len(kinds) >= (8 if timeline == 1 else 4), kinds


# -- what the server said while it ran -----------------------------------------------------------


@pytest.mark.pg(">= 13", npm=True)
def test_commits_are_at_the_times_that_the_server_reports(
    pg: Installation, stories: Stories
) -> None:
    story = stories(pg)
    ours: dict[int, datetime] = {}
    for fact in transactions_of(story, 1):
        if fact.kind.is_commit and fact.xid:
            ours |= dict.fromkeys((fact.xid, *fact.subxids), fact.time)
    # Commits before the server kept timestamps (initdb's) and after it was asked have none.
    kept = range(min(story.commit_times), max(story.commit_times) + 1)
    ours = {xid: at for xid, at in ours.items() if xid in kept}
    assert ours == {xid: at.astimezone(UTC) for xid, at in story.commit_times.items()}
    assert len(ours) > 600 + story.subxids


@pytest.mark.pg(">= 13", npm=True)
def test_prepared_and_plain_endings_carry_their_own_xid(pg: Installation, stories: Stories) -> None:
    story = stories(pg)
    transactions = transactions_of(story, 1)
    committed = {fact.xid for fact in transactions if fact.kind.is_commit}
    aborted = {fact.xid for fact in transactions if not fact.kind.is_commit}
    assert story.committed <= committed and not story.committed & aborted
    assert story.aborted <= aborted and not story.aborted & committed
    assert {fact.gid for fact in transactions} >= {"gCOMMIT", "gROLLBACK"}


@pytest.mark.pg(">= 13", npm=True)
def test_restore_points_and_backup_end_where_the_server_returned(
    pg: Installation, stories: Stories
) -> None:
    story = stories(pg)
    events = [*facts_of(story, 1), *facts_of(story, 2)]
    points = {fact.name: fact.end_lsn for fact in events if isinstance(fact, RestorePoint)}
    assert points == story.restore_points
    (end,) = (fact for fact in events if isinstance(fact, BackupEnd))
    assert end.end_lsn == story.backup_stop_lsn


@pytest.mark.pg(">= 13", npm=True)
def test_dropped_truncated_and_rewritten_relations_are_named_by_their_commit(
    pg: Installation, stories: Stories
) -> None:
    story = stories(pg)
    gone = {
        _path(*relation)
        for fact in transactions_of(story, 1)
        if fact.kind.is_commit
        for relation in fact.relations
    }
    assert story.dropped <= gone


@pytest.mark.pg(">= 15", npm=True)
def test_records_end_where_pg_walinspect_says(pg: Installation, stories: Stories) -> None:
    story = stories(pg)
    if not story.inspected:
        lack_part(pg, "pg_walinspect")
    ends = {parse_lsn(row[0]): parse_lsn(row[5]) for row in story.inspected}
    facts = [fact for fact in facts_of(story, 1) if fact.lsn in ends]
    assert [fact.end_lsn for fact in facts] == [ends[fact.lsn] for fact in facts]
    assert len(facts) > 600


@pytest.mark.pg(">= 13", npm=True)
def test_the_segments_name_their_cluster(pg: Installation, stories: Stories) -> None:
    story = stories(pg)
    for path in story.segments(1):
        header = scan_file(path).header
        assert header is not None
        assert (header.system_identifier, header.major) == (story.system_identifier, pg.major)
