"""pg_control, beside pg_controldata and what a running server says of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import LiteralString

import pytest

from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from parsers.files.pg_control import ClusterState, ControlFile, parse_control_file
from parsers.lsn import format_lsn
from parsers.segment import segment_name, segment_of
from tests.fix_postgres import NewCluster, need_part

_LEVELS = ("minimal", "replica", "logical")


def read(data_directory: Path) -> ControlFile:
    return parse_control_file((data_directory / "global" / "pg_control").read_bytes())


def as_controldata(control: ControlFile) -> dict[str, str]:
    """The fields in pg_controldata's words (LC_ALL=C, TZ=UTC), without the nonce."""
    point = control.checkpoint
    redo = segment_of(point.redo_lsn, control.wal_segment_size)
    fields = {
        "pg_control version number": control.control_version,
        "Catalog version number": control.catalog_version,
        "Database system identifier": control.system_identifier,
        "Database cluster state": control.state.text,
        "pg_control last modified": _time(control.modified),
        "Latest checkpoint location": format_lsn(control.checkpoint_lsn),
        "Latest checkpoint's REDO location": format_lsn(point.redo_lsn),
        "Latest checkpoint's REDO WAL file": segment_name(
            point.timeline, redo, control.wal_segment_size
        ),
        "Latest checkpoint's TimeLineID": point.timeline,
        "Latest checkpoint's PrevTimeLineID": point.previous_timeline,
        "Latest checkpoint's full_page_writes": _on(point.full_page_writes),
        "Latest checkpoint's NextXID": f"{point.next_xid >> 32}:{point.next_xid & 0xFFFFFFFF}",
        "Latest checkpoint's NextOID": point.next_oid,
        "Latest checkpoint's NextMultiXactId": point.next_multi,
        "Latest checkpoint's NextMultiOffset": point.next_multi_offset,
        "Latest checkpoint's oldestXID": point.oldest_xid,
        "Latest checkpoint's oldestXID's DB": point.oldest_xid_database,
        "Latest checkpoint's oldestActiveXID": point.oldest_active_xid,
        "Latest checkpoint's oldestMultiXid": point.oldest_multi,
        "Latest checkpoint's oldestMulti's DB": point.oldest_multi_database,
        "Latest checkpoint's oldestCommitTsXid": point.oldest_commit_ts_xid,
        "Latest checkpoint's newestCommitTsXid": point.newest_commit_ts_xid,
        "Time of latest checkpoint": _time(point.time),
        "Fake LSN counter for unlogged rels": format_lsn(control.unlogged_lsn),
        "Minimum recovery ending location": format_lsn(control.min_recovery_lsn),
        "Min recovery ending loc's timeline": control.min_recovery_timeline,
        "Backup start location": format_lsn(control.backup_start_lsn),
        "Backup end location": format_lsn(control.backup_end_lsn),
        "End-of-backup record required": "yes" if control.backup_end_required else "no",
        "wal_level setting": _LEVELS[control.wal_level],
        "wal_log_hints setting": _on(control.wal_log_hints),
        "max_connections setting": control.max_connections,
        "max_worker_processes setting": control.max_worker_processes,
        "max_wal_senders setting": control.max_wal_senders,
        "max_prepared_xacts setting": control.max_prepared_transactions,
        "max_locks_per_xact setting": control.max_locks_per_transaction,
        "track_commit_timestamp setting": _on(control.track_commit_timestamp),
        "Maximum data alignment": control.max_align,
        "Database block size": control.block_size,
        "Blocks per segment of large relation": control.relation_segment_blocks,
        "WAL block size": control.wal_block_size,
        "Bytes per WAL segment": control.wal_segment_size,
        "Maximum length of identifiers": control.max_identifier_bytes,
        "Maximum columns in an index": control.max_index_columns,
        "Maximum size of a TOAST chunk": control.toast_chunk_bytes,
        "Size of a large-object chunk": control.large_object_chunk_bytes,
        "Date/time type storage": "64-bit integers",
        "Float8 argument passing": "by value" if control.float8_by_value else "by reference",
        "Data page checksum version": control.data_checksum_version,
    }
    if control.default_char_signed is not None:
        signedness = "signed" if control.default_char_signed else "unsigned"
        fields["Default char data signedness"] = signedness
    return {label: str(value) for label, value in fields.items()}


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%a %b %e %H:%M:%S %Y")


