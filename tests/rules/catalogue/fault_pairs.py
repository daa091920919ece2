"""The pairs of the known faults: of each, what a release with it left, and a mended one's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from parsers.wal.facts import Relation, RelationTruncate
from rules.model.evidence import WalEventsFacts
from rules.model.facts import BackupFacts
from rules.model.releases import ReleasesFacts
from tests.rules.catalogue.facts import INCREMENT, SIZE, backup, backups, server

Pair = tuple[tuple[object, ...], tuple[object, ...]]
LATER: Final = datetime(2026, 12, 24, tzinfo=UTC)  # after every release that mends one of them
_BORN_LATER: Final = int(LATER.timestamp()) << 32  # a cluster of that day


def made_later(label: dict[str, Any] | None = None, **changes: Any) -> BackupFacts:
    """A backup of which its date proves nothing."""
    dated = {"started_at": LATER, "finished_at": LATER, "system_identifier": _BORN_LATER}
    return backup(label, **{**dated, **changes})


def truncated(lsn: int, blocks: int = 100, timeline: int = 1) -> WalEventsFacts:
    event = RelationTruncate(lsn, lsn + 50, 0, Relation(1663, 5, 16384), blocks)
    return WalEventsFacts(vacuum_truncations=((timeline, event),))


def without_checksums(**changes: Any) -> BackupFacts:
    made = backup(INCREMENT, **changes)
    assert made.control is not None
    bare = replace(made.control, data_checksum_version=0, wal_log_hints=False)
    return backup(INCREMENT, **{"control": bare, **changes})


def told(version: int) -> ReleasesFacts:
    return ReleasesFacts(told=version)


def writing(resource_manager: int) -> WalEventsFacts:
    return WalEventsFacts(resource_managers=frozenset({resource_manager}))


def of_indexes(resource_manager: int, mended: int) -> Pair:
    """Of a cluster that an older release made, and of one that only the mended one wrote to."""
    major = mended // 10000
    return (
        (backups(made_later(major=major)), writing(resource_manager), told(mended - 1)),
        (backups(made_later(major=major)), writing(resource_manager), told(mended)),
    )


def replaying(version: int, writer: int | None) -> ReleasesFacts:
    return ReleasesFacts(told=writer, position=server(version, in_recovery=True))


_SWITCHED: Final = {**INCREMENT, "timeline": 2}
_TORN: Final = {"bad_files": ("global/pg_control (offset 0x120: checksum does not match)",)}

FAULT_PAIRS: Final[dict[str, Pair]] = {
    "known_fault_brin_bloom": of_indexes(17, 150013),
    "known_fault_brin_distances": of_indexes(17, 160010),
    "known_fault_brin_nulls": of_indexes(17, 150004),
    "known_fault_gin_split": of_indexes(13, 160002),
    "known_fault_gin_vacuum": of_indexes(13, 180007),
    "known_fault_gist_build": of_indexes(14, 160001),
    "known_fault_gist_float": of_indexes(14, 170011),
    "known_fault_gist_trigram": of_indexes(14, 150020),
    "known_fault_incremental_backup": (
        (backups(backup(INCREMENT, major=18)),), (backups(backup(INCREMENT, major=19)),),
    ),
    "known_fault_incremental_timeline": (
        (backups(backup(_SWITCHED)),), (backups(backup(INCREMENT)),),
    ),
    "known_fault_incremental_truncation": (
        (backups(without_checksums()), truncated(SIZE + 80)),
        (backups(without_checksums()), truncated(3 * SIZE)),  # the backup's own WAL replays it
    ),
    "known_fault_multixact_replay": (
        (replaying(150016, 150015), writing(6)), (replaying(150016, 150016), writing(6)),
    ),
    "known_fault_torn_copies": (
        (backups(backup(**_TORN)),), (backups(made_later(**_TORN)), told(180007)),
    ),
}  # fmt: skip
