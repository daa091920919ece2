"""The verdict about one cluster as one value: every output of every program renders this."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from parsers.sentences import tr
from parsers.values import dataclass
from rules.archive.dated_wal import DatedWalFacts
from rules.archive.restore_points import PlacedRestorePoint
from rules.backup.completeness import BackupState
from rules.case.case import Case
from rules.case.context import Asked
from rules.case.derived.listing import ArchiveSequences, Identity, Listings
from rules.case.derived.restores import BackupStates
from rules.case.derived.segments import WalIdentity
from rules.drill.comparison import DrillFacts
from rules.model.evidence import AloneFacts, CopyAlone, SequenceFacts, WindowsFacts
from rules.model.facts import ArchiveFacts, BackupFacts, BackupsFacts, ScanFacts
from rules.model.findings import Finding, Verdict, verdict_of
from rules.model.target import TargetFacts
from rules.model.timelines import TimelineTree
from rules.model.windows import Window
from rules.verdict.causes import lead
from rules.verdict.check import Check
from rules.verdict.judgement import judge_case


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveReport:
    """One archive as it was found."""

    facts: ArchiveFacts
    sequence: SequenceFacts | None
    alone: CopyAlone | None = None  # None: it is the only one, or it was not worked out


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """One backup, and what it reaches."""

    facts: BackupFacts
    state: BackupState
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole answer."""

    asked: Asked
    depth: str
    now: datetime
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
    case: Case  # that all of it is taken from

    @property
    def restore_points(self) -> tuple[PlacedRestorePoint, ...]:
        return self.dated.restore_points


def give_verdict(
    case: Case, checks: Mapping[str, Check], now: datetime, drill: DrillFacts | None = None
) -> Report:
    """Ask every check, and put together what the case says."""
    findings = judge_case(case, checks, now).findings
    return report_of(case, findings, verdict_of(findings), now, drill)


def report_of(
    case: Case,
    findings: Iterable[Finding],
    verdict: Verdict,
    now: datetime,
    drill: DrillFacts | None = None,
) -> Report:
    """Put together what a case says. `findings` are those of its judgement."""
    identity = case.get(Identity) or Identity()
    of_wal = case.get(WalIdentity)
    states, listings = case.get(BackupStates), case.get(Listings)
    return Report(
        asked=case.context.recovery,
        depth=case.context.depth,
        now=now,
        verdict=verdict,
        restorable=states.restorable if states else None,
        system_identifier=of_wal.system_identifier if of_wal else identity.system_identifier,
        segment_size_bytes=identity.segment_size_bytes,
        server_major=of_wal.server_major if of_wal else identity.server_major,
        verified_at=_verified_at(listings, case.get(ScanFacts)),
        archives=tuple(_archives(case, listings)),
        elsewhere=listings.elsewhere if listings else (),
        backups=tuple(_backups(case, states)),
        tree=case.get(TimelineTree) or TimelineTree(timelines={}),
        scan=case.get(ScanFacts),
        dated=case.get(DatedWalFacts) or DatedWalFacts(places={}),
        target=case.get(TargetFacts)
        or TargetFacts(
            target=case.context.recovery.target, reason=tr("it has not been worked out yet")
        ),
        findings=lead(findings),
        drill=drill,
        case=case,
    )


def _archives(case: Case, listings: Listings | None) -> Iterable[ArchiveReport]:
    sequences = case.get(ArchiveSequences)
    if listings is None or sequences is None:
        return
    found = case.get(AloneFacts)
    copies = found.by_archive if found and found.by_archive else (None,) * len(listings.archives)
    for facts, sequence, alone in zip(listings.archives, sequences.by_archive, copies, strict=True):
        yield ArchiveReport(facts=facts, sequence=sequence, alone=alone)


def _backups(case: Case, states: BackupStates | None) -> Iterable[BackupReport]:
    found, windows = case.get(BackupsFacts), case.get(WindowsFacts)
    for facts in found.backups if found and states else ():
        assert states is not None
        reached = windows.by_backup.get(facts.url) if windows else None
        state = states.by_backup[facts.url]
        yield BackupReport(facts=facts, state=state, windows=reached or ())


def _verified_at(listings: Listings | None, scan: ScanFacts | None) -> datetime | None:
    times = [archive.listed_at for archive in listings.archives] if listings else []
    if scan and scan.oldest_read_at:
        times.append(scan.oldest_read_at)
    return min(times, default=None)
