"""What recovery would do: the restores that can be made, the windows, the target asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.damage import DamageKind
from rules.archive.wal_events import find_places
from rules.backup.carried_wal import find_carried_damage
from rules.backup.completeness import BackupState, backup_state, state_by
from rules.capacity.forecast import RestoreEstimateFacts, estimate_restore
from rules.case.case import Case
from rules.case.context import Asked, Context
from rules.case.derived.listing import Identity, Listings, UnprovenNames
from rules.case.derived.segments import walk
from rules.case.engine import derived
from rules.case.observations import (
    MeasuredRates,
    SegmentsRead,
    SettledSegments,
)
from rules.drill.records import DrillsFacts
from rules.model.evidence import (
    CarriedWalFacts,
    ElsewhereFacts,
    PlacesFacts,
    SequenceFacts,
    WindowsFacts,
)
from rules.model.facts import ArchiveFacts, BackupFacts, BackupsFacts, ScanFacts, SettingsFacts
from rules.model.outcome import Cause
from rules.model.repository import RepositoriesRead
from rules.model.restore_inputs import RestoreInputs, RestoreInputsFacts, without_segments
from rules.model.segment_names import without
from rules.model.target import (
    TargetFacts,
    judge_target,
    resolve_timeline,
    unread_target,
)
from rules.model.timelines import TimelineTree
from rules.model.windows import Reach, Window, find_reaches, window_of
from rules.recovery.outside_wal import Reached, find_gain
from rules.recovery.prediction import find_restores, predict_target, predict_windows
from rules.repository.tool_view import ToolView
from rules.repository.ways import answer_both_ways

# What could not be read may be good: it ends no window.
_NOT_LOOKED_AT = frozenset({DamageKind.UNREADABLE.value, DamageKind.ENCRYPTED.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedReaches:
    """How far each backup gets by the files that are there, by its url."""

    by_backup: Mapping[str, tuple[Reach, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupStates:
    """What is proven of each backup, to the depth of the look, by its url."""

    by_backup: Mapping[str, BackupState]
    unreadable_count: int  # that looked like a backup and could not be read

    def count(self) -> dict[BackupState, int]:
        """How many backups are in each state; each state is there, if with 0."""
        counts = dict.fromkeys(BackupState, 0)
        for state in self.by_backup.values():
            counts[state] += 1
        counts[BackupState.UNKNOWN] += self.unreadable_count
        return counts

    @property
    def restorable(self) -> bool | None:
        """Some backup is: True. Proven that none is: False. None: it is not known."""
        counts = self.count()
        if counts[BackupState.RESTORABLE]:
            return True
        return None if counts[BackupState.UNKNOWN] or not self.by_backup else False


@derived(slow=True)
def restores(
    archive: ArchiveFacts,
    unproven: UnprovenNames,
    backups: BackupsFacts,
    read: SegmentsRead,
    settled: SettledSegments,
    identity: Identity,
    scan: ScanFacts | None,
    context: Context,
) -> RestoreInputsFacts | None:
    """What the predictor can be asked. What cannot be decoded is handed to no server."""
    size = identity.segment_size_bytes
    if context.depth != "records" or size is None:
        return None
    if unproven.names:
        archive = replace(archive, segments=without(archive.segments, unproven.names))
    made = read.make_restores(
        archive, settled, backups.backups, size, on_this_machine=context.on_this_machine
    )
    withheld = _undecodable(scan)
    if withheld:
        made = {url: without_segments(restore, withheld) for url, restore in made.items()}
    return RestoreInputsFacts(listed_at=archive.listed_at, by_backup=made)


def _undecodable(scan: ScanFacts | None) -> set[str]:
    return {each.segment for each in scan.damaged if each.is_undecodable} if scan else set()


@derived(slow=True)
def reaches(
    archive: ArchiveFacts,
    unproven: UnprovenNames,
    backups: BackupsFacts,
    tree: TimelineTree,
    identity: Identity,
    sequence: SequenceFacts | None,
    scan: ScanFacts | None,
) -> ListedReaches | None:
    size = identity.segment_size_bytes
    if size is None:
        return None
    found = scan.damaged if scan else ()
    damaged = {damage.segment for damage in found if damage.kind not in _NOT_LOOKED_AT}
    useless = damaged.union(unproven.names)
    return ListedReaches(
        by_backup={
            backup.url: tuple(
                find_reaches(backup, tree, (archive.segments.keys() | backup.wal) - useless, size)
            )
            for backup in backups.backups
            if backup.unlabelled is None
            and backup_state(backup, archive, sequence) is not BackupState.NOT_RESTORABLE
        }
    )


@derived(slow=True)
def windows(
    archive: ArchiveFacts,
    backups: BackupsFacts,
    tree: TimelineTree,
    restores: RestoreInputsFacts | None,
    listed: ListedReaches | None,
    sequence: SequenceFacts | None,
    scan: ScanFacts | None,
    context: Context,
) -> WindowsFacts | None:
    """What each backup reaches: by the records where they were read, else by what is listed."""
    if context.depth == "records" and restores is None:
        return None
    found: dict[str, tuple[Window, ...] | None] = {}
    for backup in backups.backups:
        windows = _windows(backup, archive, tree, restores, listed, sequence)
        found[backup.url] = windows and tuple(
            replace(window, verified_at=_oldest_reading(window, archive, scan))
            for window in windows
        )
    return WindowsFacts(by_backup=found)


def _windows(
    backup: BackupFacts,
    archive: ArchiveFacts,
    tree: TimelineTree,
    restores: RestoreInputsFacts | None,
    listed: ListedReaches | None,
    sequence: SequenceFacts | None,
) -> tuple[Window, ...] | None:
    if backup_state(backup, archive, sequence) is BackupState.NOT_RESTORABLE:
        return ()
    if restores is not None:
        restore = restores.by_backup.get(backup.url)
        return predict_windows(restore, tree) if restore is not None else None
    if backup.unlabelled is not None or listed is None:
        return None
    reached = listed.by_backup.get(backup.url, ())
    return tuple(window for reach in reached if (window := window_of(backup, reach)))


def _oldest_reading(window: Window, archive: ArchiveFacts, scan: ScanFacts | None) -> datetime:
    """When the oldest of a window's segments was read, or where none was, when they were listed."""
    read_at = scan.read_at if scan else {}
    times = [read_at[name] for name in window.segments if name in read_at]
    return min(times, default=archive.listed_at)


