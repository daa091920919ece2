"""Segments as crashes, unfinished logs and other segment sizes leave them."""

from __future__ import annotations

import mmap
import tracemalloc
from pathlib import Path

import pytest

from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from parsers.lsn import format_lsn, parse_lsn
from parsers.segment import segment_name, segment_of
from parsers.wal.damage import DamageKind
from parsers.wal.facts import OverwrittenRecord
from parsers.wal.scan import EndKind, judge_end, scan_segment
from parsers.wal.stitch import stitch_run
from tests.fix_postgres import NewCluster, need_part
from tests.fix_wal import MIB, Story
from tests.integration.test_wal_records import waldump
from tests.read_wal import list_records, scan_file

PAGE = 8192


def current_segment(cluster: Cluster, size: int = MIB) -> Path:
    row = cluster.sql("SELECT pg_current_wal_insert_lsn()")
    number = segment_of(parse_lsn(row[0][0]), size)
    return cluster.data / "pg_wal" / segment_name(1, number, size)


def equals_waldump(pg: Installation, paths: list[Path]) -> bool:
    """Compare with pg_waldump where this installation has one."""
    if not pg.has("pg_waldump"):
        return True
    story = Story(archive=paths[0].parent, pg=pg)
    ours, theirs = list_records(paths), [record for record, _ in waldump(story, paths)]
    assert ours == theirs
    return True


