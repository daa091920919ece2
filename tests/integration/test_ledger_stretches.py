"""Stretches that the ledger joins: every answer is the one that single segments give."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.archive.directory import list_archive
from agent.archive.scanner import SegmentReader, SegmentReadings, scan_facts, segments_to_read
from agent.archive.wal import make_restores
from agent.backups.find import read_any_backup
from agent.ledger.store import Ledger
from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from parsers.wal_facts import Transaction
from rules.archive import timeline_tree
from rules.facts import ArchiveFacts, BackupFacts
from rules.goal import Goal
from rules.recovery import simulate
from rules.restore import Restore
from rules.restore_points import list_restore_points
from rules.wal_events import collect_events

MIB = 1 << 20
SEGMENTS = 200


@dataclass(frozen=True)
class Long:
    """An archive with more segments than a stretch has, and a backup before them."""

    archive: ArchiveFacts
    backup: BackupFacts


@pytest.fixture(scope="module")
def long(account: Account, installations: dict[int, Installation]) -> Iterator[Long]:
    home = Path(tempfile.mkdtemp(prefix="pt-", dir="/tmp"))
    home.chmod(0o755)
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


def _read(long: Long, ledger: Path | None = None) -> SegmentReadings:
    complaints: list[str] = []
    kept = Ledger(str(ledger), complaints.append) if ledger else None
    files = segments_to_read(long.archive, [long.backup])
    readings = asyncio.run(SegmentReader(2, ledger=kept).read(long.archive, files, MIB, "records"))
    assert not complaints
    return readings


@pytest.fixture(scope="module")
def single(long: Long) -> SegmentReadings:
    return _read(long)


@pytest.fixture(scope="module")
def joined(long: Long, tmp_path_factory: pytest.TempPathFactory) -> SegmentReadings:
    ledger = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    _read(long, ledger)
    return _read(long, ledger)


def _restore(long: Long, readings: SegmentReadings) -> Restore:
    return make_restores(long.archive, readings, [long.backup], on_this_machine=False)[
        long.backup.url
    ]


def test_every_scan_is_the_one_that_was_read(
    single: SegmentReadings, joined: SegmentReadings
) -> None:
    assert joined.joined, "some stretch was joined"
    assert not single.joined
    assert {name: read.scan for name, read in joined.scans.items()} == {
        name: read.scan for name, read in single.scans.items()
    }


def test_a_stretch_has_the_transactions_of_its_segments(joined: SegmentReadings) -> None:
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
    long: Long, single: SegmentReadings, joined: SegmentReadings
) -> None:
    tree = timeline_tree(long.archive, [long.backup])
    for system in (None, long.backup.system_identifier, 1):
        one, other = (
            scan_facts(readings, "records", tree, MIB, system) for readings in (single, joined)
        )
        assert one.damaged == other.damaged
        assert (one.read, one.unread) == (other.read, other.unread)
    ones, others = single.as_scans(), joined.as_scans()
    assert list_restore_points(ones, tree, MIB) == list_restore_points(others, tree, MIB)
    assert collect_events(ones, tree, MIB) == collect_events(others, tree, MIB)


def test_every_prediction_is_the_same(
    long: Long, single: SegmentReadings, joined: SegmentReadings
) -> None:
    one, other = _restore(long, single), _restore(long, joined)
    for goal in _goals(single):
        assert simulate(one, goal) == simulate(other, goal), goal


def _goals(readings: SegmentReadings) -> Iterator[Goal]:
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
