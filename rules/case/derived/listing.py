"""What the names say: all archives as one, their timelines, whose they are, what is missing."""

from __future__ import annotations

from dataclasses import field, replace
from functools import partial

from parsers.values import dataclass
from parsers.wal.damage import DamageKind
from rules.archive.listing import (
    find_absent,
    judge_sequence,
    merge_archives,
    segment_size_of,
    timeline_tree,
)
from rules.archive.segment_names import find_unproven, set_aside
from rules.backup.completeness import close_backups
from rules.case.context import Context
from rules.case.engine import derived
from rules.case.observations import ArchiveListings, BackupsRead, SaidBefore, SegmentsRead
from rules.model.evidence import AbsentFacts, SequenceFacts
from rules.model.facts import ArchiveFacts, BackupsFacts, ControlFacts
from rules.model.segment_names import SegmentNames, without
from rules.model.timelines import TimelineTree


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose WAL it is, as far as anything but the segments' contents tells."""

    system_identifier: int | None = None
    server_major: int | None = None
    segment_size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSequences:
    """The gaps of each archive by itself, in the order of the listings."""

    by_archive: tuple[SequenceFacts | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listings(ArchiveListings):
    """The archives as they were listed, without names that no segment of their size can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnprovenNames:
    """Of files that hold no WAL, as far as they could be read, those which no WAL leads to.

    They are no proof of any before them.
    """

    names: SegmentNames = field(default_factory=SegmentNames)


@derived()
def listings(listed: ArchiveListings, read: BackupsRead | None) -> Listings:
    found = read.found.backups if read else ()
    sizes = (segment_size_of(each, found) for each in listed.sources)
    size = next(filter(None, sizes), None)
    return Listings(
        archives=tuple(set_aside(each, size) for each in listed.archives),
        elsewhere=tuple(set_aside(each, size) for each in listed.elsewhere),
        written=listed.written,
    )


@derived()
def archive(listings: Listings) -> ArchiveFacts | None:
    return merge_archives(listings.sources) if listings.sources else None


@derived()
def backups(read: BackupsRead, archive: ArchiveFacts | None) -> BackupsFacts:
    return close_backups(read.found, archive.backup_labels) if archive else read.found


@derived()
def tree(archive: ArchiveFacts | None, backups: BackupsFacts | None) -> TimelineTree:
    if archive is None:
        return TimelineTree(timelines={})
    return timeline_tree(archive, backups.backups if backups else ())


@derived()
def identity(
    archive: ArchiveFacts | None, backups: BackupsFacts | None, control: ControlFacts | None
) -> Identity:
    found = backups.backups if backups else ()
    identifiers = (each.system_identifier for each in found)
    majors = (each.major for each in found)
    size = segment_size_of(archive, found)
    if control is not None:
        return Identity(
            system_identifier=control.system_identifier,
            server_major=next(filter(None, majors), None),
            segment_size_bytes=control.segment_size_bytes,
        )
    return Identity(
        system_identifier=next(filter(None, identifiers), None),
        server_major=next(filter(None, majors), None),
        segment_size_bytes=size,
    )


@derived()
def unproven(
    archive: ArchiveFacts,
    backups: BackupsFacts | None,
    identity: Identity,
    read: SegmentsRead | None,
) -> UnprovenNames:
    size = identity.segment_size_bytes
    if read is None or size is None:
        return UnprovenNames()
    found = backups.backups if backups else ()
    proves = partial(_proves, read, identity.system_identifier)
    return UnprovenNames(names=find_unproven(archive, found, proves, size))


def _proves(read: SegmentsRead, system_identifier: int | None, name: str) -> bool:
    """Whether a segment's file holds WAL of this cluster and place, or was not looked into."""
    if name in read.growing or (name in read.unreadable and name not in read.cold):
        return False
    scanned = read.scans.get(name)
    if scanned is None or (scanned.sound and system_identifier is None):
        return True
    scan = scanned.scan
    if scan.damage is not None and scan.damage.kind is DamageKind.ENCRYPTED:
        return True
    header = scan.header
    return (
        header is not None
        and header.page.lsn == scan.start_lsn
        and system_identifier in (None, header.system_identifier)
    )


@derived()
def sequence(
    archive: ArchiveFacts,
    unproven: UnprovenNames,
    tree: TimelineTree,
    identity: Identity,
    backups: BackupsFacts | None,
    said: SaidBefore | None,
    context: Context,
) -> SequenceFacts | None:
    """The gaps of all archives together."""
    return _sequence(archive, unproven, tree, identity, backups, said, context)


@derived()
def sequences(
    listings: Listings,
    unproven: UnprovenNames,
    whole: SequenceFacts | None,
    tree: TimelineTree,
    identity: Identity,
    backups: BackupsFacts | None,
    said: SaidBefore | None,
    context: Context,
) -> ArchiveSequences:
    if len(listings.sources) == 1 and listings.archives:
        return ArchiveSequences(by_archive=(whole,))
    return ArchiveSequences(
        by_archive=tuple(
            _sequence(each, unproven, tree, identity, backups, said, context)
            for each in listings.archives
        )
    )


def _sequence(
    archive: ArchiveFacts,
    unproven: UnprovenNames,
    tree: TimelineTree,
    identity: Identity,
    backups: BackupsFacts | None,
    said: SaidBefore | None,
    context: Context,
) -> SequenceFacts | None:
    size = identity.segment_size_bytes
    if size is None:
        return None
    if unproven.names:
        archive = replace(archive, segments=without(archive.segments, unproven.names))
    return judge_sequence(
        archive,
        tree,
        size,
        backups=backups.backups if backups and backups.backups else None,
        waiting=said.status.ready if said and said.status else (),
        acknowledged=context.acknowledged,
        due_at=archive.listed_at - said.arrival if said else None,
    )


@derived()
def absent(archive: ArchiveFacts, said: SaidBefore) -> AbsentFacts | None:
    if said.archiver is None or said.status is None:
        return None
    return find_absent(archive, said.archiver, said.status)
