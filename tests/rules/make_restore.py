"""A restore as the predictor takes it, over WAL written by hand."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from parsers.files.backup_label import BackupLabel
from parsers.files.timeline_history import HistoryEntry, TimelineHistory
from parsers.segment import parse_segment_name, segment_name
from parsers.wal.facts import POSTGRES_EPOCH
from parsers.wal.locate import find_record
from parsers.wal.record import RecordPlace
from parsers.wal.resume import begin_at
from parsers.wal.scan import Depth, SegmentScan, scan_segment
from rules.model.facts import BackupFacts
from rules.model.goal import Goal
from rules.model.outcome import Outcome
from rules.model.restore_inputs import RestoreInputs, Server, Wal
from rules.recovery.predictor import simulate
from tests.rules.write_wal import SEGMENT, SYSTEM, Place, WalWriter

BACKUP_TIME = 1_800_000_000  # seconds since 1970
SECOND = 1_000_000  # in microseconds


def at(seconds: float) -> int:
    """A TimestampTz that many seconds after the backup began."""
    return round((BACKUP_TIME - POSTGRES_EPOCH.timestamp() + seconds) * SECOND)


@dataclass
class Story:
    """WAL that begins with a backup, and what was done to it since."""

    major: int = 16
    overflowed: bool = False  # a transaction with many subtransactions is open
    wal: WalWriter = field(init=False)
    redo: Place = field(init=False)
    checkpoint: Place = field(init=False)
    backup_end: Place | None = None
    histories: dict[int, TimelineHistory] = field(default_factory=dict)
    others: dict[str, bytearray] = field(default_factory=dict)  # segments of other timelines

    def __post_init__(self) -> None:
        self.wal = WalWriter(major=self.major, lsn=2 * SEGMENT)
        self.redo = self.wal.redo()
        self.wal.running(open_count=int(self.overflowed), overflowed=self.overflowed)
        self.checkpoint = self.wal.checkpoint(self.redo.lsn, BACKUP_TIME)

    def end_backup(self) -> Place:
        self.backup_end = self.wal.backup_end(self.redo.lsn)
        return self.backup_end

    def fork(self, timeline: int, *ancestors: tuple[int, int]) -> WalWriter:
        """Leave for a timeline; its history has `ancestors` and this one."""
        entries = [*ancestors, (self.wal.timeline, self.wal.lsn)]
        self.histories[timeline] = history(timeline, *entries)
        child = self.wal.fork(timeline)
        self.others.update(child.segments)
        child.segments = self.others
        child.checkpoint(child.lsn, BACKUP_TIME + 500, shutdown=True, before=self.wal.timeline)
        return child

    def restore(
        self,
        *,
        server: Server | None = None,
        without: tuple[str, ...] = (),
        depth: Depth = "records",
        change: Mapping[str, Callable[[bytes], bytes]] | None = None,
        partial: tuple[str, ...] = (),
    ) -> RestoreInputs:
        """The restore; `without` some files, with changed ones, or with unfinished ones."""
        files = {**self.others, **self.wal.segments}
        kept = {
            name: (change or {}).get(name, bytes)(bytes(data))
            for name, data in files.items()
            if name not in without
        }
        return RestoreInputs(
            server=server or Server(major=self.major),
            backup=self._backup(),
            control=None,
            histories=self.histories,
            wal=wal_of(kept, depth, partial),
        )

    def predict(self, goal: Goal | None = None, **given: object) -> Outcome:
        return simulate(self.restore(**given), goal or Goal())  # type: ignore[arg-type]

    def _backup(self) -> BackupFacts:
        label = BackupLabel(
            start_lsn=self.redo.lsn,
            start_segment=segment_name(1, self.redo.lsn // SEGMENT, SEGMENT),
            checkpoint_lsn=self.checkpoint.lsn,
            timeline=1,
            method="streamed",
            source="primary",
            started_at_text=None,
            label="b",
        )
        return BackupFacts(
            url="/backup", label=label, stop_lsn=None, stop_timeline=None, needs=(),
            started_at=None, finished_at=datetime.fromtimestamp(BACKUP_TIME + 10, UTC),
            system_identifier=SYSTEM, major=self.major, segment_size_bytes=SEGMENT, control=None,
            wal=frozenset(), bad_files=(), files_checked=None, manifest_error="", depth="label",
        )  # fmt: skip


def wal_of(
    files: Mapping[str, bytes], depth: Depth = "records", partials: Collection[str] = ()
) -> Wal:
    """Look-ups over segments in memory; of `partials` there is a .partial alone."""

    def scan(data: bytes, name: str, newest: int | None = None) -> SegmentScan:
        timeline, number = parse_segment_name(name, SEGMENT)
        return scan_segment(
            data, name_timeline=newest or timeline, segment_number=number, segment_size=SEGMENT,
            system_identifier=SYSTEM, depth=depth,
        )  # fmt: skip

    def scan_from(name: str, lsn: int | None, newest: int | None) -> SegmentScan:
        data = files[name] if lsn is None else begin_at(files[name], lsn)
        return scan(data, name, newest)

    def locate(name: str, lsn: int, begin_lsn: int | None) -> RecordPlace | None:
        data = files[name] if begin_lsn is None else begin_at(files[name], begin_lsn)
        _, number = parse_segment_name(name, SEGMENT)
        return find_record(data, lsn, segment_number=number)

    @functools.cache
    def held(name: str) -> SegmentScan | None:
        return scan(files[name], name) if name in files else None

    return Wal(
        segment_size=SEGMENT,
        names=files.keys() - set(partials),
        archived=lambda name: None if name in partials else held(name),
        partials=partials,
        partial=lambda name: held(name) if name in partials else None,
        find_record=locate,
        scan_from=scan_from,
    )


def history(timeline: int, *entries: tuple[int, int]) -> TimelineHistory:
    return TimelineHistory(
        timeline=timeline,
        entries=tuple(
            HistoryEntry(timeline=parent, switch_lsn=lsn, reason="no recovery target specified")
            for parent, lsn in entries
        ),
    )


def with_backup(restore: RestoreInputs, **changes: object) -> RestoreInputs:
    """The same restore from a backup with other facts."""
    return replace(restore, backup=replace(restore.backup, **changes))  # type: ignore[arg-type]


def told(major: int = 16) -> Story:
    """A backup, three commits a second apart (xid 801 to 803, at 20 s), an abort, and the end."""
    story = Story(major)
    story.end_backup()
    for xid in (801, 802, 803):
        story.wal.commit(xid, at(xid - 781))
    story.wal.commit(804, at(23), abort=True)
    story.wal.switch()
    return story


def long_story(major: int = 16) -> Story:
    """Three segments after the backup's, each with a commit: xid 801, 802, 803."""
    story = told(major)
    for xid in (811, 812, 813):
        story.wal.commit(xid, at(xid - 700))
        story.wal.switch()
    return story
