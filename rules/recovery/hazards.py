"""What kills recovery on its way, record by record, and what it wants to go on.

Settings are `rules.recovery.settings`, directories `rules.recovery.tablespaces`. Here are prepared
transactions, timelines that contradict, and a shutdown inside the backup: follows PrepareRedoAdd,
CheckPointTwoPhase and XlogReadTwoPhaseData in twophase.c, checkTimeLineSwitch in xlogrecovery.c,
and xlog_redo in xlog.c. What is not known of the server is not held against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from parsers.lsn import format_lsn
from parsers.segment import segment_of
from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.facts import (
    POSTGRES_EPOCH,
    CheckpointRecord,
    EndOfRecovery,
    Event,
    Facts,
    ParameterChange,
    Prepare,
    RunningTransactions,
    TransactionKind,
)
from rules.model.outcome import Hazard, NeededDirectory
from rules.model.restore_inputs import RestoreInputs
from rules.model.timelines import Fork, path_of, timeline_at
from rules.recovery import server_messages as messages
from rules.recovery.progress import ReplayProgress
from rules.recovery.settings import Settings
from rules.recovery.start import Start
from rules.recovery.tablespaces import Tablespaces

_PREPARED: Final = "max_prepared_transactions"
_NO_RESTARTPOINT: Final = {"checkpoint_timeout": "1d", "max_wal_size": "1TB"}
_CANCELED_REMEDY: Final = tr(
    "Restore an older backup; or, where the backup ended on its own timeline, ask again with"
    " --timeline current (recovery_target_timeline = 'current')."
)


@dataclass(slots=True)
class Snapshot:
    """Does a hot standby know what was open? ProcArrayApplyRecoveryInfo in procarray.c."""

    ready: bool
    pending_xid: int | None = None  # waiting until all up to it have ended; None: for a first one

    def meet(self, running: RunningTransactions) -> None:
        """Take in what was open at one place."""
        complete = not running.overflowed or (
            running.open_count == 0 and self.pending_xid is not None
        )
        if self.pending_xid is not None and not complete:
            complete = _precedes(self.pending_xid, running.oldest_running_xid)
        elif not complete:
            self.pending_xid = running.next_xid - 1
        self.ready = self.ready or complete


def _precedes(xid: int, other: int) -> bool:
    """TransactionIdPrecedes: xids are a circle of 32 bits."""
    return 0 < (other - xid) & 0xFFFFFFFF < 0x8000_0000


class HazardTracker:
    """Follows the records that can kill recovery, in their order."""

    def __init__(self, restore: RestoreInputs, start: Start, progress: ReplayProgress) -> None:
        self._restore = restore
        self._progress = progress
        self._timeline = restore.backup.label.timeline  # being replayed
        self._path = {stretch.timeline for stretch in start.path}
        self._start_redo_lsn = start.redo_lsn
        self._awaits_backup_end = (
            restore.server.signalled and start.needs_backup_end and start.backup_start_lsn != 0
        )
        self._prepared: dict[int, Prepare] = {}  # by xid, while it is open
        self._restart_lsn = 0  # redo location of the last checkpoint replayed, after the start's
        self._written: set[int] = set()  # xids that a restartpoint may have written to disk
        self._restartpoint_kills = False
        self.snapshot = Snapshot(ready=start.from_shutdown)
        self._settings = Settings(restore)
        self._tablespaces = Tablespaces(restore)

    @property
    def needs(self) -> dict[str, str]:
        """Settings without which the server would not have come so far."""
        own = _NO_RESTARTPOINT if self._restartpoint_kills else {}
        return {**self._settings.needs, **self._tablespaces.needs, **own}

    @property
    def directories(self) -> tuple[NeededDirectory, ...]:
        """Of the tablespaces so far."""
        return tuple(self._tablespaces.directories)

    def at_start(self) -> Hazard | None:
        """Before the first record: the settings that the backup's server had."""
        control = self._restore.control
        return self._settings.meet(control) if control else None

    def first(self, facts: Facts, limit_lsn: int | None) -> Hazard | None:
        """The first hazard of a stretch; with a limit, only of what starts before it."""
        limit = limit_lsn if limit_lsn is not None else (facts.end_lsn or 0)
        ended = _ended_prepared(facts)
        for event in facts.events:
            if event.lsn >= limit:
                break
            if isinstance(event, Prepare | CheckpointRecord | EndOfRecovery):
                self._close(ended, event.lsn)
            self._tablespaces.meet_consistency(self._progress.consistency, event.lsn)
            hazard = self._meet(event) or self._tablespaces.meet(event)
            if hazard:
                return hazard
            if isinstance(event, CheckpointRecord | EndOfRecovery):
                self._foresee_restartpoint(event.lsn)
        self._close(ended, limit)
        self._tablespaces.meet_consistency(self._progress.consistency, limit)
        return None

    def at_promotion(self, lsn: int) -> Hazard | None:
        """What is left to go wrong when replay has ended: prepared transactions are taken over."""
        return self._read_prepared(lsn)

    def at_shutdown(self, lsn: int) -> Hazard | None:
        """The same where the server goes down at the target: it makes a restartpoint first.

        CheckPointTwoPhase writes the prepared transactions of before it to disk.
        """
        return self._read_prepared(lsn, self._restart_lsn)

    def _close(self, ended: Mapping[int, int], lsn: int) -> None:
        """Forget prepared transactions that ended before `lsn`."""
        for xid in [xid for xid in self._prepared if ended.get(xid, lsn) < lsn]:
            del self._prepared[xid]

    def _meet(self, event: Event) -> Hazard | None:
        if isinstance(event, RunningTransactions):
            self.snapshot.meet(event)
        if isinstance(event, ParameterChange):
            return self._settings.meet(event, event.lsn, hot=self._is_hot(event.lsn))
        if isinstance(event, Prepare):
            return self._meet_prepare(event)
        if isinstance(event, EndOfRecovery):
            return self._meet_switch(event)
        if isinstance(event, CheckpointRecord) and event.redo_lsn > self._start_redo_lsn:
            self._restart_lsn = event.redo_lsn
        if isinstance(event, CheckpointRecord) and event.shutdown:
            shutdown = self._meet_shutdown(event)  # reads PREPAREs on the timeline replayed so far
            return self._meet_switch(event) or shutdown
        return None

    def _meet_shutdown(self, event: CheckpointRecord) -> Hazard | None:
        """A shutdown checkpoint, which also begins most timelines: nothing was open there."""
        self.snapshot.ready = True
        end = self._progress.backup_end
        if self._awaits_backup_end and (end is None or end.lsn > event.lsn):
            reason = tr(
                "the backup had not ended at {lsn}, where {what}: its end-of-backup record never "
                "follows",
                lsn=format_lsn(event.lsn),
                what=self._shutdown_said(event),
            )
            return Hazard(event.lsn, messages.BACKUP_CANCELED, reason, _CANCELED_REMEDY)
        return self._read_prepared(event.lsn) if self._restore.server.hot_standby else None

    def _shutdown_said(self, event: CheckpointRecord) -> str:
        if event.timeline != event.previous_timeline:
            return tr(
                "timeline {timeline} leaves timeline {previous}",
                timeline=event.timeline,
                previous=event.previous_timeline,
            )
        return tr("its server shut down or crashed")

    def _is_hot(self, lsn: int) -> bool:
        """Tell whether hot standby is active when the record there is replayed."""
        consistency = self._progress.consistency
        return self.snapshot.ready and consistency is not None and consistency.lsn <= lsn

    def _meet_prepare(self, event: Prepare) -> Hazard | None:
        """Count those that are open. Older ones, in the backup's own pg_twophase, come on top."""
        self._prepared[event.xid] = event
        count = len(self._prepared)
        if not self._settings.lacks(_PREPARED, count):
            return None
        reason = tr(
            "{count} prepared transactions are open at {lsn}, {limit} are allowed",
            count=count,
            lsn=format_lsn(event.lsn),
            limit=self._restore.server.parameters[_PREPARED],
        )
        remedy = tr("Set {name} to that of the server that wrote the WAL, or more.", name=_PREPARED)
        return Hazard(event.lsn, messages.PREPARED_FULL, reason, remedy)

    def _foresee_restartpoint(self, lsn: int) -> None:
        """What one would do from here on, if enough time or WAL has passed for it.

        It writes prepared transactions of before its checkpoint to disk, where they are found
        again; where it meets a history that cannot be used, the checkpointer dies, and the server.
        """
        for each in self._ended_before(self._restart_lsn):
            if self._find_prepared(lsn, [each]) is None:
                self._written.add(each.xid)
            elif self._timeline in self._restore.broken_histories:
                self._restartpoint_kills = True

    def _ended_before(self, until_lsn: int | None) -> list[Prepare]:
        return [
            each
            for each in self._prepared.values()
            if until_lsn is None or each.end_lsn <= until_lsn
        ]

    def _read_prepared(self, lsn: int, until_lsn: int | None = None) -> Hazard | None:
        """Find a PREPARE that the server cannot read; only of those that end before `until_lsn`."""
        prepared = self._ended_before(until_lsn)
        hazard = self._find_prepared(lsn, prepared)
        if hazard is None:
            return None
        sure = self._find_prepared(
            lsn, [each for each in prepared if each.xid not in self._written]
        )
        if sure is not None and sure.fatal == hazard.fatal:
            return hazard
        reason = tr(
            "{reason}; unless a restartpoint before has written the transaction to disk",
            reason=hazard.reason,
        )
        return hazard._replace(reason=reason, known=False)

    def _find_prepared(self, lsn: int, prepared: Sequence[Prepare]) -> Hazard | None:
        """Look for their PREPAREs, which may be in a file that the server did not fetch.

        XlogReadTwoPhaseData asks the history of the timeline being replayed for the file; where a
        segment straddles a fork that is still ahead, recovery has fetched the new timeline's.
        """
        broken = self._restore.broken_histories.get(self._timeline)
        if broken is not None and prepared and self._timeline != 1:
            reason = tr(
                "transaction {xid} is prepared and open at {lsn}; to find its PREPARE the server "
                "reads the history of timeline {timeline}, which cannot be used: {why}",
                xid=prepared[0].xid,
                lsn=format_lsn(lsn),
                timeline=self._timeline,
                why=broken.reason,
            )
            return Hazard(lsn, broken.fatal, reason, known=broken.fatal is not None)
        history = self._restore.histories.get(self._timeline)
        path, wal = path_of(self._timeline, history), self._restore.wal
        for xid, number in (
            (each.xid, segment_of(each.lsn, wal.segment_size)) for each in prepared
        ):
            timeline = timeline_at(path, (number + 1) * wal.segment_size - 1)
            name = wal.name(timeline or self._timeline, number)
            if name in self._progress.segments or wal.carried(name) is not None:
                continue
            reason = tr(
                "transaction {xid} is prepared and open at {lsn}; the server looks for its "
                "PREPARE in {name}, but has fetched the file of the next timeline: put {name} "
                "into pg_wal",
                xid=xid,
                lsn=format_lsn(lsn),
                name=name,
            )
            return Hazard(lsn, messages.segment_removed(name), reason)
        return None

    def _meet_switch(self, event: CheckpointRecord | EndOfRecovery) -> Hazard | None:
        if event.timeline == self._timeline:
            return None
        before, self._timeline = self._timeline, event.timeline
        self._progress.forks.append(Fork(event.timeline, before, event.lsn, _time_us(event)))
        switch = {"lsn": format_lsn(event.lsn), "timeline": event.timeline}
        if event.previous_timeline != before:
            fatal = messages.unexpected_previous_timeline(event.previous_timeline, before)
            reason = tr(
                "the record at {lsn} goes to timeline {timeline} from {previous}",
                previous=event.previous_timeline,
                **switch,
            )
            return Hazard(event.lsn, fatal, reason)
        if event.timeline < before or event.timeline not in self._path:
            fatal = messages.unexpected_timeline(event.timeline, before)
            reason = tr(
                "the record at {lsn} goes to timeline {timeline}, which the target's history does "
                "not have",
                **switch,
            )
            return Hazard(event.lsn, fatal, reason)
        return None


def _time_us(event: CheckpointRecord | EndOfRecovery) -> int:
    """When a timeline began. A checkpoint says it in whole seconds of another epoch."""
    if isinstance(event, EndOfRecovery):
        return event.time_us
    return (event.time - int(POSTGRES_EPOCH.timestamp())) * 1_000_000


def _ended_prepared(facts: Facts) -> dict[int, int]:
    """xid of each prepared transaction that ends in the stretch -> where."""
    kinds = facts.transactions.kinds
    if TransactionKind.COMMIT_PREPARED not in kinds and TransactionKind.ABORT_PREPARED not in kinds:
        return {}
    return {
        transaction.xid: transaction.lsn
        for transaction in facts.transactions
        if transaction.kind >= TransactionKind.COMMIT_PREPARED
    }