def _on(value: bool) -> str:
    return "on" if value else "off"


def controldata(cluster: Cluster) -> dict[str, str]:
    lines = cluster.run("pg_controldata", "-D", str(cluster.data)).splitlines()
    fields = {label: value.strip() for label, _, value in (line.partition(":") for line in lines)}
    del fields["Mock authentication nonce"]
    return fields


def test_every_field_is_what_pg_controldata_says(pg: Installation, new_cluster: NewCluster) -> None:
    need_part(pg, "pg_controldata")
    cluster = new_cluster(
        pg, archive=False, segment_mib=64, max_wal_size="256MB", max_prepared_transactions=7,
        max_connections=33,
        wal_level="logical", wal_log_hints=True, track_commit_timestamp=True,
    )  # fmt: skip
    cluster.sql("CREATE TABLE t (n int)")
    cluster.sql("CHECKPOINT")
    assert as_controldata(read(cluster.data)) == controldata(cluster)
    assert read(cluster.data).state is ClusterState.IN_PRODUCTION
    cluster.stop("immediate")
    assert as_controldata(read(cluster.data)) == controldata(cluster)
    cluster.start()
    cluster.stop()
    assert as_controldata(read(cluster.data)) == controldata(cluster)
    assert read(cluster.data).state is ClusterState.SHUT_DOWN
    cluster.signal("standby.signal")
    with cluster.running():
        assert as_controldata(read(cluster.data)) == controldata(cluster)
        assert read(cluster.data).state is ClusterState.IN_ARCHIVE_RECOVERY
        assert read(cluster.data).min_recovery_lsn > 0


@pytest.mark.pg(">= 13", npm=True, each=True)
def test_a_running_server_says_the_same_of_itself(
    pg: Installation, new_cluster: NewCluster
) -> None:
    cluster = new_cluster(pg, archive=False, wal_level="logical", max_prepared_transactions=5)
    cluster.sql("CHECKPOINT")
    control = read(cluster.data)
    point = control.checkpoint
    assert control.major == pg.major
    assert _row(cluster, "pg_control_system")[:3] == _texts(
        control.control_version, control.catalog_version, control.system_identifier
    )
    assert _row(cluster, "pg_control_checkpoint")[:17] == _texts(
        format_lsn(control.checkpoint_lsn), format_lsn(point.redo_lsn),
        segment_name(point.timeline, segment_of(point.redo_lsn, 1 << 20), 1 << 20),
        point.timeline, point.previous_timeline, point.full_page_writes,
        f"{point.next_xid >> 32}:{point.next_xid & 0xFFFFFFFF}", point.next_oid,
        point.next_multi, point.next_multi_offset, point.oldest_xid, point.oldest_xid_database,
        point.oldest_active_xid, point.oldest_multi, point.oldest_multi_database,
        point.oldest_commit_ts_xid, point.newest_commit_ts_xid,
    )  # fmt: skip
    assert _row(cluster, "pg_control_init")[1:11] == _texts(
        control.block_size, control.relation_segment_blocks, control.wal_block_size,
        control.wal_segment_size, control.max_identifier_bytes, control.max_index_columns,
        control.toast_chunk_bytes, control.large_object_chunk_bytes, control.float8_by_value,
        control.data_checksum_version,
    )  # fmt: skip
    assert _row(cluster, "pg_control_recovery") == _texts(
        format_lsn(control.min_recovery_lsn), control.min_recovery_timeline,
        format_lsn(control.backup_start_lsn), format_lsn(control.backup_end_lsn),
        control.backup_end_required,
    )  # fmt: skip
    names = ("max_connections", "max_worker_processes", "max_wal_senders",
             "max_prepared_transactions", "max_locks_per_transaction")  # fmt: skip
    settings = cluster.sql("SELECT name, setting::int FROM pg_settings WHERE name = ANY(%s)",
                           list(names))  # fmt: skip
    assert dict(settings) == {name: getattr(control, name) for name in names}
    assert _LEVELS[control.wal_level] == "logical"


def _row(cluster: Cluster, function: LiteralString) -> tuple[str, ...]:
    return tuple(map(str, cluster.sql(f"SELECT * FROM {function}()")[0]))


def _texts(*values: object) -> tuple[str, ...]:
    return tuple(map(str, values))
