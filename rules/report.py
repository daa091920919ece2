"""The verdict about one cluster's archive and backups, as one value: every output renders this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from parsers.wal_damage import DamageKind
from parsers.wal_scan import SegmentScan
from rules.archive import judge_sequence, merge_archives, segment_size_of, timeline_tree
from rules.backups import BackupState, backup_state, state_by
from rules.carried_wal import find_carried_damage
from rules.check import Check, judge
from rules.dated_wal import DatedWalFacts, date_wal
from rules.drill import DrillFacts
from rules.drills import DrillsFacts, remember
from rules.evidence import (
    CarriedWalFacts,
    ElsewhereFacts,
    Evidence,
    FailedRunFacts,
    PlacesFacts,
    SequenceFacts,
    WalEventsFacts,
)
from rules.facts import (
    ArchiveFacts,
    BackupFacts,
    BackupsFacts,
    Objectives,
    ScanFacts,
    SettingsFacts,
)
from rules.findings import Finding, Severity, Verdict, verdict_of
from rules.goal import Goal
from rules.outcome import Cause
from rules.outside import Reached, find_gain
from rules.prediction import find_restores, predict_target, predict_windows
from rules.restore import Restore
from rules.restore_points import PlacedRestorePoint, Walked, walk_facts
from rules.restore_trial import TrialFacts
from rules.target import Target, TargetFacts, judge_target, resolve_timeline
from rules.timelines import TimelineTree
from rules.wal_events import collect_events, find_places
from rules.windows import Reach, Window, find_reaches, window_of

# What nobody could look into may be good: it ends no window.
_NOT_LOOKED_AT = frozenset({DamageKind.UNREADABLE.value, DamageKind.ENCRYPTED.value})
# Findings about how far the check itself got; the archive they do not concern.
_NO_OBJECTIVES = Objectives(rpo_seconds=float("inf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked."""

    target: Target
    goal: Goal  # the target with its value read
    note: str  # what had to be assumed to read it; empty: nothing
    depth: str  # names, headers, records
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveReport:
    """One archive as it was found."""

    facts: ArchiveFacts
    sequence: SequenceFacts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """One backup, and what it reaches."""

    facts: BackupFacts
    state: BackupState
    windows: tuple[Window, ...]
    reaches: tuple[Reach, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole answer."""

    question: Question
    verdict: Verdict
    restorable: bool | None
    system_identifier: int | None
    segment_size_bytes: int | None
    server_major: int | None
    verified_at: datetime | None  # when the oldest of the readings was taken
    archives: tuple[ArchiveReport, ...]
    elsewhere: tuple[ArchiveFacts, ...]
    backups: tuple[BackupReport, ...]
    tree: TimelineTree
    scan: ScanFacts | None
    dated: DatedWalFacts
    target: TargetFacts
    findings: tuple[Finding, ...]
    drill: DrillFacts | None = None  # None: none was asked for

    @property
    def restore_points(self) -> tuple[PlacedRestorePoint, ...]:
        return self.dated.restore_points


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What was read, before anything is judged."""

    archives: tuple[ArchiveFacts, ...]
    elsewhere: tuple[ArchiveFacts, ...] = ()  # WAL that is in no archive
    backups: BackupsFacts | None  # None: none was asked about
    system_identifier: int | None
    server_major: int | None
    scan: ScanFacts | None = None  # None at depth names
    scans: Mapping[str, SegmentScan] = field(default_factory=dict)
    restores: Mapping[str, Restore] = field(default_factory=dict)  # by backup, at depth records
    trial: TrialFacts | None = None  # of the restore_command; None: it was not tried


def build_report(question: Question, gathered: Gathered, checks: Mapping[str, Check]) -> Report:
    """Judge what was gathered."""
    backups = gathered.backups.backups if gathered.backups else ()
    sources = (*gathered.archives, *gathered.elsewhere)
    archive = merge_archives(sources) if sources else None
    size = segment_size_of(archive, backups)
    tree = timeline_tree(archive, backups) if archive else TimelineTree(timelines={})
    sequences = [_sequence(each, tree, size, gathered.backups) for each in gathered.archives]
    whole = sequences[0] if sequences and len(sources) == 1 else None
    if archive is not None and whole is None:
        whole = _sequence(archive, tree, size, gathered.backups)
    reports = tuple(
        _report_backup(backup, gathered, archive, whole, tree, size) for backup in backups
    )
    restores = find_restores(gathered.restores, backups)
    if restores:
        target = predict_target(question.target, question.goal, restores, question.note)
    else:
        target = _judge_target(question.target, reports, archive, tree)
    walked = list(walk_facts(gathered.scans, tree, size)) if size is not None else []
    gain = _find_gain(gathered, reports, tree, size) if gathered.elsewhere else None
    found = {
        TargetFacts: target,
        ArchiveFacts: archive,
        SequenceFacts: whole,
        BackupsFacts: gathered.backups,
        SettingsFacts: _settings(target, backups),
        TrialFacts: gathered.trial,
        ScanFacts: gathered.scan,
        ElsewhereFacts: gain,
        **_read_facts(question, gathered, walked, target, tree, size),
    }
    findings = _findings(question, found, checks)
    return Report(
        question=question,
        verdict=verdict_of(findings),
        restorable=_restorable(reports, gathered.backups),
        system_identifier=gathered.system_identifier,
        segment_size_bytes=size,
        server_major=gathered.server_major,
        verified_at=_verified_at(gathered),
        archives=tuple(
            ArchiveReport(facts=facts, sequence=sequence)
            for facts, sequence in zip(gathered.archives, sequences, strict=True)
        ),
        elsewhere=gathered.elsewhere,
        backups=reports,
        tree=tree,
        scan=gathered.scan,
        dated=date_wal(walked, tree),
        target=target,
        findings=findings,
    )


def with_drill(report: Report, drill: DrillFacts, checks: Mapping[str, Check]) -> Report:
    """The report with what a drill adds to it."""
    made = remember(drill, report.question.now, sum(drill.phases.values()))
    return replace(_with_facts(report, DrillsFacts(records=(made,)), checks), drill=drill)


def with_failure(report: Report, message: str, checks: Mapping[str, Check]) -> Report:
    """The report of a check that could not be made: unknown, and why."""
    failed = _with_facts(report, FailedRunFacts(message=message), checks)
    return replace(failed, target=replace(report.target, reason=message))


def _with_facts(report: Report, more: object, checks: Mapping[str, Check]) -> Report:
    evidence = Evidence(
        now=report.question.now, objectives=_NO_OBJECTIVES, facts={type(more): more}
    )
    findings = _ranked((*report.findings, *judge(evidence, checks).findings))
    return replace(report, findings=findings, verdict=verdict_of(findings))


def _find_gain(
    gathered: Gathered, reports: Sequence[BackupReport], tree: TimelineTree, size: int | None
) -> ElsewhereFacts:
    reached = [
        Reached(
            facts=report.facts,
            windows=report.windows,
            restore=gathered.restores.get(report.facts.url),
        )
        for report in reports
    ]
    return find_gain(gathered.archives, gathered.elsewhere, gathered.scan, reached, tree, size)


def _sequence(
    archive: ArchiveFacts, tree: TimelineTree, size: int | None, backups: BackupsFacts | None
) -> SequenceFacts | None:
    if size is None:
        return None
    known = backups.backups if backups and backups.backups else None
    return judge_sequence(archive, tree, size, backups=known)


def _report_backup(
    backup: BackupFacts,
    gathered: Gathered,
    archive: ArchiveFacts | None,
    sequence: SequenceFacts | None,
    tree: TimelineTree,
    size: int | None,
) -> BackupReport:
    """What one backup reaches: by its records where they were read, else by what is listed."""
    state = backup_state(backup, archive, sequence)
    reaches: tuple[Reach, ...] = ()
    windows: tuple[Window, ...] | None = ()
    names_alone = backup.url not in gathered.restores
    if state is BackupState.NOT_RESTORABLE or (names_alone and backup.unlabelled is not None):
        windows = ()
    elif backup.url in gathered.restores:
        windows = predict_windows(gathered.restores[backup.url], tree)
        state = state_by(windows, state)
    elif archive is not None and size is not None:
        found = gathered.scan.damaged if gathered.scan else ()
        damaged = {damage.segment for damage in found if damage.kind not in _NOT_LOOKED_AT}
        usable = (archive.segments.keys() | backup.wal) - damaged
        reaches = tuple(find_reaches(backup, tree, usable, size))
        windows = tuple(window for reach in reaches if (window := window_of(backup, reach)))
        state = state_by(windows, state) if state is BackupState.RESTORABLE else state
    dated = tuple(
        replace(window, verified_at=_oldest_reading(window, gathered)) for window in windows or ()
    )
    return BackupReport(facts=backup, state=state, windows=dated, reaches=reaches)


def _oldest_reading(window: Window, gathered: Gathered) -> datetime | None:
    """When the oldest of a window's segments was read, or where none was, when they were listed."""
    read_at = gathered.scan.read_at if gathered.scan else {}
    times = [read_at[name] for name in window.segments if name in read_at]
    return min(times, default=min((each.listed_at for each in gathered.archives), default=None))


def _judge_target(
    target: Target,
    reports: Sequence[BackupReport],
    archive: ArchiveFacts | None,
    tree: TimelineTree,
) -> TargetFacts:
    """Judge the target from the newest backup that could serve it."""
    answers: list[TargetFacts] = []
    histories = frozenset(archive.histories) if archive else frozenset[int]()
    for report in reversed(reports):
        timeline = resolve_timeline(target, report.facts.label.timeline, tree, histories)
        if timeline is None:
            continue
        reach = next((r for r in report.reaches if r.timeline == timeline), None)
        window = next((w for w in report.windows if w.timeline == timeline), None)
        answers.append(judge_target(target, timeline, report.facts, reach, window))
    if not answers:
        reason = "no base backup was given" if not reports else "there is no such timeline"
        return TargetFacts(
            target=target,
            timeline=None,
            backup=None,
            outcome="unknown" if not reports else "fails",
            reachable=None if not reports else False,
            reason=reason,
            cause=Cause.TIMELINE_MISSING if reports else None,
        )
    order = {True: 0, None: 1, False: 2}
    return min(answers, key=lambda answer: order[answer.reachable])


def _settings(target: TargetFacts, backups: Sequence[BackupFacts]) -> SettingsFacts | None:
    """The configuration that a restore would start with: that of the backup chosen."""
    chosen = target.backup or (backups[-1] if backups else None)
    return chosen.settings if chosen else None


def _read_facts(
    question: Question,
    gathered: Gathered,
    walked: Walked,
    target: TargetFacts,
    tree: TimelineTree,
    size: int | None,
) -> dict[type, object]:
    """What the records say, where they were read."""
    if size is None or question.depth != "records":
        return {}
    carried = find_carried_damage(gathered.restores.values(), tree)
    facts: dict[type, object] = {
        WalEventsFacts: collect_events(walked, tree, size),
        CarriedWalFacts: CarriedWalFacts(damaged=tuple(carried)),
    }
    if target.cause is Cause.NOT_IN_WAL:
        facts[PlacesFacts] = find_places(walked, tree, question.goal)
    return facts


def _findings(
    question: Question, found: Mapping[type, object], checks: Mapping[str, Check]
) -> tuple[Finding, ...]:
    facts = {kind: value for kind, value in found.items() if value is not None}
    evidence = Evidence(now=question.now, objectives=_NO_OBJECTIVES, facts=facts)
    return _ranked(judge(evidence, checks).findings)


def _ranked(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    order = [Severity.CRITICAL, Severity.UNKNOWN, Severity.WARNING, Severity.INFO]
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))


def _restorable(reports: Sequence[BackupReport], backups: BackupsFacts | None) -> bool | None:
    """Some window exists: True. None could be found out: None. Proven that none does: False."""
    states = {report.state for report in reports}
    if BackupState.RESTORABLE in states:
        return True
    if not states or BackupState.UNKNOWN in states or (backups and backups.unreadable):
        return None
    return False


def _verified_at(gathered: Gathered) -> datetime | None:
    times = [archive.listed_at for archive in gathered.archives]
    if gathered.scan and gathered.scan.oldest_read_at:
        times.append(gathered.scan.oldest_read_at)
    return min(times, default=None)
