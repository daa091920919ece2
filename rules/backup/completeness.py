"""Can a base backup become consistent with the WAL that is there?

Follows the manual's chapter on continuous archiving: the WAL from the backup's start to its stop
must be had, all of it. What the backup carries in its own pg_wal counts.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from parsers.files.backup_label import BackupLabel
from parsers.log.times import Zone, parse_log_time
from parsers.segment import segment_before, segment_name, segment_of
from parsers.sentences import tr
from parsers.values import dataclass
from rules.model.evidence import SequenceFacts
from rules.model.facts import ArchiveFacts, BackupFacts, BackupsFacts, WalNeed
from rules.model.segment_names import SegmentNames
from rules.model.sequence import number_segments


def close_backups(backups: BackupsFacts, labels: Mapping[str, BackupLabel]) -> BackupsFacts:
    """Add what the archive's `.backup` files know and a backup itself may not: where it stopped."""
    return replace(backups, backups=tuple(_close(each, labels) for each in backups.backups))


def _close(backup: BackupFacts, labels: Mapping[str, BackupLabel]) -> BackupFacts:
    label = backup.label
    own = (label.start_lsn, label.checkpoint_lsn, label.timeline)
    for other in labels.values():
        if own == (other.start_lsn, other.checkpoint_lsn, other.timeline):
            return replace(
                backup,
                stop_lsn=backup.stop_lsn or other.stop_lsn,
                stop_timeline=backup.stop_timeline or other.stop_timeline,
                finished_at=backup.finished_at or label_time(other.stopped_at_text),
            )
    return backup


def label_time(text: str | None) -> datetime | None:
    """The instant of a label's time; None when its zone is an abbreviation of several."""
    return parse_log_time(text, Zone()) if text else None


def chain_of(backup: BackupFacts, backups: Sequence[BackupFacts]) -> tuple[BackupFacts, ...] | None:
    """A full backup and the increments on it up to `backup`; None where one is not there.

    Follows check_backup_label_files in pg_combinebackup.c: each must start where the label of the
    next says, on that timeline.
    """
    chain = [backup]
    while chain[0].label.incremental_from_lsn is not None and len(chain) <= len(backups):
        label = chain[0].label
        wanted = (label.incremental_from_lsn, label.incremental_from_timeline)
        before = next(
            (each for each in backups if (each.label.start_lsn, each.label.timeline) == wanted),
            None,
        )
        if before is None or before.bad_files:
            return None
        chain.insert(0, before)
    return tuple(chain) if chain[0].label.incremental_from_lsn is None else None


class BackupState(enum.Enum):
    """What is proven of a backup, to the depth at which the archive was looked at."""

    RESTORABLE = "restorable"
    NOT_RESTORABLE = "not_restorable"
    UNKNOWN = "unknown"

    @property
    def word(self) -> str:
        """For a person."""
        return _WORDS[self]


_WORDS: Final = {
    BackupState.RESTORABLE: tr("restorable"),
    BackupState.NOT_RESTORABLE: tr("not restorable"),
    BackupState.UNKNOWN: tr("unknown"),
}


@dataclass(frozen=True, slots=True)
class MissingWal:
    """Segments that a backup needs and that are nowhere, as a run: its middle may be there."""

    first: str
    last: str
    count: int


def segments_needed(backup: BackupFacts, segment_size_bytes: int) -> list[tuple[int, range]] | None:
    """(timeline, segment numbers) from start to stop; None when the stop is not known.

    Ranges, as a label may name any. A backup taken on a standby may have crossed a switch: its
    manifest then names a range for each timeline; without a manifest None is the answer.
    """
    label = backup.label
    needs = backup.needs
    if not needs:
        if backup.stop_lsn is None or (backup.stop_timeline or label.timeline) != label.timeline:
            return None
        needs = (WalNeed(label.timeline, label.start_lsn, backup.stop_lsn),)
    size = segment_size_bytes
    return [
        (
            need.timeline,
            range(segment_of(need.start_lsn, size), segment_before(need.end_lsn, size) + 1),
        )
        for need in needs
    ]


def missing_segments(
    backup: BackupFacts, archive: ArchiveFacts | None, segment_size_bytes: int
) -> MissingWal | None:
    """What is nowhere of the needed segments, of which it may count none.

    None when it cannot be known: what a backup's own pg_wal holds is not, where the backup could
    not be read whole, and of a backup that is younger than the listing nothing is missing yet.
    """
    size, nothing = segment_size_bytes, MissingWal("", "", 0)
    needed = segments_needed(backup, size)
    if needed is None:
        return None
    archived = archive.segments.keys() if archive else ()
    runs = [run for need in needed for run in _missing_of(*need, size, (backup.wal, archived))]
    if not runs:
        return nothing
    missing = MissingWal(runs[0].first, runs[-1].last, sum(run.count for run in runs))
    if archive is None or backup.unread_files or is_younger(backup, archive):
        return None
    return missing


def is_younger(backup: BackupFacts, archive: ArchiveFacts) -> bool:
    """Whether a backup was first known of only after the archive's listing had begun."""
    return backup.known_at is not None and backup.known_at > archive.listed_at


def _missing_of(
    timeline: int, numbers: range, size: int, places: Iterable[Collection[str]]
) -> Iterator[MissingWal]:
    held: set[int] = set()
    for names in places:
        if len(numbers) <= len(names):
            held |= {n for n in numbers if segment_name(timeline, n, size) in names}
        else:
            there = number_segments(names, size).get(timeline, frozenset())
            held |= {number for number in there if number in numbers}
    if len(held) < len(numbers):
        first = next(number for number in numbers if number not in held)
        last = next(number for number in reversed(numbers) if number not in held)
        yield MissingWal(
            segment_name(timeline, first, size),
            segment_name(timeline, last, size),
            len(numbers) - len(held),
        )


def lacks_only_its_end(missing: MissingWal, archive: ArchiveFacts) -> bool:
    """Whether what is missing may still come: it ends the backup, and nothing newer is archived.

    A backup of one segment tells nothing of that kind unless WAL before it is there.
    """
    ends = SegmentNames.of(archive.segments).ends.get(missing.first[:8])
    return ends is not None and ends[1] < missing.first


def backup_state(
    backup: BackupFacts, archive: ArchiveFacts | None, sequence: SequenceFacts | None
) -> BackupState:
    """Judge one backup by names: a bad file is proof, and so is an increment without its chain."""
    if backup.bad_files or backup.label.incremental_from_lsn is not None:
        return BackupState.NOT_RESTORABLE
    if backup.unlabelled is not None or backup.unread_files:
        return BackupState.UNKNOWN
    size = backup.segment_size_bytes or (sequence.segment_size_bytes if sequence else None)
    missing = missing_segments(backup, archive, size) if size else None
    if missing is None:
        return BackupState.UNKNOWN
    return BackupState.NOT_RESTORABLE if missing.count else BackupState.RESTORABLE


def state_by(windows: Collection[object] | None, listed: BackupState) -> BackupState:
    """Judge a backup by its windows; what the listing proved wrong stays wrong."""
    if listed is BackupState.NOT_RESTORABLE:
        return listed
    if windows is None:
        return BackupState.UNKNOWN
    return BackupState.RESTORABLE if windows else BackupState.NOT_RESTORABLE