@derived()
def states(
    backups: BackupsFacts,
    archive: ArchiveFacts | None,
    sequence: SequenceFacts | None,
    windows: WindowsFacts | None,
    context: Context,
) -> BackupStates:
    """The one place where a backup is called restorable."""
    return BackupStates(
        by_backup={
            backup.url: _state(backup, archive, sequence, windows, context)
            for backup in backups.backups
        },
        unreadable_count=len(backups.unreadable),
    )


def _state(
    backup: BackupFacts,
    archive: ArchiveFacts | None,
    sequence: SequenceFacts | None,
    windows: WindowsFacts | None,
    context: Context,
) -> BackupState:
    listed = backup_state(backup, archive, sequence)
    if windows is not None and backup.url in windows.by_backup:
        reached = windows.by_backup[backup.url]
        if context.depth == "records" or listed is BackupState.RESTORABLE:
            return state_by(reached, listed)
        return listed
    if listed is BackupState.RESTORABLE and (archive is None or context.depth == "records"):
        return BackupState.UNKNOWN  # by the names of its files alone: they were not read
    return listed


@derived(slow=True)
def target(
    archive: ArchiveFacts | None,
    backups: BackupsFacts | None,
    tree: TimelineTree,
    restores: RestoreInputsFacts | None,
    listed: ListedReaches | None,
    windows: WindowsFacts | None,
    tools: RepositoriesRead | None,
    read: SegmentsRead | None,
    scan: ScanFacts | None,
    context: Context,
) -> TargetFacts:
    """What recovery to the target asked about would do."""
    asked, found = context.recovery, backups.backups if backups else ()
    readable = [backup for backup in found if not backup.unread_files]
    usable = find_restores(restores.by_backup, readable) if restores else []
    if tools and tools.chosen is not None:
        usable = [each for each in usable if each.backup.name == tools.chosen]
    if usable:
        answer = predict_target(asked.target, asked.goal, usable, asked.note)
    else:
        answer = _judge_listed(asked, found, archive, tree, listed, windows)
    if backups and backups.unreadable and not found:
        answer = replace(answer, reason=tr("no base backup could be read"))
    if usable and tools and archive and restores:
        view = ToolView(
            read=tools,
            target=asked.target,
            goal=asked.goal,
            note=asked.note,
            way=context.way,
            archive=archive,
            backups=found,
            restores=restores.by_backup,
            copies=read.copies if read else {},
            undecodable=_undecodable(scan),
        )
        return answer_both_ways(view, answer)
    unread = next((backup for backup in reversed(found) if backup.unread_files), None)
    if unread is not None and not answer.reachable:
        return unread_target(asked.target, unread)
    return answer


