"""Pages of real servers' backups, held to what pg_checksums of the same server says of them."""

from __future__ import annotations

import itertools
import random
import re
import shutil
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from agent.backups.find import read_any_backup
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from parsers.files.backup_label import parse_backup_label
from parsers.files.backup_manifest import parse_backup_manifest
from rules.model.facts import DamagedFork, PagesFacts
from tests.fix_check import Archived, pitr_check
from tests.fix_odd_backups import OddBackups
from tests.fix_postgres import NewCluster, need_part
from tests.fix_tools import PATIENCE_SECONDS
from tests.waiting import wait_until

PAGE = 8192
SEGMENT_PAGES = 131072
# What pg_checksums says of a page that is not as it should be.
_SAID = re.compile(r'checksum verification failed in file "(.+)", block (\d+): calculated')
_FILE = re.compile(r"(?P<relation>.*/\d+)(?:_(?P<fork>fsm|vm|init))?(?:\.(?P<segment>\d+))?\Z")


class Block(NamedTuple):
    """One page, as a finding names it."""

    relation: str
    fork: str
    number: int


class Bit(NamedTuple):
    """One bit of a data directory."""

    path: Path
    offset: int  # bytes
    mask: int

    def flip(self) -> None:
        with self.path.open("r+b") as file:
            file.seek(self.offset)
            (byte,) = file.read(1)
            file.seek(self.offset)
            file.write(bytes([byte ^ self.mask]))


def block_of(data: Path, path: Path, number: int) -> Block:
    match = _FILE.match(str(path.relative_to(data)))
    assert match is not None, path
    first = int(match["segment"] or 0) * SEGMENT_PAGES
    return Block(match["relation"], match["fork"] or "main", first + number)


def said_by_pg_checksums(cluster: Cluster, data: Path | None = None) -> set[Block]:
    """The pages that the server's own program finds damaged."""
    data = data or cluster.data
    result = subprocess.run(
        [cluster.installation.program("pg_checksums"), "--check", "-D", data],
        capture_output=True, text=True, **cluster.account.popen_options(),
    )  # fmt: skip
    said = {block_of(data, Path(m[1]), int(m[2])) for m in _SAID.finditer(result.stderr)}
    assert result.returncode == (1 if said else 0), result.stderr
    assert f"Bad checksums:  {len(said)}\n" in result.stdout
    return said


def blocks(forks: tuple[DamagedFork, ...]) -> set[Block]:
    for fork in forks:
        assert len(fork.blocks) == fork.page_count, "more than are named"
    return {Block(f.relation, f.fork, number) for f in forks for number in f.blocks}


def pages_of(backup: Path) -> PagesFacts:
    facts = read_any_backup(backup, "pages")
    assert facts.pages is not None
    return facts.pages


def fill(cluster: Cluster) -> None:
    """Every kind of fork, a tablespace, and an unlogged table, which recovery empties."""
    space = cluster.account.make_directory(cluster.home / "space")
    cluster.sql(f"CREATE TABLESPACE s LOCATION '{space}'")  # type: ignore[arg-type]
    cluster.sql("CREATE TABLE t AS SELECT n, repeat('x', 300) AS f FROM generate_series(1, 9000) n")
    cluster.sql("CREATE INDEX ON t (n)")
    cluster.sql("CREATE TABLE moved TABLESPACE s AS SELECT n FROM generate_series(1, 9000) n")
    cluster.sql("CREATE UNLOGGED TABLE u (n int PRIMARY KEY)")
    cluster.sql("INSERT INTO u SELECT generate_series(1, 3000)")
    cluster.sql("VACUUM t")
    cluster.sql("VACUUM moved")


def filenode(cluster: Cluster, table: str) -> Path:
    ((path,),) = cluster.sql("SELECT pg_relation_filepath(%s)", table)
    return cluster.data / path


