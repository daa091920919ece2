"""One watched cluster: its sources, the last reading of each, and what the checks say of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any, Final, TypeVar

from agent.archive.directory import list_archive
from agent.archive.limits import Limits
from agent.archive.scanner import SegmentReader, files_of, segments_to_read
from agent.archive.wal import make_restores
from agent.backups.find import read_backups
from agent.clock import clock_step
from agent.config import ClusterConfig
from agent.deadline import Worker
from agent.expected import expected_facts
from agent.explain import explain
from agent.ledger.store import Ledger
from agent.over_time import OverTime
from agent.pollers.lane import ServerLane, is_unreachable
from agent.pollers.registry import POLLERS, Lane
from agent.reading import Reading
from agent.recovery_log import RecoveryLog
from agent.restored import RestoredAlerts
from agent.segments import SEGMENT_FACTS, look_into, predict_all
from agent.sources import failing_sources, log_changes
from agent.watch.progress import Progress
from rules.alert_state import Alerts, advance, shift
from rules.archive import (
    find_absent,
    judge_sequence,
    merge_archives,
    segment_size_of,
    timeline_tree,
)
from rules.backups import BackupState, backup_state, close_backups, state_by
from rules.check import Check, judge
from rules.drills import DrillsFacts
from rules.evidence import AbsentFacts, Evidence, SequenceFacts, WindowsFacts
from rules.exposure import KeptTrail
from rules.facts import (
    ArchiveFacts,
    ArchiverFacts,
    ArchiveStatusFacts,
    BackupsFacts,
    ControlFacts,
    PositionFacts,
)
from rules.findings import Finding, Severity, Verdict, verdict_of
from rules.restore import RestoresFacts
from rules.restore_facts import LoggedRecovery, RestoreFacts

log: Final = logging.getLogger("pitr.cluster")

T = TypeVar("T")

# How loud a finding is in the log.
_LEVELS: Final = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.UNKNOWN: logging.WARNING,
    Severity.CRITICAL: logging.ERROR,
}

# Called with the cluster's name and its alerts before and after a judgement.
OnAlerts = Callable[[str, Alerts, Alerts], None]

# Facts that are worked out from others as soon as these are read.
_DERIVED: Final[Mapping[type, tuple[type, ...]]] = {
    ArchiveFacts: (SequenceFacts, AbsentFacts, WindowsFacts, RestoresFacts, *SEGMENT_FACTS),
    BackupsFacts: (WindowsFacts, RestoresFacts),
}


class WatchedCluster:
    """The state of one cluster. Its coroutines are the scheduler's jobs, and never raise."""

    def __init__(
        self,
        config: ClusterConfig,
        checks: Mapping[str, Check],
        *,
        alerts: Alerts | None = None,
        trail: KeptTrail | None = None,
        on_alerts: OnAlerts = lambda name, before, after: None,
        ledger: Ledger | None = None,
    ) -> None:
        self.config = config
        self.name = config.name
        self.checks = checks
        self.objectives = config.wanted(datetime.now(UTC))
        self.readings: dict[str, Reading] = {}
        self.facts: dict[type, Any] = {}
        self.findings: dict[str, tuple[Finding, ...]] = {}
        self.known: Mapping[str, bool] = {}
        self.judged_at: datetime | None = None
        self.judged_monotonic: float | None = None  # the same instant, of a clock that never steps
        self.changes_count = 0  # of all that others see
        self.alerts: Alerts = alerts or {}
        self._restored = RestoredAlerts(self.alerts, checks, config)
        self._on_alerts = on_alerts
        limits = Limits(bytes_per_second=config.io_limit, reverify_seconds=config.reverify)
        self._reader = SegmentReader(ledger=ledger, limits=limits)
        self._acknowledged = tuple(gap.facts() for gap in config.acknowledged_gaps)
        timeout = config.timeout or 10.0
        self._timeout_seconds = timeout
        self._lanes = {
            lane: (ServerLane(config.dsn, timeout), Worker(f"{config.name}/{lane.value}"))
            for lane in Lane
            if config.dsn
        }
        self._workers = {
            source: Worker(f"{config.name}/{source}")
            for source in ("archive", "backups", "windows", "log")
        }
        self.over_time = OverTime(trail, poll_seconds=config.poll)
        self._expected = expected_facts(config)
        self._log = RecoveryLog(config) if config.log else None

    # -- what others see -------------------------------------------------------------------------

    def fact(self, kind: type[T]) -> T | None:
        """The last facts of this kind, None when their last reading failed."""
        return self.facts.get(kind)

    @property
    def events(self) -> Mapping[str, int]:
        """How often each recovery event came into the log since the agent did."""
        return self._log.events if self._log is not None else {}

    @property
    def server_answers(self) -> bool | None:
        """None without a dsn, and before the first poll ended."""
        reading = self.readings.get("positions")
        return None if reading is None else reading.succeeded

    @property
    def verdict(self) -> Verdict:
        """The worst that is known; unknown while nothing was judged, or a check is blind."""
        blind = self.judged_at is None or not all(self.known.values())
        return verdict_of((f for found in self.findings.values() for f in found), blind=blind)

    @property
    def timelines(self) -> list[int]:
        archive = self.fact(ArchiveFacts)
        return sorted({int(name[:8], 16) for name in archive.segments}) if archive else []

    @property
    def segment_size_bytes(self) -> int | None:
        control, backups = self.fact(ControlFacts), self.fact(BackupsFacts)
        if control is not None:
            return control.segment_size_bytes
        return segment_size_of(self.fact(ArchiveFacts), backups.backups if backups else ())

    @property
    def kept_trail(self) -> KeptTrail | None:
        """What the next agent needs to know to say at once what is exposed since when."""
        return self.over_time.kept_trail

    @property
    def restore_progress(self) -> Progress:
        return self.over_time.progress(self.fact(RestoreFacts))

    def backup_states(self, backups: BackupsFacts) -> dict[str, int]:
        """How many backups are in each state; each state is there, if with 0."""
        counts = {state.value: 0 for state in BackupState}
        archive, sequence = self.fact(ArchiveFacts), self.fact(SequenceFacts)
        predicted = self.fact(WindowsFacts)
        for backup in backups.backups:
            state = backup_state(backup, archive, sequence)
            if predicted and backup.url in predicted.by_backup:
                state = state_by(predicted.by_backup[backup.url], state)
            counts[state.value] += 1
        counts[BackupState.UNKNOWN.value] += len(backups.unreadable)
        return counts

    # -- jobs ------------------------------------------------------------------------------------

    async def poll_server(self, lane: Lane) -> None:
        """Ask the pollers of one lane, one after the other."""
        connection, worker = self._lanes[lane]
        for poller in (entry for entry in POLLERS if entry.lane is lane):
            taken = await self._take(
                poller.name, poller.facts, worker, partial(connection.poll, poller)
            )
            if isinstance(taken, PositionFacts):
                self.over_time.note(taken)
        self.judge()

    async def scan(self) -> None:
        """List the archives and the backups, judge them, and read the segments not read yet."""
        witnesses = self.fact(ArchiverFacts), self.fact(ArchiveStatusFacts)
        archive, backups = await asyncio.gather(self._list_archives(), self._read_backups())
        if archive is not None and backups is not None:
            self.facts[BackupsFacts] = close_backups(backups, archive.backup_labels)
        if archive is not None:
            self._judge_listing(archive, *witnesses)
            self.judge()
            await self._read_segments(archive)
        self.judge()

    async def _list_archives(self) -> ArchiveFacts | None:
        urls = [archive.url for archive in self.config.archives]
        if not urls:
            return None
        return await self._take(
            "archive", ArchiveFacts, self._workers["archive"], partial(_list_archives, urls)
        )

    async def _read_backups(self) -> BackupsFacts | None:
        if self.config.backups is None:
            return None
        url, worker = self.config.backups.url, self._workers["backups"]
        return await self._take("backups", BackupsFacts, worker, partial(read_backups, url))

    async def read_log(self) -> None:
        """Follow the server log: count its recovery events, keep what became of a restore."""
        assert self._log is not None
        await self._take("log", LoggedRecovery, self._workers["log"], self._log.read)
        self.judge()

    def take_drills(self, drills: DrillsFacts | None) -> None:
        """Judge anew with what the drills have shown; None: it is not drilled."""
        if drills is not None:
            self.facts[DrillsFacts] = drills
            self.judge()

    def mute(self) -> None:
        """Say nothing more: another takes its place, or nobody watches it."""
        self._on_alerts = lambda name, before, after: None

    def close(self) -> None:
        for connection, worker in self._lanes.values():
            if not worker.hangs:
                connection.close()
        self._reader.close()

    # -- how ------------------------------------------------------------------------------------

    async def _take(
        self,
        collector: str,
        kind: type | None,
        worker: Worker,
        read: Callable[[], T],
        *,
        deadline_seconds: float | None = None,
    ) -> T | None:
        """Take a reading within its deadline (the cluster's `timeout`), and keep it.

        Gives None when it failed.
        """
        started_at, started = datetime.now(UTC), monotonic()
        result, error, unreachable = None, None, False
        try:
            result = await worker.run(deadline_seconds or self._timeout_seconds, read)
        except Exception as failure:  # the boundary of a job: everything becomes "unknown"
            error, unreachable = explain(failure), is_unreachable(failure)
        self._keep(
            Reading(
                collector=collector,
                started_at=started_at,
                duration_seconds=monotonic() - started,
                facts=result,
                error=error,
                unreachable=unreachable,
            ),
            kind,
        )
        return result

    def _keep(self, reading: Reading, kind: type | None) -> None:
        before = failing_sources(self.readings)
        self.readings[reading.collector] = reading
        self.changes_count += 1
        if kind is not None:
            if reading.succeeded:
                self.facts[kind] = reading.facts
            else:
                self._forget(kind, *_DERIVED.get(kind, ()))
        log_changes(self.name, before, self.readings)

    def _judge_listing(
        self,
        archive: ArchiveFacts,
        archiver: ArchiverFacts | None,
        status: ArchiveStatusFacts | None,
    ) -> None:
        self._forget(SequenceFacts, AbsentFacts)
        size = self.segment_size_bytes
        if size is not None:
            backups = self.fact(BackupsFacts)
            self.facts[SequenceFacts] = judge_sequence(
                archive,
                timeline_tree(archive, backups.backups if backups else ()),
                size,
                backups=backups.backups if backups else None,
                waiting=status.ready if status else (),
                acknowledged=self._acknowledged,
            )
        if archiver is not None and status is not None:
            self.facts[AbsentFacts] = find_absent(archive, archiver, status)

    async def _read_segments(self, archive: ArchiveFacts) -> None:
        """Read what the listing names and no earlier round has read."""
        depth, size = self.config.depth, self.segment_size_bytes
        if depth is None or depth == "names":
            return
        if size is None:
            self._forget(WindowsFacts, RestoresFacts, *SEGMENT_FACTS)
            return
        found = self.fact(BackupsFacts)
        backups = found.backups if found else ()
        files = segments_to_read(archive, backups)
        readings = await self._reader.read(
            archive, files, size, depth, budget_seconds=self.config.scan
        )
        await self._reader.forget_all_but(files_of(archive))
        control = self.fact(ControlFacts)
        tree = timeline_tree(archive, backups)
        identifier = control.system_identifier if control else None
        looked = await self._take(
            "segments",
            None,
            self._workers["windows"],
            partial(look_into, readings, depth, tree, size, identifier),
            deadline_seconds=self.config.scan,
        )
        self._forget(*SEGMENT_FACTS)
        self.facts |= looked or {}
        if depth == "records" and found is not None:
            restores = make_restores(archive, readings, backups, on_this_machine=False)
            self.facts[RestoresFacts] = RestoresFacts(
                listed_at=archive.listed_at, by_backup=restores
            )
            # Worked out, not read: it may take as long as there is until the next scan.
            await self._take(
                "windows",
                WindowsFacts,
                self._workers["windows"],
                partial(predict_all, backups, restores, tree),
                deadline_seconds=self.config.scan,
            )

    def _forget(self, *kinds: type) -> None:
        for kind in kinds:
            self.facts.pop(kind, None)

    def judge(self) -> None:
        """Ask every check with what is known now."""
        now = datetime.now(UTC)
        for kind, value in self.over_time.work_out(self.facts, self.readings, now).items():
            if value is None:
                self.facts.pop(kind, None)
            else:
                self.facts[kind] = value
        judgement = judge(
            Evidence(
                now=now,
                objectives=self.objectives,
                facts=self.facts,
                expected=self._expected | self.over_time.expected(self.facts),
            ),
            self.checks,
        )
        self.known = judgement.known
        stepped = clock_step(now, self.judged_at, self.judged_monotonic)
        self.judged_at, self.judged_monotonic = now, monotonic()
        before, heard = (
            shift(self.alerts, stepped),
            self._restored.blind(judgement, self.readings, self.facts),
        )
        self.alerts = advance(before, heard, self.checks, now)
        self._on_alerts(self.name, before, self.alerts)
        self.changes_count += 1
        for check in self.findings.keys() - judgement.known.keys():
            self._report(check, ())  # it does not apply any more
        for check, known in judgement.known.items():
            if known:
                self._report(check, [f for f in judgement.findings if f.id == check])

    def _report(self, check: str, findings: Sequence[Finding]) -> None:
        before = self.findings.get(check, ())
        if findings and not before:
            for finding in findings:
                level = _LEVELS[finding.severity]
                log.log(level, "%s: %s: %s", self.name, check, finding.summary)
        elif before and not findings:
            log.info("%s: %s: resolved", self.name, check)
        self.findings[check] = tuple(findings)


def _list_archives(urls: Sequence[str]) -> ArchiveFacts:
    return merge_archives([list_archive(url) for url in urls])
