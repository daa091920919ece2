"""What each archive alone would reach, where a cluster has several."""

from __future__ import annotations

from dataclasses import field
from typing import Final

from parsers.sentences import tr
from parsers.values import dataclass
from rules.archive.listing import timeline_tree
from rules.backup.completeness import BackupState, backup_state
from rules.case.context import Context
from rules.case.derived.listing import (
    ArchiveSequences,
    Identity,
    Listings,
    UnprovenNames,
)
from rules.case.engine import derived
from rules.case.observations import Scanned, SegmentsRead, SettledSegments
from rules.model.evidence import AloneFacts, CopyAlone, SequenceFacts, WindowsFacts
from rules.model.facts import ArchiveFacts, BackupsFacts
from rules.model.restore_inputs import RestoreInputs
from rules.model.windows import Window, find_reaches, window_of
from rules.recovery.prediction import predict_windows

_NS: Final = 10**9
_ARRIVAL_SECONDS: Final = 300.0  # how long a segment may take from one copy to the next, at most
_UNREAD: Final = tr("not read from this archive")


@derived(slow=True)
def alone(
    listings: Listings,
    unproven: UnprovenNames,
    archive: ArchiveFacts,
    backups: BackupsFacts,
    identity: Identity,
    windows: WindowsFacts,
    sequences: ArchiveSequences,
    read: SegmentsRead | None,
    settled: SettledSegments | None,
    context: Context,
) -> AloneFacts | None:
    """Nothing of a single archive: it is what all together are."""
    size = identity.segment_size_bytes
    if size is None:
        return None
    several = listings.archives if len(listings.archives) > 1 else ()
    copies = []
    for one, sequence in zip(several, sequences.by_archive, strict=False):
        own = _own_segments(one, archive, read, settled) if read and settled else _Own()
        found = windows.by_backup
        alike = one.segments.keys() == archive.segments.keys()
        if own.differs or not alike or one.histories != archive.histories:
            found = _windows(one, own, unproven, sequence, backups, read, size, context)
        copies.append(
            CopyAlone(
                url=one.url,
                windows=WindowsFacts(by_backup=found),
                unread_count=len(own.unread),
                lacking=_lacking(one, archive, unproven, backups, context),
                bad=tuple(sorted(own.bad)),
            )
        )
    return AloneFacts(by_archive=tuple(copies))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """The segments of one archive, by its own files."""

    settled: SettledSegments = field(default_factory=SettledSegments)
    unread: frozenset[str] = frozenset()  # another archive's file was read
    bad: frozenset[str] = frozenset()  # another archive's file serves instead

    @property
    def differs(self) -> bool:
        return bool(self.unread or self.bad)


def _own_segments(
    one: ArchiveFacts, together: ArchiveFacts, read: SegmentsRead, settled: SettledSegments
) -> _Own:
    scans: dict[str, Scanned] = {}
    unread, bad = set[str](), set[str]()
    kinds = {copy.url: copy.kind for copy in settled.copies}
    for name, scanned in read.scans.items():
        file = one.segments.get(name)
        if file is None:
            continue
        if name not in together.copies:
            scans[name] = scanned
            continue
        own = next(
            (each for read_file, each in read.copies.get(name, ()) if read_file == file), None
        )
        if own is None:
            unread.add(name)
            continue
        scans[name] = own
        if kinds.get(file.path) is not None:
            bad.add(name)
    joined = {
        first: stretch
        for first, stretch in read.joined.items()
        if all(name in scans and name not in together.copies for name in stretch.names)
    }
    missed = dict.fromkeys(unread, _UNREAD)
    made = SettledSegments(
        scans=scans, unread={**read.unread, **missed}, unreadable=read.unreadable, joined=joined
    )
    return _Own(settled=made, unread=frozenset(unread), bad=frozenset(bad))


def _windows(
    one: ArchiveFacts,
    own: _Own,
    unproven: UnprovenNames,
    sequence: SequenceFacts | None,
    backups: BackupsFacts,
    read: SegmentsRead | None,
    size: int,
    context: Context,
) -> dict[str, tuple[Window, ...] | None]:
    restores = None
    if read is not None and context.depth == "records":
        restores = read.make_restores(
            one, own.settled, backups.backups, size, on_this_machine=context.on_this_machine
        )
    tree = timeline_tree(one, backups.backups)
    found: dict[str, tuple[Window, ...] | None] = {}
    for backup in backups.backups:
        if backup_state(backup, one, sequence) is BackupState.NOT_RESTORABLE:
            found[backup.url] = ()
        elif restores is not None:
            restore: RestoreInputs | None = restores.get(backup.url)
            found[backup.url] = predict_windows(restore, tree) if restore is not None else None
        elif backup.unlabelled is None:
            usable = (one.segments.keys() | backup.wal) - unproven.names
            reaches = find_reaches(backup, tree, usable, size)
            ends = (window_of(backup, reach) for reach in reaches)
            found[backup.url] = tuple(window for window in ends if window)
        else:
            found[backup.url] = None
    return found


def _lacking(
    one: ArchiveFacts,
    together: ArchiveFacts,
    unproven: UnprovenNames,
    backups: BackupsFacts,
    context: Context,
) -> tuple[str, ...]:
    """What a restore could need, and another archive has had for longer than a copy takes."""
    oldest = min((each.label.start_segment[8:] for each in backups.backups), default="")
    arrival = min(context.objectives.rpo_seconds, _ARRIVAL_SECONDS)
    due_ns = (together.listed_at.timestamp() - arrival) * _NS
    return tuple(
        sorted(
            name
            for name in together.segments.keys() - one.segments.keys() - unproven.names
            if name[8:] >= oldest and together.segments[name].mtime_ns < due_ns
        )
    )
