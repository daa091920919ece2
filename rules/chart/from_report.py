"""The picture of a case: what `rules.chart.layout` takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from parsers.sentences import tr
from rules.archive.dated_wal import DatedWalFacts
from rules.backup.completeness import BackupState
from rules.capacity.exposure import ExposureFacts
from rules.case.case import Case
from rules.case.derived.listing import Identity
from rules.case.derived.restores import BackupStates
from rules.chart.drill_marks import mark_drills
from rules.chart.layout import make_picture
from rules.chart.model import Mark, MarkKind, Picture, Seen, SeenBackup
from rules.drill.records import DrillsFacts
from rules.model.evidence import SequenceFacts, WindowsFacts
from rules.model.facts import ArchiveFacts, BackupsFacts, ScanFacts
from rules.model.target import TargetFacts
from rules.model.timelines import TimelineTree

# What is drawn: for as long as these are the same objects, so is the picture.
DRAWN: tuple[type, ...] = (
    ArchiveFacts, BackupsFacts, BackupStates, WindowsFacts, SequenceFacts, ScanFacts,
    DatedWalFacts, DrillsFacts, ExposureFacts,
)  # fmt: skip


def picture_of(case: Case, now: datetime) -> Picture | None:
    """Draw what is known; None when nothing in it has an instant."""
    tree, identity = case.get(TimelineTree), case.get(Identity)
    sequence, exposed = case.get(SequenceFacts), case.get(ExposureFacts)
    return make_picture(
        Seen(
            now=now,
            tree=tree or TimelineTree(timelines={}),
            segment_size_bytes=identity.segment_size_bytes if identity else None,
            backups=list(_backups(case)),
            gaps=sequence.gaps if sequence else (),
            scan=case.get(ScanFacts),
            dated=case.get(DatedWalFacts),
            exposed_since=_ago(now, exposed.unarchived_seconds if exposed else None),
            beyond_since=_ago(now, exposed.seconds if exposed and exposed.beyond else None),
            beyond=exposed.beyond if exposed else None,
            marks=list(_marks(case)),
        )
    )


def _ago(now: datetime, seconds: float | None) -> datetime | None:
    return now - timedelta(seconds=seconds) if seconds else None


def _backups(case: Case) -> Iterator[SeenBackup]:
    found, states, windows = case.get(BackupsFacts), case.get(BackupStates), case.get(WindowsFacts)
    for backup in found.backups if found else ():
        state = states.by_backup[backup.url] if states else BackupState.UNKNOWN
        reached = windows.by_backup.get(backup.url) if windows else None
        yield SeenBackup(
            facts=backup,
            state=state,
            windows=reached or (),
            by_names=state is BackupState.RESTORABLE and case.context.depth != "records",
        )


def _marks(case: Case) -> Iterator[Mark]:
    """Where drills really stopped, and where the recovery asked about would."""
    drills, tree = case.get(DrillsFacts), case.get(TimelineTree)
    if drills is not None and tree is not None:
        yield from mark_drills(drills.records, tree)
    target = case.get(TargetFacts) if case.context.asked is not None else None
    if target is not None:
        yield from _target(target)


_TOLD = {
    True: tr("the target, {type} {value}: it can be reached"),
    False: tr("the target, {type} {value}: it cannot be reached"),
    None: tr("the target, {type} {value}: it is not proven"),
}


def _target(target: TargetFacts) -> Iterator[Mark]:
    outcome, asked = target.prediction, target.target
    stop = outcome.stop if outcome else None
    at = stop.time if stop else None
    if at is None and outcome is not None and outcome.last_transaction:
        at = outcome.last_transaction.time
    if at is None or target.timeline is None or asked.type == "none":
        return
    what = tr(_TOLD[target.reachable], type=asked.type, value=asked.value or "")
    yield Mark(kind=MarkKind.TARGET, timeline=target.timeline, at=at, what=what)