def files_with_pages(data: Path, unlogged: str) -> list[Path]:
    """Relations' files, as pg_checksums takes them, but for the unlogged table's."""
    return [
        path
        for top in ("global", "base", "pg_tblspc")
        for path in sorted((data / top).glob("**/*") if top != "pg_tblspc" else
                           (data / top).glob("*/PG_*/*/*"))
        if _FILE.match(str(path)) and path.is_file() and path.stat().st_size
        and not (path.name.split("_")[0] in unlogged and "init" not in path.name)
    ]  # fmt: skip


def random_bits(chance: random.Random, files: list[Path], count: int) -> list[Bit]:
    """Of pages that are no new ones: half of the bits in their headers."""
    bits: dict[tuple[Path, int], Bit] = {}
    while len(bits) < count:
        path = chance.choice(files)
        page = chance.randrange(path.stat().st_size // PAGE)
        with path.open("rb") as file:
            file.seek(page * PAGE)
            if not any(file.read(PAGE)):
                continue
        at = chance.randrange(24 if chance.random() < 0.5 else PAGE)
        bits[path, page] = Bit(path, page * PAGE + at, 1 << chance.randrange(8))
    return list(bits.values())


@contextmanager
def flipped(bits: list[Bit]) -> Iterator[None]:
    for bit in bits:
        bit.flip()
    try:
        yield
    finally:
        for bit in bits:
            bit.flip()


def looks_new(bit: Bit) -> bool:
    """pg_checksums passes over a page with pd_upper 0."""
    with bit.path.open("rb") as file:
        file.seek(bit.offset // PAGE * PAGE)
        return file.read(24)[14:16] == b"\0\0"


@pytest.mark.pg(">= 15")
def test_flipped_bits_are_those_that_pg_checksums_finds(
    pg: Installation, new_cluster: NewCluster
) -> None:
    """In the files of a server that was shut down, where nothing is left to replay."""
    need_part(pg, "pg_checksums")
    cluster = new_cluster(pg, archive=False, autovacuum=False)
    fill(cluster)
    unlogged = [filenode(cluster, name).name for name in ("u", "u_pkey")]
    cluster.stop()
    assert said_by_pg_checksums(cluster) == set()
    healthy = pages_of(cluster.data)
    assert (healthy.damaged, healthy.headless, healthy.newer) == ((), (), 0)
    assert healthy.checked > 1000
    files = files_with_pages(cluster.data, " ".join(unlogged))
    assert {"main", "fsm", "vm", "init"} == {block_of(cluster.data, path, 0).fork for path in files}
    assert any("pg_tblspc" in str(path) for path in files)
    for seed in range(12):
        bits = random_bits(random.Random(seed), files, 25)
        with flipped(bits):
            found = pages_of(cluster.data)
            new = {
                block_of(cluster.data, bit.path, bit.offset // PAGE)
                for bit in bits if looks_new(bit)
            }  # fmt: skip
            flips = {block_of(cluster.data, bit.path, bit.offset // PAGE) for bit in bits}
            assert blocks(found.damaged) == said_by_pg_checksums(cluster) == flips - new, seed
            assert blocks(found.headless) == new, seed


@pytest.mark.pg(">= 15")
def test_what_recovery_empties_and_what_is_no_relation_is_not_accused(
    pg: Installation, new_cluster: NewCluster
) -> None:
    cluster = new_cluster(pg, archive=False, autovacuum=False)
    fill(cluster)
    table, database = filenode(cluster, "u"), filenode(cluster, "t").parent
    cluster.stop()
    junk = b"\x7f" * PAGE
    table.write_bytes(junk * 3)
    for name in ("t3_16999", "pg_internal.init.77", "pgsql_tmp7.1", "notes", "16999.bak", "0",
                 "16999_fsm.0"):  # fmt: skip
        (database / name).write_bytes(junk)
    (database / "pgsql_tmp").mkdir()
    (database / "pgsql_tmp" / "16999").write_bytes(junk)
    (cluster.data / "base" / "16999").write_bytes(junk)
    other = cluster.home / "space" / "PG_14_202107181" / "5"
    other.mkdir(parents=True)
    (other / "16999").write_bytes(junk)
    found = pages_of(cluster.data)
    assert (found.damaged, found.headless) == ((), ())
    (database / "16999").write_bytes(junk + bytes(PAGE) + junk)
    relation = f"{database.relative_to(cluster.data)}/16999"
    found = pages_of(cluster.data)
    assert found.damaged == (DamagedFork(relation, "main", (0, 2), 2),)


@pytest.mark.pg(">= 15")
def test_a_relations_second_segment(pg: Installation, new_cluster: NewCluster) -> None:
    """A block's number counts the segments before it: the first one is a hole here."""
    need_part(pg, "pg_checksums")
    cluster = new_cluster(pg, archive=False, autovacuum=False)
    cluster.sql("CREATE TABLE t (f text)")
    path = filenode(cluster, "t")
    cluster.stop()
    with path.open("r+b") as file:
        file.truncate(SEGMENT_PAGES * PAGE)
    cluster.start()
    cluster.sql("INSERT INTO t SELECT repeat('x', 1500) FROM generate_series(1, 50)")
    cluster.stop()
    second = path.with_name(path.name + ".1")
    assert second.stat().st_size >= 5 * PAGE
    assert pages_of(cluster.data).damaged == ()
    Bit(second, 3 * PAGE + 5000, 4).flip()
    found = pages_of(cluster.data)
    relation = str(path.relative_to(cluster.data))
    assert blocks(found.damaged) == {Block(relation, "main", SEGMENT_PAGES + 3)}
    assert blocks(found.damaged) == said_by_pg_checksums(cluster)
    assert found.new >= SEGMENT_PAGES - 1


@contextmanager
def load(cluster: Cluster) -> Iterator[None]:
    """Change pages and have the server write them, all the time."""
    done = threading.Event()

    def work() -> None:
        with cluster.connect() as connection:
            while not done.is_set():
                connection.execute("UPDATE t SET n = n + 1 WHERE n % 7 = 0")
                connection.execute("INSERT INTO grown SELECT repeat('x', 900) FROM t LIMIT 200")
                connection.execute("CHECKPOINT")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(PATIENCE_SECONDS)


@pytest.mark.pg(">= 15")
def test_pages_of_a_backup_under_load(pg: Installation, new_cluster: NewCluster) -> None:
    """What changed meanwhile is not accused; what is flipped in older pages is, tar or plain."""
    need_part(pg, "pg_checksums")
    cluster = new_cluster(pg, archive=False, max_wal_size="1GB", wal_keep_size="2GB")
    fill(cluster)
    cluster.sql("CREATE TABLE grown (f text)")
    space, numbers = cluster.home / "space", itertools.count()

    def taken_while_pages_changed() -> Path | None:
        """None: the server wrote too few of them before their files were copied."""
        number = next(numbers)
        backup = cluster.home / f"backup{number}"
        moved = f"-T{space}={cluster.home}/moved{number}"
        cluster.base_backup(backup, "--max-rate=24M", moved)
        return backup if pages_of(backup).newer > 50 else None

    with load(cluster):
        backup = wait_until(taken_while_pages_changed)
    unlogged = [filenode(cluster, name).name for name in ("u", "u_pkey")]
    cluster.stop()
    healthy = pages_of(backup)
    assert (healthy.damaged, healthy.headless) == ((), ())
    assert healthy.checked > 1000
    as_shut_down(cluster, backup)
    packed = cluster.home / "packed"
    packed.mkdir()
    label = parse_backup_label((backup / "backup_label").read_bytes())
    (wal,) = parse_backup_manifest((backup / "backup_manifest").read_bytes()).wal_ranges
    files = files_with_pages(backup, " ".join(unlogged))
    for seed in range(3):
        bits = random_bits(random.Random(seed), files, 25)
        with flipped(bits):
            found = pages_of(backup)
            spared = {
                block_of(backup, bit.path, bit.offset // PAGE) for bit in bits
                if looks_new(bit) or label.start_lsn <= lsn_of(bit) <= wal.end_lsn
            }  # fmt: skip
            assert blocks(found.damaged) == said_by_pg_checksums(cluster, backup) - spared, seed
            assert found.damaged
            name = "base.tar" if seed else "base.tar.gz"
            command = ["tar", "chf" if seed else "chzf", packed / name, "-C", backup, "."]
            subprocess.run(command, check=True)
            assert pages_of(packed) == found
            (packed / name).unlink()


def lsn_of(bit: Bit) -> int:
    """pd_lsn of the page that a bit lies in."""
    with bit.path.open("rb") as file:
        file.seek(bit.offset // PAGE * PAGE)
        high, low = struct.unpack("<II", file.read(8))
    return int(high) << 32 | int(low)


def as_shut_down(cluster: Cluster, backup: Path) -> None:
    """Have pg_checksums accept a backup: its pg_control then says that the server was shut down."""
    kept = (backup / "global" / "pg_control").read_bytes()
    wal = backup / "pg_wal"
    saved = wal.with_name("saved")
    shutil.copytree(wal, saved)
    cluster.run("pg_resetwal", "-f", "-D", str(backup))
    shutil.rmtree(wal)
    saved.rename(wal)
    assert (backup / "global" / "pg_control").read_bytes() != kept


@pytest.mark.pg(">= 17")
def test_the_blocks_of_an_incremental_backup(pg: Installation, new_cluster: NewCluster) -> None:
    """Its files name the blocks that they hold; pg_checksums finds the same once it is combined."""
    need_part(pg, "pg_combinebackup")
    cluster = new_cluster(pg, archive=False, summarize_wal=True, autovacuum=False)
    cluster.sql("CREATE TABLE t AS SELECT n, repeat('x', 300) AS f FROM generate_series(1, 9000) n")
    cluster.sql("VACUUM (FREEZE) t")  # or the first reader changes every page
    full, increment = cluster.home / "full", cluster.home / "increment"
    cluster.base_backup(full)
    cluster.sql("UPDATE t SET n = 0 WHERE n IN (3000, 6000)")
    cluster.sql("CHECKPOINT")
    table = filenode(cluster, "t")
    cluster.base_backup(increment, f"--incremental={full}/backup_manifest")
    path = increment / table.parent.relative_to(cluster.data) / f"INCREMENTAL.{table.name}"
    assert path.stat().st_size >= 3 * PAGE
    assert pages_of(increment).damaged == ()
    Bit(path, path.stat().st_size - PAGE - 1000, 1).flip()
    found = blocks(pages_of(increment).damaged)
    assert len(found) == 1
    combined = cluster.home / "combined"
    cluster.run(
        "pg_combinebackup", str(full), str(increment), "-o", str(combined), "--no-sync",
        "--manifest-checksums=NONE",
    )  # fmt: skip
    as_shut_down(cluster, combined)
    assert said_by_pg_checksums(cluster, combined) == found
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 100)
    cut = read_any_backup(increment, "pages")
    assert any("pages that its header names" in each for each in cut.unread_files)
    path.write_bytes(b"not incremental" * 1000)
    told = read_any_backup(increment, "pages").unread_files
    assert any("does not begin as an incremental file" in each for each in told)


# -- what pitr-check says --------------------------------------------------------------------------


def corrupt_at_the_source(cluster: Cluster) -> Path:
    """A backup whose manifest agrees with it, taken from a server whose disk flipped a bit."""
    cluster.sql("CREATE TABLE t AS SELECT n, repeat('x', 300) AS f FROM generate_series(1, 3000) n")
    path = filenode(cluster, "t")
    cluster.stop()
    Bit(path, 7 * PAGE + 4000, 16).flip()
    cluster.start()
    backup = cluster.home / "backup"
    cluster.base_backup(backup, "--no-verify-checksums")
    cluster.sql("SELECT pg_switch_wal()")
    cluster.stop()
    return backup / path.relative_to(cluster.data)


@pytest.mark.pg(">= 16, < 17")
def test_corruption_that_the_manifest_cannot_show(
    pg: Installation, new_cluster: NewCluster
) -> None:
    cluster = new_cluster(pg, autovacuum=False)
    damaged = corrupt_at_the_source(cluster)
    backup = cluster.home / "backup"
    named = ("--archive", cluster.home / "archive", "--backup", backup)
    assert pitr_check(*named, "--backup-depth", "checksums", "--format", "json").status == 0
    checked = pitr_check(*named, "--backup-depth", "pages", "--format", "json")
    assert (checked.status, checked.json["restorable"]) == (2, True)
    found = {each["id"]: each for each in checked.json["findings"]}
    relation = str(damaged.relative_to(backup))
    assert found["backup_pages_damaged"]["evidence"] == {
        "backup": str(backup), "relation": relation, "fork": "main", "block": 7, "pages": 1,
        "forks": 1,
    }  # fmt: skip
    assert f"{relation} (main) block 7" in found["backup_pages_damaged"]["summary"]
    (told,) = checked.json["backups"]
    assert told["depth"] == "pages" and told["pages"]["damaged"] == 1
    assert told["pages"]["checked"] > 100 and told["pages"]["unchecked"] is None
    text = pitr_check(*named, "--backup-depth", "pages").out
    assert f"  {told['pages']['checked']} pages checked" in text and "(pages)" in text


def test_a_free_space_map_is_the_servers_to_mend(archived: Archived) -> None:
    """Recovery itself may leave one with a wrong checksum, and the server clears it."""
    path = next(archived.backup.glob("base/5/*_fsm"))
    Bit(path, 5000, 1).flip()
    checked = archived.check("--backup-depth", "pages")
    found = {each["id"]: each for each in checked.json["findings"]}
    assert set(found) >= {"backup_files_bad", "backup_pages_damaged"}
    said = found["backup_pages_damaged"]
    assert (said["severity"], said["evidence"]["fork"]) == ("info", "fsm")


def test_a_healthy_backup_is_ok(archived: Archived) -> None:
    checked = archived.check("--backup-depth", "pages")
    assert (checked.status, checked.findings) == (0, set())


def test_what_is_only_suspected(archived: Archived) -> None:
    """Without the server's manifest, a page that was copied while it was written looks the same."""
    (archived.backup / "backup_manifest").unlink()
    path = next(path for path in archived.backup.glob("base/5/*") if path.stat().st_size > 5 * PAGE)
    Bit(path, 2 * PAGE + 4000, 1).flip()
    checked = archived.check("--backup-depth", "pages")
    found = {each["id"]: each for each in checked.json["findings"]}
    assert "backup_pages_damaged" not in found and checked.status == 3
    said = found["backup_pages_unproven"]
    relation = str(path.relative_to(archived.backup))
    assert f"{relation} (main) block 2" in said["summary"]
    assert (said["severity"], said["evidence"]["block"]) == ("unknown", 2)


def test_without_data_checksums_nothing_is_told(odd_backups: OddBackups) -> None:
    checked = pitr_check(
        "--backup", odd_backups.home / "full", "--backup-depth", "pages", "--format", "json"
    )
    found = {each["id"]: each for each in checked.json["findings"]}
    summary = found["backup_pages_unproven"]["summary"]
    assert summary.endswith("no page was checked: data checksums are off")
    (told,) = checked.json["backups"]
    assert told["depth"] == "checksums"
    assert told["pages"] == {
        "checked": None, "newer": None, "new": None, "damaged": None,
        "unchecked": "data checksums are off",
    }  # fmt: skip
    text = pitr_check("--backup", odd_backups.home / "full", "--backup-depth", "pages").out
    assert "no page checked: data checksums are off" in text


def test_a_file_that_ends_within_a_page_is_not_called_good(archived: Archived) -> None:
    (archived.backup / "backup_manifest").unlink()
    path = next(path for path in archived.backup.glob("base/5/*") if path.stat().st_size > 5 * PAGE)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1000)
    checked = archived.check("--backup-depth", "pages")
    assert "backup_unreadable" in checked.findings and checked.status == 3