def write_and_lose(cluster: Cluster, *, before_boundary: int | None) -> int:
    """Write a record of 30 kB, crash, and take back what lay on the pages after its first.

    That is what a machine leaves whose pages were not all on disk. `before_boundary`: begin so
    many bytes before a segment's end. Gives the LSN of the page that was lost first.
    """
    with cluster.connect() as connection:
        if before_boundary is not None:
            row = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
            left = MIB - parse_lsn(row[0]) % MIB  # type: ignore[index]
            filler = left - left // PAGE * 24 - before_boundary
            connection.execute(
                "SELECT pg_logical_emit_message(false, '', repeat('f', %s))", [filler]
            )
        row = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
        start = parse_lsn(row[0])  # type: ignore[index]
        connection.execute("SELECT pg_logical_emit_message(false, '', repeat('l', 30000))")
        connection.execute("SELECT pg_switch_wal()")
    cluster.stop("immediate")
    lost = (start // PAGE + 1) * PAGE
    for path in (cluster.data / "pg_wal").glob("0" * 7 + "1" + "?" * 16):
        begin = int(path.name[16:], 16) * MIB
        if begin + MIB > lost:
            data = bytearray(path.read_bytes())
            cut = max(lost - begin, 0)
            data[cut:] = bytes(MIB - cut)
            path.write_bytes(data)
    return lost


@pytest.mark.pg(">= 13", npm=True)
@pytest.mark.parametrize("before_boundary", [None, 3000], ids=["in-segment", "over-boundary"])
def test_a_record_that_a_crash_cut_short_is_passed_over(
    pg: Installation, new_cluster: NewCluster, before_boundary: int | None
) -> None:
    cluster = new_cluster(pg, archive=False, wal_keep_size="64MB")
    lost = write_and_lose(cluster, before_boundary=before_boundary)
    assert (lost % MIB == 0) is (before_boundary is not None)
    cluster.start()
    cluster.sql("CREATE TABLE after_the_crash (n int)")
    cluster.sql("SELECT pg_switch_wal()")
    newest = current_segment(cluster).name
    cluster.stop()
    oldest = segment_name(1, segment_of(lost - 1, MIB), MIB)
    paths = [path for path in sorted(cluster.data.glob("pg_wal/" + "0" * 7 + "1" + "?" * 16))
             if oldest <= path.name < newest]  # fmt: skip
    stitched = list(stitch_run(scan_file(path) for path in paths))
    assert [one.damage for one in stitched] == [None] * len(paths)
    (event,) = (
        event
        for one in stitched
        for event in one.scan.facts.events
        if isinstance(event, OverwrittenRecord)
    )
    assert event.overwritten_lsn < lost == event.lsn // PAGE * PAGE
    assert equals_waldump(pg, paths)


def test_the_newest_segment_ends_in_zeros_without_damage(
    pg: Installation, new_cluster: NewCluster
) -> None:
    cluster = new_cluster(pg)
    cluster.sql("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
    path = current_segment(cluster)
    end = parse_lsn(cluster.sql("SELECT pg_current_wal_flush_lsn()")[0][0])
    cluster.stop("immediate")
    scan = scan_file(path)
    assert scan.damage is None and judge_end(scan, may_end_early=True) is None
    assert scan.end.kind in (EndKind.ZEROS, EndKind.RECYCLED) and scan.end.lsn >= end
    in_archive = judge_end(scan, may_end_early=False)
    assert in_archive is not None and in_archive.lsn == scan.end.lsn
    if scan.end.kind is EndKind.ZEROS:
        assert in_archive.kind is DamageKind.ZEROED


def test_a_recycled_segment_shows_where_the_log_ends(
    pg: Installation, new_cluster: NewCluster
) -> None:
    """Checkpoints rename old segments ahead; the log then ends in their old pages."""
    cluster = new_cluster(pg, archive=False, min_wal_size="32MB")  # or what is archived by then
    for _ in range(8):
        cluster.sql("SELECT pg_logical_emit_message(false, '', repeat('r', 900000))")
        cluster.sql("SELECT pg_switch_wal()")
    cluster.sql("CHECKPOINT")
    cluster.sql("CHECKPOINT")
    cluster.sql("SELECT pg_switch_wal()")
    cluster.sql("CREATE TABLE t (n int)")
    path = current_segment(cluster)
    cluster.stop("immediate")
    scan = scan_file(path)
    assert (scan.damage, scan.end.kind) == (None, EndKind.RECYCLED)
    judged = judge_end(scan, may_end_early=False)
    assert judged is not None and judged.kind is DamageKind.WRONG_ADDRESS
    ahead = path.with_name(segment_name(1, int(path.name[16:], 16) + 1, MIB))
    future = scan_file(ahead).damage
    assert future is not None and future.kind is DamageKind.WRONG_ADDRESS


@pytest.mark.parametrize("mib", [16, 64])
def test_larger_segments_read_like_small_ones(
    pg: Installation, new_cluster: NewCluster, mib: int
) -> None:
    cluster = new_cluster(pg, segment_mib=mib, max_wal_size="256MB")
    cluster.sql("CREATE TABLE t AS SELECT n, repeat('x', 100) FROM generate_series(1, 60000) AS n")
    cluster.sql("SELECT pg_logical_emit_message(false, '', repeat('r', 3000000))")
    cluster.sql("SELECT pg_switch_wal()")
    cluster.stop()
    paths = sorted((cluster.home / "archive").glob("0" * 7 + "1" + "?" * 16))
    assert {path.stat().st_size for path in paths} == {mib * MIB}
    assert [one.damage for one in stitch_run(map(scan_file, paths))] == [None] * len(paths)
    assert equals_waldump(pg, paths)


def test_names_and_records_go_on_over_a_log_id(pg: Installation, new_cluster: NewCluster) -> None:
    """pg_resetwal puts the cluster two segments before LSN 1/0; WAL then runs over it."""
    need_part(pg, "pg_resetwal")
    cluster = new_cluster(pg, start=False)
    cluster.run("pg_resetwal", "-l", segment_name(1, 0xFFE, MIB), "-D", str(cluster.data))
    cluster.start()
    for _ in range(3):
        cluster.sql("SELECT pg_logical_emit_message(false, '', repeat('r', 900000))")
        cluster.sql("CREATE TABLE IF NOT EXISTS t (n int)")
    cluster.sql("SELECT pg_switch_wal()")
    cluster.stop()
    paths = sorted((cluster.home / "archive").glob("0" * 7 + "1" + "?" * 16))
    assert [path.name[8:] for path in paths[:3]] == [
        "0000000000000FFE", "0000000000000FFF", "0000000100000000",
    ]  # fmt: skip
    stitched = list(stitch_run(map(scan_file, paths)))
    assert [one.damage for one in stitched] == [None] * len(paths)
    assert format_lsn(stitched[2].scan.start_lsn) == "1/0"
    assert equals_waldump(pg, paths)


@pytest.mark.slow
@pytest.mark.pg(">= 18")
def test_a_segment_of_one_gib_is_read_in_little_memory(
    pg: Installation, new_cluster: NewCluster
) -> None:
    """Windows, not the segment, are what is held; a record of hundreds of MiB is only summed."""
    cluster = new_cluster(pg, archive=False, segment_mib=1024, max_wal_size="8GB")
    cluster.sql("CREATE TABLE t AS SELECT generate_series(1, 300000) AS n")
    for _ in range(2):
        cluster.sql("SELECT pg_logical_emit_message(false, '', repeat('r', 400000000))")
    cluster.sql("CHECKPOINT")
    path = current_segment(cluster, 1024 * MIB)
    cluster.stop("immediate")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer:
        tracemalloc.start()
        scan = scan_segment(buffer, name_timeline=1, segment_number=int(path.name[16:], 16))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert scan.damage is None and scan.size_bytes == 1024 * MIB
    assert scan.end.lsn - scan.start_lsn > 800_000_000 and scan.facts.records > 300_000
    assert peak < 64 * MIB
