"""A cluster's case over WAL written by hand: whatever a program would know, without a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from parsers.wal.scan import SegmentScan
from rules.case.case import Case
from rules.case.context import Asked, Context
from rules.case.observations import ArchiveListings, BackupsRead, SegmentsRead, SettledSegments
from rules.model.facts import ArchivedFile, ArchiveFacts, BackupFacts, BackupsFacts
from rules.model.goal import Goal
from rules.model.restore_inputs import RestoreInputs
from rules.model.target import Target
from tests.rules.make_restore import Story, wal_of
from tests.rules.write_wal import SEGMENT

LISTED_AT = datetime(2027, 2, 1, tzinfo=UTC)  # some days after the backup of a story
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class ReadFile:
    """One file of a segment, as it was read."""

    scan: SegmentScan
    digest: bytes
    read_at: datetime = LISTED_AT

    @property
    def sound(self) -> bool:
        return self.scan.damage is None


def files_of(story: Story) -> dict[str, bytes]:
    return {name: bytes(data) for name, data in {**story.others, **story.wal.segments}.items()}


def backup_of(story: Story, **changes: object) -> BackupFacts:
    """The backup that a story begins with: it ended where its end was written."""
    end = story.backup_end
    made = replace(
        story.restore().backup, stop_lsn=end.end_lsn if end else None, stop_timeline=1,
        manifest_error=None,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def listing(url: str, files: Files, story: Story, *, mtime_ns: int = 0) -> ArchiveFacts:
    return ArchiveFacts(
        url=url, layout="plain", listed_at=LISTED_AT, segment_size_bytes=SEGMENT,
        segments={
            name: ArchivedFile(url, name, len(data), mtime_ns, 0)
            for name, data in files.items()
        },
        partials={}, compressed=frozenset(), histories=story.histories, broken_histories={},
        backup_labels={}, copies={}, other_count=0,
    )  # fmt: skip


def read_archives(
    archives: Sequence[ArchiveFacts], contents: Sequence[Files], skip: Sequence[str] = ()
) -> SegmentsRead:
    """Every file of every archive, but for the paths to skip."""
    found: dict[str, list[tuple[ArchivedFile, ReadFile]]] = {}
    served: dict[str, bytes] = {}
    for archive, files in zip(archives, contents, strict=True):
        wal = wal_of(files)
        for name, file in archive.segments.items():
            if file.path in skip:
                continue
            scan = wal.archived(name)
            assert scan is not None
            digest = hashlib.sha256(files[name]).digest()
            found.setdefault(name, []).append((file, ReadFile(scan, digest)))
            served.setdefault(name, files[name])

    def make_restores(
        archive: ArchiveFacts,
        settled: SettledSegments,
        backups: Sequence[BackupFacts],
        segment_size: int,
        *,
        on_this_machine: bool,
    ) -> Mapping[str, RestoreInputs]:
        wal = replace(
            wal_of({name: data for name, data in served.items() if name in archive.segments}),
            archived=settled.as_scans().get,
        )
        return {
            backup.url: replace(
                Story(backup.major or 16).restore(),
                backup=backup, histories=archive.histories, wal=wal,
            )
            for backup in backups
        }  # fmt: skip

    return SegmentsRead(
        depth="records",
        scans={name: files[0][1] for name, files in found.items()},
        unread={},
        unreadable={},
        growing=frozenset(),
        cold=frozenset(),
        copies={
            name: files
            for name, files in found.items()
            if sum(name in archive.segments for archive in archives) > 1
        },
        changed={},
        joined={},
        make_restores=make_restores,
    )


def case_of(
    story: Story,
    goal: Goal | None = None,
    *,
    archives: Mapping[str, Files] | None = None,
    backups: Sequence[BackupFacts] | None = None,
    skip: Sequence[str] = (),
    mtime_ns: int = 0,
    **context: object,
) -> Case:
    """One archive that holds all of a story, or several, each with files of its own."""
    contents = archives if archives is not None else {"/archive": files_of(story)}
    listed = [listing(url, each, story, mtime_ns=mtime_ns) for url, each in contents.items()]
    found = (backup_of(story),) if backups is None else tuple(backups)
    asked = None if goal is None else Asked(target=target_of(goal), goal=goal)
    made = Context(**{"depth": "records", "asked": asked, **context})  # type: ignore[arg-type]
    return Case(context=made).having(
        ArchiveListings(archives=tuple(listed)),
        BackupsRead(found=BackupsFacts(backups=found, unreadable={}, depth="label")),
        read_archives(listed, list(contents.values()), skip),
    )


def target_of(goal: Goal) -> Target:
    value = next((each for each in (goal.lsn, goal.xid, goal.name, goal.time_us) if each), None)
    return Target(
        type=goal.type, value=None if value is None else str(value), timeline=str(goal.timeline),
        inclusive=goal.inclusive, action=goal.action,
    )  # fmt: skip
