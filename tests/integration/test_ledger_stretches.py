"""Stretches that the ledger joins: every answer is the one that single segments give."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from agent.archive.directory import list_archive
from agent.archive.scanner import SegmentReader, segments_to_read
from agent.backups.find import read_any_backup
from agent.backups.restore_inputs import segments_read
from agent.ledger.encode import DeferredTransactions
from agent.ledger.store import Ledger
from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from parsers.wal.facts import Transaction, Transactions
from rules.archive.restore_points import list_restore_points, walk_facts
from rules.archive.wal_events import collect_events
from rules.case.case import Case
from rules.case.context import Context
from rules.case.derived.restores import restores_of
from rules.case.derived.segments import scans_of
from rules.case.observations import ArchiveListings, BackupsRead, SegmentsRead
from rules.model.facts import ArchiveFacts, BackupFacts, BackupsFacts, ScanFacts
from rules.model.goal import Goal
from rules.model.restore_inputs import RestoreInputs, without_segments
from rules.model.timelines import TimelineTree
from rules.recovery.predictor import simulate
from rules.recovery.restorable import find_window
from tests.fix_place import new_place

MIB = 1 << 20
SEGMENTS = 200


@dataclass(frozen=True)
class Long:
    """An archive with more segments than a stretch has, and a backup before them."""

    archive: ArchiveFacts
    backup: BackupFacts


@pytest.fixture(scope="module")
def long(account: Account, installations: dict[int, Installation]) -> Iterator[Long]:
    home = new_place()
    cluster = Cluster(installations[16], home / "c", account)
    cluster.initdb(segment_mib=1)
    cluster.configure(
        fsync=False, wal_keep_size="1GB", max_wal_size="1GB", wal_recycle=False,
        wal_init_zero=False, max_prepared_transactions=5,
    )  # fmt: skip
    backups = account.make_directory(cluster.home / "backups")
    with cluster.running():
        cluster.sql("CREATE TABLE t (n int, filler text)")
        cluster.base_backup(backups / "one")
        _write(cluster)
        cluster.stop()
    archive = home / "archive"
    archive.mkdir()
    for path in (cluster.data / "pg_wal").glob("0*"):
        if len(path.name) == 24:
            path.rename(archive / path.name)
    newest = max(archive.iterdir())
    newest.unlink()  # the server was still writing to it
    time.sleep(2.5)
    yield Long(list_archive(str(archive)), read_any_backup(backups / "one", "label"))
    shutil.rmtree(home, ignore_errors=True)


def _write(cluster: Cluster) -> None:
    """Small commits, large ones, aborts, switches, restore points, a prepared transaction."""
    wal = cluster.data / "pg_wal"
    round_number = 0
    while len(list(wal.glob("0*"))) < SEGMENTS:
        round_number += 1
        cluster.sql(
            "DO $$ BEGIN FOR i IN 1..400 LOOP INSERT INTO t VALUES (i, repeat('x', 9));"
            " IF i % 9 = 0 THEN ROLLBACK; ELSE COMMIT; END IF; END LOOP; END $$"
        )
        cluster.sql("INSERT INTO t SELECT n, repeat('y', 900) FROM generate_series(1, 9000) n")
        cluster.sql("SELECT pg_create_restore_point('round ' || %s)", round_number)
        if round_number % 4 == 0:
            cluster.sql("SELECT pg_switch_wal()")
            cluster.sql("CHECKPOINT")
        if round_number == 9:
            with cluster.connect() as connection:
                connection.execute("BEGIN")
                connection.execute("INSERT INTO t VALUES (0, 'prepared')")
                connection.execute("PREPARE TRANSACTION 'p'")
                connection.execute("COMMIT PREPARED 'p'")


def _read(long: Long, ledger: Path | None = None) -> SegmentsRead:
    complaints: list[str] = []
    kept = Ledger(str(ledger), complaints.append) if ledger else None
    files = segments_to_read(long.archive, [long.backup])
    readings = asyncio.run(SegmentReader(2, ledger=kept).read(long.archive, files, MIB, "records"))
    assert not complaints
    return segments_read(readings, "records")


def _case(long: Long, read: SegmentsRead, system: int | None = None) -> Case:
    backup = replace(long.backup, system_identifier=system)
    found = BackupsFacts(backups=(backup,), unreadable={}, depth="label")
    return Case(context=Context(depth="records")).having(
        ArchiveListings(archives=(long.archive,)), BackupsRead(found=found), read
    )


@pytest.fixture(scope="module")
def single(long: Long) -> SegmentsRead:
    return _read(long)


@pytest.fixture(scope="module")
def joined(long: Long, tmp_path_factory: pytest.TempPathFactory) -> SegmentsRead:
    ledger = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    _read(long, ledger)
    return _read(long, ledger)


def _restore(long: Long, read: SegmentsRead) -> RestoreInputs:
    return restores_of(_case(long, read, long.backup.system_identifier))[long.backup.url]


def test_every_scan_is_the_one_that_was_read(single: SegmentsRead, joined: SegmentsRead) -> None:
    assert joined.joined, "some stretch was joined"
    assert not single.joined
    assert {name: read.scan for name, read in joined.scans.items()} == {
        name: read.scan for name, read in single.scans.items()
    }


def test_a_stretch_has_the_transactions_of_its_segments(joined: SegmentsRead) -> None:
    for stretch in joined.joined.values():
        facts, summary = stretch.whole.scan.facts, stretch.whole.summary
        rows = list(facts.transactions)
        assert len(facts.transactions) == len(rows) == summary.commits + summary.aborts
        assert rows == sorted(rows, key=lambda row: row.lsn)
        inside = [
            row for name in stretch.names for row in joined.scans[name].scan.facts.transactions
        ]
        assert set(inside) <= set(rows)
        assert summary.last == rows[-1]


def test_the_facts_of_the_whole_archive_are_the_same(
    long: Long, single: SegmentsRead, joined: SegmentsRead
) -> None:
    for system in (None, long.backup.system_identifier, 1):
        one, other = (_case(long, read, system).get(ScanFacts) for read in (single, joined))
        assert one is not None and other is not None
        assert one.damaged == other.damaged
        assert (one.read, one.unread) == (other.read, other.unread)
    tree = _case(long, single).get(TimelineTree)
    assert tree is not None
    ones, others = (
        list(walk_facts(scans_of(_case(long, read)), tree, MIB)) for read in (single, joined)
    )
    assert len(others) < len(ones)
    assert list_restore_points(ones, tree) == list_restore_points(others, tree)
    assert collect_events(ones, tree, MIB) == collect_events(others, tree, MIB)


def test_every_prediction_is_the_same(
    long: Long, single: SegmentsRead, joined: SegmentsRead
) -> None:
    one, other = _restore(long, single), _restore(long, joined)
    for goal in _goals(single):
        assert simulate(one, goal) == simulate(other, goal), goal


def test_what_a_restore_without_some_segments_reaches_is_the_same(
    long: Long, single: SegmentsRead, joined: SegmentsRead
) -> None:
    """Those that lie outside of the archive, or would be deleted, may be in a stretch."""
    one, other = _restore(long, single), _restore(long, joined)
    names = sorted(single.scans)
    rng = random.Random(19)
    for _ in range(30):
        first = rng.randrange(len(names))
        gone = names[first : first + rng.choice((1, 3, 64, len(names)))]
        without = [without_segments(each, gone) for each in (one, other)]
        windows = [find_window(each, 1) for each in without]
        assert windows[0] == windows[1], (gone[0], gone[-1])
        assert windows[0] is None or not set(windows[0].segments) & set(gone)


def _goals(readings: SegmentsRead) -> Iterator[Goal]:
    """Targets of every type all over the archive, and beside what is there."""
    rng = random.Random(18)
    scans = [readings.scans[name].scan for name in sorted(readings.scans)]
    rows: list[Transaction] = [row for scan in scans for row in scan.facts.transactions]
    yield Goal()
    yield Goal(type="immediate")
    for number in (1, 7, 20, 999):
        yield Goal(type="name", name=f"round {number}")
    for row in rng.sample(rows, 25):
        for inclusive in (True, False):
            yield Goal(type="xid", xid=row.xid, inclusive=inclusive)
            yield Goal(type="lsn", lsn=row.lsn + rng.choice((0, 0, 8, 32)), inclusive=inclusive)
            moved = row.time_us + rng.choice((-1, 0, 0, 1))
            yield Goal(type="time", time_us=moved, inclusive=inclusive)
    for scan in rng.sample(scans, 10):
        yield Goal(type="lsn", lsn=scan.start_lsn + rng.choice((0, 24, 40, MIB - 8)))
    yield Goal(type="xid", xid=4_000_000_000)
    yield Goal(type="time", time_us=rows[-1].time_us + 10**9)


def test_dating_the_wal_fetches_no_transaction_of_a_stretch(joined: SegmentsRead) -> None:
    """What a summary holds is enough to lay a warm archive on a time axis."""
    for stretch in joined.joined.values():
        kept = stretch.whole.scan.facts.transactions
        told = list(DeferredTransactions(stretch.summary, pytest.fail).sample())
        alone = Transactions()
        for transaction in kept:
            alone.append(transaction)
        assert told == list(alone.sample())
        assert sum(place.transactions for place in told) == len(kept)
