"""The picture of a cluster on a time axis: one lane for each timeline, what can be restored on it.

A value, not yet a drawing: instants and words. What was not looked at has a kind of its own and is
never part of a window. A gap has no time of its own: it is placed between the instants that are
known around it, and says so.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime

from parsers.values import dataclass
from rules.archive.dated_wal import DatedWalFacts, Places
from rules.backup.completeness import BackupState
from rules.model.facts import BackupFacts, ScanFacts
from rules.model.sequence import Gap
from rules.model.timelines import TimelineTree
from rules.model.windows import Window


class SpanKind(enum.StrEnum):
    """What a stretch of time is, in the order of painting."""

    WAL = "wal"  # there is WAL, and no backup from which to replay it
    UNPROVEN = "unproven"  # it may be restorable: not checked deeply enough to say
    WINDOW = "window"  # proven restorable
    UNREAD = "unread"  # segments that could not be read, or not yet
    BEYOND = "beyond"  # archived, and out of reach: WAL before it is missing
    EXPOSED = "exposed"  # in no archive yet
    GAP = "gap"
    DAMAGE = "damage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time on one timeline."""

    kind: SpanKind
    begin: datetime
    end: datetime
    what: str  # one line
    exact: bool = True  # False: it lies somewhere between begin and end
    muted: bool = False  # a gap that no window needs, or that its owner knows of
    count: int = 1  # of what was merged


class MarkKind(enum.StrEnum):
    """What a mark stands for."""

    BACKUP = "backup"
    RESTORE_POINT = "restore_point"
    DRILL = "drill"
    TARGET = "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that has an instant of its own, or several of them that lie close together."""

    kind: MarkKind
    timeline: int
    at: datetime
    until: datetime | None = None  # a backup's end; None: it has none, or it is not known
    state: str = (
        ""  # of a backup: restorable, by_names, not_restorable, unknown; of a drill: agrees, …
    )
    what: str  # one line
    name: str = ""  # of a restore point; a backup's url
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineLane:
    """One timeline."""

    timeline: int
    parent: int | None
    forked_at: datetime | None  # the parent's WAL at the switch; None: not known, or no parent
    begun_at: datetime | None  # its own first record with a time
    spans: tuple[Span, ...]  # to be painted in this order
    marks: tuple[Mark, ...]
    places: Places = ()  # with the number of transactions up to each


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All that can be drawn, from the first known instant to the last."""

    begin: datetime
    end: datetime
    now: datetime
    lanes: tuple[TimelineLane, ...]  # by timeline
    notes: tuple[str, ...] = ()  # what could not be placed, and what stands somewhere between


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenBackup:
    """One backup, and what it reaches."""

    facts: BackupFacts
    state: BackupState
    windows: tuple[Window, ...]  # of one whose state is unknown: empty
    by_names: bool = False  # restorable as far as names tell: its WAL was not read


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of a cluster. None: it was not looked at."""

    now: datetime
    tree: TimelineTree
    segment_size_bytes: int | None
    backups: Sequence[SeenBackup] = ()
    gaps: Sequence[Gap] = ()
    scan: ScanFacts | None = None
    dated: DatedWalFacts | None = None
    exposed_since: datetime | None = None  # what ended after it is in no archive
    beyond_since: datetime | None = None  # until then: archived after a segment that is missing
    beyond: str | None = None  # that segment
    marks: Sequence[Mark] = ()  # targets and drills