def _judge_listed(
    asked: Asked,
    backups: Sequence[BackupFacts],
    archive: ArchiveFacts | None,
    tree: TimelineTree,
    listed: ListedReaches | None,
    windows: WindowsFacts | None,
) -> TargetFacts:
    """Judge the target from the newest backup that could serve it."""
    answers: list[TargetFacts] = []
    histories = frozenset(archive.histories) if archive else frozenset[int]()
    for backup in reversed(backups):
        if archive is None and backup_state(backup, None, None) is not BackupState.NOT_RESTORABLE:
            # What is not there proves nothing where no WAL was to be listed.
            reason = tr("no archive was given")
            answers.append(TargetFacts(target=asked.target, backup=backup, reason=reason))
            continue
        timeline = resolve_timeline(asked.target, backup.label.timeline, tree, histories)
        if timeline is None:
            continue
        reached = listed.by_backup.get(backup.url, ()) if listed else ()
        found = (windows.by_backup.get(backup.url) or ()) if windows else ()
        reach = next((r for r in reached if r.timeline == timeline), None)
        window = next((w for w in found if w.timeline == timeline), None)
        answers.append(judge_target(asked.target, timeline, backup, reach, window))
    if not answers:
        if not backups:
            return TargetFacts(target=asked.target, reason=tr("no base backup was given"))
        return TargetFacts(
            target=asked.target,
            outcome="fails",
            reachable=False,
            reason=tr("there is no such timeline"),
            cause=Cause.TIMELINE_MISSING,
        )
    order = {True: 0, None: 1, False: 2}
    return min(answers, key=lambda answer: order[answer.reachable])


@derived(slow=True)
def places(
    target: TargetFacts,
    settled: SettledSegments,
    tree: TimelineTree,
    identity: Identity,
    context: Context,
) -> PlacesFacts | None:
    """Where the WAL has what was asked for, when recovery would not come by it."""
    if target.cause is not Cause.NOT_IN_WAL or context.depth != "records":
        return None
    walked = walk(settled, tree, identity)
    return find_places(walked, tree, context.recovery.goal) if walked is not None else None


@derived(slow=True)
def carried(restores: RestoreInputsFacts, tree: TimelineTree) -> CarriedWalFacts:
    return CarriedWalFacts(damaged=tuple(find_carried_damage(restores.by_backup.values(), tree)))


@derived(slow=True)
def elsewhere(
    listings: Listings,
    tree: TimelineTree,
    identity: Identity,
    backups: BackupsFacts | None,
    windows: WindowsFacts | None,
    restores: RestoreInputsFacts | None,
    scan: ScanFacts | None,
) -> ElsewhereFacts | None:
    """What WAL outside the archives adds to them."""
    if not listings.elsewhere:
        return None
    reached = [
        Reached(
            facts=backup,
            windows=(windows.by_backup.get(backup.url) if windows else None) or (),
            restore=restores.by_backup.get(backup.url) if restores else None,
        )
        for backup in (backups.backups if backups else ())
    ]
    size = identity.segment_size_bytes
    return find_gain(listings.archives, listings.elsewhere, scan, reached, tree, size)


@derived()
def settings(
    target: TargetFacts | None, backups: BackupsFacts, context: Context
) -> SettingsFacts | None:
    """The configuration that a restore would start with: that of the backup chosen."""
    if context.watches_server:
        return None
    chosen = target.backup if target else None
    chosen = chosen or (backups.backups[-1] if backups.backups else None)
    return chosen.settings if chosen else None


@derived()
def estimate(
    windows: WindowsFacts,
    backups: BackupsFacts,
    measured: MeasuredRates,
    drills: DrillsFacts | None,
) -> RestoreEstimateFacts | None:
    """How long a restore would take, by those that really ran."""
    copy = drills.last_copy if drills else None
    return estimate_restore(windows, backups, measured.rates, copy)


def restores_of(case: Case) -> Mapping[str, RestoreInputs]:
    """The restores by the backup's url; none where no records were read."""
    made = case.get(RestoreInputsFacts)
    return made.by_backup if made else {}
