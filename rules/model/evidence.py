"""The evidence that a check is given: facts by their type, and which of them should be there.

A fact that is expected and absent makes its checks *unknown*; one that is not configured makes
them not applicable. The two are never merged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.facts import ParameterChange, RelationTruncate
from rules.model.facts import DamagedSegment, Objectives
from rules.model.sequence import Gap
from rules.model.windows import Window

T = TypeVar("T")


class KnownFacts(Protocol):
    """What gives facts by their type, None for one that is not known: a case, a mapping."""

    def get(self, kind: type[T], /) -> T | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceFacts:
    """The gaps of the archive, each with its class. Derived from the listing."""

    gaps: tuple[Gap, ...]
    segment_size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedFacts:
    """How the writing of signed statements went last, where they are to be written."""

    directory: str
    failure: str | None  # why the last one was not written; None: it was


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsFacts:
    """What each backup reaches, by its url. None: it cannot be said whether it reaches anything."""

    by_backup: Mapping[str, tuple[Window, ...] | None]

    @property
    def windows(self) -> tuple[Window, ...]:
        return tuple(w for windows in self.by_backup.values() for w in windows or ())

    @property
    def latest(self) -> Window | None:
        """The window that reaches furthest; its earliest sister, where several backups reach it."""
        timed = [w for w in self.windows if w.to_time is not None]
        if not timed:
            return None
        last = max(timed, key=lambda w: (w.to_time, w.to_lsn))
        same = [w for w in timed if (w.timeline, w.to_lsn) == (last.timeline, last.to_lsn)]
        return min(same, key=lambda w: w.from_lsn)

    @property
    def latest_end(self) -> Window | None:
        """The same where no times are known: the window that reaches the highest LSN."""
        return self.latest or max(self.windows, key=lambda w: w.to_lsn, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyAlone:
    """What one of several archives would reach without the others."""

    url: str
    windows: WindowsFacts
    unread_count: int  # segments whose file here was not read: another archive's was
    lacking: tuple[str, ...]  # that a restore could need and another archive has had for a while
    bad: tuple[str, ...]  # that are whole in another archive only

    @property
    def restorable(self) -> bool | None:
        """Whether a backup can be restored from it; None: it is not known."""
        if self.windows.windows:
            return None if self.unread_count else True
        return None if None in self.windows.by_backup.values() else False

    @property
    def in_words(self) -> str:
        """How far one gets with it, for a person."""
        if self.restorable is False:
            return tr("from this copy alone no backup can be restored")
        end = self.windows.latest_end
        if end is None:
            return tr("what this copy alone reaches is not known")
        point = format_lsn(end.to_lsn)
        at = f"{end.to_time:%Y-%m-%d %H:%M:%S %Z} ({point})" if end.to_time else point
        if not self.unread_count:
            return tr("from this copy alone: to {at}", at=at)
        return tr(
            "from this copy alone: to {at}, unless one of {count} files not read is bad",
            at=at,
            count=self.unread_count,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AloneFacts:
    """Each of several archives by itself, in their order. Of a single one there is none."""

    by_archive: tuple[CopyAlone, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentFacts:
    """Segments that the server says it has archived and that the listing taken later lacks."""

    segments: tuple[str, ...]
    witness: str  # who says so: pg_stat_archiver, archive_status/*.done


@dataclass(frozen=True, slots=True, kw_only=True)
class OccupiedName:
    """A segment that could not be archived, and a file of its name that the archive has."""

    name: str
    path: str  # in the archive
    same: bool | None  # whether it holds what the server's has; None: it could not be compared
    why_unknown: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCrashFacts:
    """A crash in native code that ended the agent while it read segments."""

    crashed_at: datetime
    place: str  # the signal and the innermost call, as Segmentation fault in walk_segment
    marker: str  # path of the file that says so: until it is removed, the numpy engine reads


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorsFacts:
    """How the last reading of each source went."""

    failing: Mapping[str, str]  # collector -> why, one line


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRunFacts:
    """A check on request that ended before its verdict."""

    message: str  # one line: what could not be read, where


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedFacts:
    """What ended in an error of its own: checks of this judgement, jobs of the agent."""

    errors: Mapping[str, str]  # check -> what and where, one line
    jobs: Mapping[str, str] = field(default_factory=dict)  # the same, by job


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueFacts:
    """The agent's jobs whose rounds do not come, or do not end."""

    jobs: Mapping[str, datetime]  # job -> when its last round ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What WAL outside the archives adds to one backup's window on one timeline."""

    backup: str
    timeline: int
    from_lsn: int | None  # where the window would end without it; None: there would be none
    to_lsn: int
    from_time: datetime | None = None  # of the last commit then; None: not known, or there is none
    to_time: datetime | None = None
    commits: int | None = None  # that it adds; None where records were not read


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyStep:
    """One file to copy into the archive."""

    directory: str  # where it lies, or the tar that it is a member of
    stored: str  # its name there: of an unfinished segment with .partial
    name: str  # the name that recovery asks for
    replaces: bool  # the archive has a file of that name, which cannot be used


@dataclass(frozen=True, slots=True, kw_only=True)
class ElsewhereFacts:
    """WAL that lies in no archive, and what it adds."""

    urls: tuple[str, ...]
    segments: tuple[str, ...]  # that no archive has
    gains: tuple[Gain, ...]
    copies: tuple[CopyStep, ...] = ()  # what the gains need
    recycled: tuple[str, ...] = ()  # future names, older content: not to be copied
    destination: str | None = None  # the archive to copy to; None: none was named


class Place(NamedTuple):
    """Where the WAL has what a target asks for."""

    timeline: int
    lsn: int
    time_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacesFacts:
    """Every place of a transaction or restore point that recovery would not come by."""

    places: tuple[Place, ...]
    near: tuple[str, ...] = ()  # restore points with a name much like the one that is nowhere


class CarriedDamage(NamedTuple):
    """A damaged segment in a backup's own pg_wal."""

    backup: str
    damage: DamagedSegment
    archived: bool  # the archive has a segment of that name


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedWalFacts:
    """What is wrong with the WAL that the backups bring along."""

    damaged: tuple[CarriedDamage, ...]


class TimelineBegin(NamedTuple):
    """The record with which a server began a timeline."""

    timeline: int  # that the file is of
    lsn: int
    time_us: int


class Branch(NamedTuple):
    """When a timeline was written to where no other continues it: TimestampTz."""

    timeline: int
    other: int
    first_us: int
    last_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WalEventsFacts:
    """What the WAL that was read says of the servers that wrote it, each with its timeline."""

    parameter_changes: tuple[tuple[int, ParameterChange], ...] = ()
    full_pages_off: tuple[tuple[int, int], ...] = ()  # (timeline, LSN): from here on
    begins: tuple[TimelineBegin, ...] = ()
    reused: tuple[TimelineBegin, ...] = ()  # that do not begin where the history says
    at_once: tuple[Branch, ...] = ()  # timelines that were written to while others were
    vacuum_truncations: tuple[tuple[int, RelationTruncate], ...] = ()  # what VACUUM cut short
    resource_managers: frozenset[int] = frozenset()  # that wrote records, by number


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known at `now`, and what should be."""

    now: datetime
    objectives: Objectives
    facts: Mapping[type, Any] = field(default_factory=dict)
    expected: frozenset[type] = frozenset()

    def absent(self, needs: Iterable[type]) -> list[type]:
        return [need for need in needs if need not in self.facts]
