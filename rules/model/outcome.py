"""What recovery would do: the values that `rules.recovery.predictor.simulate` answers with."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Literal, NamedTuple

from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.facts import Transaction, TransactionKind, instant
from rules.model.counted import counted
from rules.model.restore_inputs import Location

Position = Literal["before", "after", "at"]
StopKind = Literal["commit", "abort", "restore_point", "lsn", "consistency", "end_of_wal"]


class Ending(enum.StrEnum):
    """In which state the server is left when recovery has stopped."""

    PROMOTED = "promoted"  # open for writing, on a new timeline
    PAUSED = "paused"  # open for reading, waiting for pg_wal_replay_resume()
    SHUT_DOWN = "shut_down"  # stopped at the target: the next start continues from there


class Cause(enum.StrEnum):
    """Why a restore does not give the state asked for: each is a finding of its own."""

    BACKUP_NOT_WHOLE = "backup_not_whole"
    INCREMENTAL = "incremental"
    BACKUP_WAL = "backup_wal"  # the WAL ends before the backup is consistent
    BEFORE_BACKUP_END = "before_backup_end"
    AFTER_LAST_COMMIT = "after_last_commit"
    NOT_IN_WAL = "not_in_wal"  # no such transaction, no such restore point
    BEYOND_GAP = "beyond_gap"  # the WAL ends before the target, though more exists
    ENDS_SHORT = "ends_short"  # the same without a target: in silence
    OTHER_TIMELINE = "other_timeline"
    FORK_BEFORE_BACKUP = "fork_before_backup"
    TIMELINE_MISSING = "timeline_missing"
    WAL_MINIMAL = "wal_minimal"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Where replay ends."""

    position: Position
    kind: StopKind
    lsn: int | None  # start of the record; None: consistency was reached inside no known record
    end_lsn: int | None  # its end; None when only its start was read
    xid: int | None = None  # of a commit or abort
    name: str | None = None  # of a restore point
    time_us: int | None = None  # TimestampTz of a commit, an abort or a restore point
    segment: str | None = None  # the file that holds the record's start
    record: str | None = None  # what an LSN target met: "commit of transaction 732", or None

    @property
    def time(self) -> datetime | None:
        return None if self.time_us is None else instant(self.time_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastTransaction:
    """PostgreSQL's "last completed transaction".

    An LSN target that stops after a commit replays it without counting it here, as the server
    does (recoveryStopsAfter returns before it notes the time).
    """

    xid: int
    lsn: int
    time_us: int
    kind: TransactionKind

    @property
    def time(self) -> datetime:
        return instant(self.time_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """What ends the WAL."""

    kind: str  # absent, zeros, recycled, a DamageKind's word, or unread: not checked
    segment: str
    lsn: int  # where the record that cannot be read would start
    detail: str
    kills: bool = False  # the server dies of it instead of taking it for the end of WAL
    fatal: str | None = None  # in these words; None: it does not, or they are not known
    # WAL lies after it that recovery will not see; None: only what nobody could read.
    newer_wal: bool | None = False
    # A record that the server reads whole and does not replay, for the timeline of its page; None:
    # it reads none
    refused_lsn: int | None = None


class Hazard(NamedTuple):
    """A record, or the start, at which the server gives up."""

    lsn: int  # 0: before any record
    fatal: str | None  # None: its words are not known
    reason: str
    remedy: str | None = None  # None: nothing but the general advice
    pauses: bool = False  # it waits there, and gives up when it is resumed
    known: bool = True  # False: whether it gives up cannot be said


class NeededDirectory(NamedTuple):
    """A tablespace's location, which the target machine must have."""

    tablespace: int
    location: str
    lsn: int | None  # of the record that creates the tablespace; None: it is the backup's own
    found: Location | None  # what lies there; None: not checked


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBranch:
    """Commits of a timeline that a recovery along another path does not replay."""

    timeline: int
    lsn: int  # where the two parted
    is_ancestor: bool  # the path left it; else it left the path
    commits: int = 0
    last_us: int = 0  # of the last of them
    segments: tuple[str, ...] = ()  # the files that hold them, .partial as such
    unread: tuple[str, ...] = ()  # files that may hold more of them

    def describe(self) -> str:
        """How many, until when, and where."""
        first, last = self.segments[0], self.segments[-1]
        return tr(
            "{commits} up to {until} in {where}",
            commits=counted(self.commits, "commit"),
            until=instant(self.last_us).isoformat(sep=" "),
            where=first if first == last else tr("{first} to {last}", first=first, last=last),
        )


Verdict = Literal["opens", "fails", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A prediction that a real restore can falsify."""

    outcome: Verdict
    reachable: bool | None  # opens with the state of the instant asked for; None: cannot be said
    reason: str  # one sentence for a person
    fatal: str | None = None  # the server's own words when it fails; None also if not known
    panics: bool = False  # it says them as a PANIC, not as a FATAL
    misses: Cause | None = None  # opens, with another state: in what way
    ending: Ending | None = None  # None unless it opens
    timeline: int | None = None  # the one that recovery_target_timeline means here
    stop: Stop | None = None  # also of a stop that is refused; None: recovery never gets there
    last_transaction: LastTransaction | None = None  # None: none was replayed
    redo_start_lsn: int | None = None  # "redo starts at"; None: it does not
    consistent_lsn: int | None = None  # "consistent recovery state reached at"
    consistent_time_us: int | None = None  # latest commit or abort up to there; None: there is none
    redo_done_lsn: int | None = None  # "redo done at"; None where the server does not say it
    replayed_lsn: int | None = None  # nothing that starts here or after is replayed
    commits: int = 0  # replayed from consistency on
    aborts: int = 0
    new_timeline: int | None = None  # None unless promoted
    segments_needed: tuple[str, ...] = ()  # in the order of replay
    bytes_needed: int = 0
    needs: Mapping[str, str] = field(default_factory=dict)  # settings it holds under
    directories: tuple[NeededDirectory, ...] = ()  # for tablespaces
    paused_lsn: int | None = None  # it waits there, and dies when it is resumed
    remedy: str | None = None  # what to do, where the reason tells it; None: see the finding
    obstacle: Obstacle | None = None  # None: stopped before the WAL ended
    left_behind: tuple[LeftBranch, ...] = ()  # of a time: commits of up to then, elsewhere

    @property
    def severity(self) -> str:
        """Of the server's words, as its log has it."""
        return "PANIC" if self.panics else "FATAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Transactions after the stop with a time before the target's, in the WAL there is."""

    count: int
    first: Transaction
    stop_time_us: int  # of the transaction at which recovery stops
