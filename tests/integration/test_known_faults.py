"""Known faults on what servers that have them made: chains of incremental backups of 17 and 18,
and of 15 a standby, indexes and copies of files.

Both servers of the tests are older than the releases that mend incremental backups, and their
backups are younger than those: only who says the release can prove anything. One of the faults is
shown for itself: what pg_combinebackup makes of the chain is wrong.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.inputs.gather import ReadingOptions, gather
from agent.pollers.lane import connect
from agent.pollers.positions import poll_positions
from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from rules.case.case import Case
from rules.case.context import Context
from rules.model.findings import Severity
from rules.model.releases import name_of, parse_release
from rules.verdict.check import load_catalogue
from rules.verdict.judgement import judge_case
from tests.fix_check import EXEMPLARY, pitr_check
from tests.fix_place import new_place
from tests.fix_postgres import NewCluster, need_part
from tests.fix_tools import PATIENCE_SECONDS
from tests.waiting import wait_until

MENDED = {17: "17.12", 18: "18.7"}
_BACKUPS = ("full", "further", "cut", "switched")
_OF_INCREMENTS = {"known_fault_incremental_backup", "known_fault_incremental_truncation"}
_PAGE, _HEADER = 8192, 24


def known_faults(*arguments: object) -> dict[str, str]:
    """Severity by id, of the known faults that pitr-check finds."""
    found = pitr_check(*arguments, "--format", "json").json["findings"]
    return {each["id"]: each["severity"] for each in found if each["id"].startswith("known_fault_")}


@dataclass(frozen=True)
class Chain:
    """`full`, then on each other `further`, `cut` after VACUUM truncated a table, `switched`."""

    home: Path
    installation: Installation
    database: int
    filenode: int  # of the table that was cut short
    blocks: int  # that remain of it

    @property
    def version(self) -> str:
        release = parse_release(self.installation.version)
        assert release is not None
        return name_of(release)

    def check(self, *options: object, backups: tuple[str, ...] = _BACKUPS[:3]) -> dict[str, str]:
        named = [word for name in backups for word in ("--backup", self.home / name)]
        return known_faults("--archive", self.home / "archive", *named, *options)


@pytest.fixture(scope="module", params=[17, 18])
def chain(
    request: pytest.FixtureRequest, account: Account, installations: dict[int, Installation]
) -> Iterator[Chain]:
    """A cluster without data checksums, as most of 17 are."""
    home = new_place("pk-")
    try:
        yield _make(Cluster(installations[request.param], home / "c", account), installations)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _make(cluster: Cluster, installations: dict[int, Installation]) -> Chain:
    major, program = cluster.installation.major, installations[18].program("pg_basebackup")
    without_checksums = ("--no-data-checksums",) if major >= 18 else ()
    cluster.run(
        "initdb", "-D", str(cluster.data), "-U", "postgres", "-A", "trust", "--no-sync",
        "--wal-segsize=1", *without_checksums,
    )  # fmt: skip
    cluster.configure(listen_addresses="", unix_socket_directories=str(cluster.sockets))
    archive = cluster.account.make_directory(cluster.home / "archive")
    cluster.configure(
        fsync=False, summarize_wal=True, archive_mode="on", autovacuum=False,
        archive_command=EXEMPLARY.format(archive),
    )  # fmt: skip
    with cluster.running():
        cluster.sql("CREATE TABLE t AS SELECT generate_series(1, 20000) AS n")
        cluster.sql("VACUUM (FREEZE) t")
        cluster.base_backup(cluster.home / "full", program=program)
        cluster.sql("DELETE FROM t WHERE n > 10000")
        cluster.sql("VACUUM (TRUNCATE false) t")
        _increment(cluster, program, "full", "further")
        cluster.sql("VACUUM (TRUNCATE true) t")
        _increment(cluster, program, "further", "cut")
        ((database, filenode, blocks),) = cluster.sql(
            "SELECT oid::bigint, pg_relation_filenode('t')::bigint, pg_relation_size('t') / 8192"
            " FROM pg_database WHERE datname = current_database()"
        )
        cluster.sql("CHECKPOINT")
    cluster.signal("standby.signal")
    with cluster.running():
        cluster.sql("SELECT pg_promote(wait_seconds => 300)")
        cluster.sql("INSERT INTO t SELECT generate_series(1, 1000)")
        _increment(cluster, program, "cut", "switched")
    return Chain(cluster.home, cluster.installation, database, filenode, blocks)


def _increment(cluster: Cluster, program: Path, below: str, name: str) -> None:
    parent = cluster.home / below / "backup_manifest"
    cluster.base_backup(cluster.home / name, f"--incremental={parent}", program=program)


def test_what_is_not_told_is_not_proven(chain: Chain) -> None:
    assert chain.check() == dict.fromkeys(_OF_INCREMENTS, "info")


def test_the_release_that_made_them_proves_it(chain: Chain) -> None:
    found = chain.check("--server-version", chain.version)
    assert found == dict.fromkeys(_OF_INCREMENTS, "warning")


def test_a_mended_release_is_not_spoken_of(chain: Chain) -> None:
    assert chain.check("--server-version", MENDED[chain.installation.major]) == {}


def test_a_full_backup_of_that_server_is_not_spoken_of(chain: Chain) -> None:
    assert chain.check("--server-version", chain.version, backups=("full",)) == {}


def test_a_promotion_below_an_increment_is_found(chain: Chain) -> None:
    found = chain.check("--server-version", chain.version, backups=_BACKUPS)
    assert found == dict.fromkeys(_OF_INCREMENTS | {"known_fault_incremental_timeline"}, "warning")


def test_the_configuration_tells_the_release_as_well(chain: Chain, tmp_path: Path) -> None:
    file = tmp_path / "pitr.yaml"
    file.write_text(
        f"clusters: [{{name: lab, archives: [{{url: {chain.home}/archive}}],"
        f" server_version: '{MENDED[chain.installation.major]}'}}]\n"
    )
    assert chain.check("--config", file) == {}


def test_the_relations_that_vacuum_cut_short_are_named(chain: Chain) -> None:
    named = [word for name in _BACKUPS[:3] for word in ("--backup", chain.home / name)]
    checked = pitr_check(
        "--archive", chain.home / "archive", *named, "--format", "json",
        "--server-version", chain.version,
    )  # fmt: skip
    (found,) = (
        each for each in checked.json["findings"]
        if each["id"] == "known_fault_incremental_truncation"
    )  # fmt: skip
    assert found["evidence"]["relations"] == f"1663/{chain.database}/{chain.filenode}"
    assert found["evidence"]["backup"] == str(chain.home / "cut")
    assert checked.status == 1


def test_the_chain_really_has_an_old_visibility_map(chain: Chain, account: Account) -> None:
    """pg_combinebackup is content, and bits are set for pages that the table does not have."""
    need_part(chain.installation, "pg_combinebackup")
    cluster = Cluster(chain.installation, chain.home, account)
    program = str(chain.installation.program("pg_combinebackup"))
    chained = [str(chain.home / name) for name in _BACKUPS[:3]]
    cluster.run(program, *chained, "-o", str(chain.home / "combined"))
    relation = f"base/{chain.database}/{chain.filenode}"
    size = (chain.home / "combined" / relation).stat().st_size
    assert size == chain.blocks * _PAGE
    visible = _visible_pages(chain.home / "combined" / f"{relation}_vm")
    assert max(visible) >= chain.blocks, "this release does not have the fault"
    assert max(_visible_pages(chain.home / "data" / f"{relation}_vm")) < chain.blocks


def _visible_pages(path: Path) -> set[int]:
    """Heap pages that the first page of a visibility map calls all-visible: visibilitymap.c."""
    bits = path.read_bytes()[_HEADER:_PAGE]
    return {
        4 * position + page
        for position, (byte,) in enumerate(struct.iter_unpack("B", bits))
        for page in range(4)
        if byte >> 2 * page & 1
    }


# -- of 15: indexes, a standby, copies ------------------------------------------------------------


@dataclass(frozen=True)
class Used:
    """A cluster of 15 with indexes of every kind and rows that two transactions locked."""

    primary: Cluster
    archive: Path
    backup: Path  # from before all of that

    def check(self, *options: object) -> dict[str, str]:
        return known_faults("--archive", self.archive, "--backup", self.backup, *options)


@pytest.fixture
def used(new_cluster: NewCluster) -> Used:
    primary = new_cluster(15, autovacuum=False)
    primary.base_backup(primary.home / "base")
    primary.sql("CREATE TABLE many (words int[], place box, n numeric)")
    primary.sql("CREATE INDEX ON many USING gin (words) WITH (fastupdate = off)")
    primary.sql("CREATE INDEX ON many USING gist (place)")
    primary.sql("CREATE INDEX ON many USING brin (n numeric_minmax_multi_ops)")
    primary.sql(
        "INSERT INTO many SELECT ARRAY[n, n + 1], box(point(n, n), point(0, 0)), n"
        " FROM generate_series(1, 2000) n"
    )
    with primary.connect() as one, primary.connect() as other:
        one.autocommit = other.autocommit = False
        for each in (one, other):
            each.execute("SELECT 1 FROM many WHERE n = 1 FOR SHARE")
    primary.sql("INSERT INTO many VALUES ('{1}', NULL, 1)")
    primary.sql("SELECT pg_switch_wal()")
    waiting = primary.data / "pg_wal" / "archive_status"
    wait_until(lambda: not list(waiting.glob("*.ready")), "it is not archived")
    return Used(primary, primary.home / "archive", primary.home / "base")


OF_INDEXES = {
    "known_fault_brin_bloom", "known_fault_brin_distances", "known_fault_brin_nulls",
    "known_fault_gin_split", "known_fault_gin_vacuum", "known_fault_gist_build",
    "known_fault_gist_float", "known_fault_gist_trigram",
}  # fmt: skip


def test_indexes_are_spoken_of_by_kind_and_release(used: Used) -> None:
    """The cluster is younger than every release: only what runs it can be at fault."""
    assert used.check("--server-version", "15.3") == dict.fromkeys(OF_INDEXES, "info")
    newest = {"known_fault_gin_vacuum", "known_fault_gist_float", "known_fault_gist_trigram"}
    assert used.check("--server-version", "15.18") == dict.fromkeys(newest, "info")
    assert used.check("--server-version", "15.20") == {}
    before = sorted(used.archive.iterdir())[:1]
    only_before = used.primary.home / "before"
    only_before.mkdir()
    shutil.copy(before[0], only_before)
    assert known_faults("--archive", only_before, "--backup", used.backup) == {}, "none is used"


def test_a_standby_that_can_stop_at_row_locks_is_warned_of(
    used: Used, new_cluster: NewCluster
) -> None:
    """The standby of the tests is of a release that has "known_fault_multixact_replay"."""
    standby = new_cluster(15, name="standby", initdb=False)
    standby.restore_from(used.backup, restore_command=f"cp {used.archive}/%f %p")
    (standby.data / "recovery.signal").rename(standby.data / "standby.signal")
    context, reading = Context(depth="records"), ReadingOptions(workers=1)
    case = gather(
        [str(used.archive)], [str(used.backup)], None, context=context, backup_depth="files",
        reading=reading,
    )  # fmt: skip
    check = {"known_fault_multixact_replay": load_catalogue()["known_fault_multixact_replay"]}
    with standby.running(), connect(standby.dsn, PATIENCE_SECONDS) as connection:
        replaying = poll_positions(connection)
    with connect(used.primary.dsn, PATIENCE_SECONDS) as connection:
        writing = poll_positions(connection)
    failing = replaying.server_version_num in (150016, 150018)
    found = judge_case(case.having(replaying), check, datetime.now(UTC)).findings
    assert [each.severity for each in found] == [Severity.INFO] * failing
    for writer, count in ((replaying.server_version_num - 1, 1), (150018, 0)):
        context = Context(depth="records", server_version=writer)
        told = Case(context=context, observations=case.observations)
        found = judge_case(told.having(replaying), check, datetime.now(UTC)).findings
        assert [each.severity for each in found] == [Severity.WARNING] * failing * count
    mended = replace(replaying, server_version_num=150019)
    for silent in (writing, mended):
        assert judge_case(case.having(silent), check, datetime.now(UTC)).findings == ()


def test_a_file_that_was_copied_in_the_middle_of_a_change(used: Used) -> None:
    """Written here as the fault leaves them: it cannot be made to happen."""
    fault, backup = "known_fault_torn_copies", used.backup
    settings = backup / "postgresql.auto.conf"
    whole = settings.read_bytes()
    settings.write_bytes(whole + b"\0" * 100)
    assert used.check("--server-version", "15.18")[fault] == "critical"
    assert used.check()[fault] == "info"
    assert fault not in used.check("--server-version", "15.20")
    settings.write_bytes(whole)
    assert fault not in used.check("--server-version", "15.18")
    control = backup / "global/pg_control"
    read = bytearray(control.read_bytes())
    read[32] ^= 1  # of the last checkpoint's position
    control.write_bytes(read)
    assert used.check("--server-version", "15.18")[fault] == "critical"
    found = used.check("--server-version", "15.18", "--backup-depth", "checksums")
    assert fault not in found, "the manifest says that it was copied whole"
