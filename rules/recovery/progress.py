"""What a recovery has replayed so far."""

from __future__ import annotations

from dataclasses import field

from parsers.values import dataclass
from parsers.wal.facts import Facts, Transaction, Transactions
from parsers.wal.join import TransactionSummary
from rules.model.outcome import LastTransaction
from rules.model.timelines import Fork
from rules.recovery.start import Start
from rules.recovery.stop_point import Consistency


@dataclass(slots=True, kw_only=True)
class ReplayProgress:
    """Grows stretch by stretch, in the order of replay."""

    start: Start
    segments: list[str] = field(default_factory=list)  # the files read, one a segment number
    forks: list[Fork] = field(default_factory=list)  # passed, in order
    redo_start_lsn: int | None = None
    replayed_lsn: int | None = None  # only records that start before it are replayed
    last_lsn: int | None = None  # start of the last record
    end_lsn: int | None = None  # its end
    last_transaction: Transaction | None = None  # "last completed"
    commits: int = 0  # from consistency on
    aborts: int = 0
    backup_end: Consistency | None = None
    consistency: Consistency | None = None
    consistent_time_us: int | None = None  # latest commit or abort, up to consistency at most

    def __post_init__(self) -> None:
        start = self.start
        if not start.needs_backup_end and start.min_recovery_lsn <= start.begin_lsn:
            self.consistency = Consistency(start.min_recovery_lsn, None)  # from the first record on

    @property
    def last_completed(self) -> LastTransaction | None:
        last = self.last_transaction
        if last is None:
            return None
        return LastTransaction(xid=last.xid, lsn=last.lsn, time_us=last.time_us, kind=last.kind)

    def meet_consistency(self, facts: Facts) -> None:
        """See whether the backup becomes consistent in a stretch that has records.

        It does at the end of its XLOG_BACKUP_END and not before the minimum recovery point. The
        latter is always the end of a record.
        """
        if self.consistency is not None:
            return
        for end in facts.backup_ends:
            if end.start_lsn == self.start.backup_start_lsn and self.backup_end is None:
                self.backup_end = Consistency(end.end_lsn, end.lsn)
        consistency = Consistency(self.start.min_recovery_lsn, None)
        if self.start.needs_backup_end:
            if self.backup_end is None:
                return
            consistency = max(self.backup_end, consistency, key=lambda each: each.lsn)
        if facts.end_lsn is not None and facts.end_lsn >= consistency.lsn:
            self.consistency = consistency

    def remember(self, facts: Facts) -> None:
        """Count a stretch as replayed."""
        self._begin(facts)
        self.replayed_lsn = facts.end_lsn
        self.last_lsn, self.end_lsn = facts.last_lsn, facts.end_lsn
        self._count(facts.transactions)
        if facts.transactions:
            self.last_transaction = facts.transactions[-1]

    def count(self, summary: TransactionSummary) -> None:
        """Count the transactions of a stretch in which the backup did not become consistent."""
        if summary.last is None:
            return
        self.last_transaction = summary.last
        if self.consistency is None:
            self.consistent_time_us = max(self.consistent_time_us or 0, summary.latest_us)
        else:
            self.commits += summary.commits
            self.aborts += summary.aborts

    def remember_until(self, facts: Facts, replayed_lsn: int, counted_lsn: int) -> None:
        """Count what starts before `replayed_lsn` in the stretch where recovery stops.

        What starts before `counted_lsn` is also "completed" for the server.
        """
        self._begin(facts)
        self.replayed_lsn = replayed_lsn
        self._count(facts.transactions.before(replayed_lsn))
        completed = facts.transactions.before(counted_lsn)
        if completed:
            self.last_transaction = completed[-1]

    def _begin(self, facts: Facts) -> None:
        if self.redo_start_lsn is None:
            self.redo_start_lsn = facts.first_lsn

    def _count(self, transactions: Transactions) -> None:
        if self.consistency is not None:
            until = transactions.before(self.consistency.lsn)
            later = transactions.from_lsn(self.consistency.lsn)
            aborts = sum(kind & 1 for kind in later.kinds)
            self.commits += len(later) - aborts
            self.aborts += aborts
        else:
            until = transactions
        if until:
            self.consistent_time_us = max(self.consistent_time_us or 0, *until.times_us, 0)
