"""What listing alone proves about a recovery target.

Listing proves that a target cannot be reached (the WAL for it is not there); it never proves that
it can: that takes the records. `None` and "unknown" are the answers then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from parsers.lsn import format_lsn, parse_lsn
from parsers.sentences import tr
from parsers.values import dataclass
from rules.model.facts import BackupFacts
from rules.model.outcome import Cause, LeftOut, NeededDirectory, Obstacle, Outcome
from rules.model.repository import Via
from rules.model.timelines import TimelineTree, latest_timeline
from rules.model.windows import Reach, Window

_UNREAD: Final = tr("the records that decide this were not read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A recovery target as PostgreSQL's settings have it."""

    type: str = "none"
    value: str | None = None
    timeline: str = "latest"  # latest, current, or a number
    inclusive: bool = True
    action: str = "promote"
    is_setting: bool = False  # as it stands in a configuration; else as a person typed it
    is_refused: bool = False  # typed so that no server takes it as its setting


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFacts:
    """What recovery from `backup` towards the target would do, as far as it is proven."""

    target: Target
    timeline: int | None = None
    backup: BackupFacts | None = None
    outcome: str = "unknown"  # or opens, fails
    reachable: bool | None = None
    reason: str
    cause: Cause | None = None  # None unless it is proven that it cannot be reached
    prediction: Outcome | None = None  # None where the records were not read
    left_out: LeftOut | None = None  # by a clock that was set back
    fatal: str | None = None  # the message of a tool that refuses to restore; else see `prediction`
    via: Via | None = None  # which restore it is; None: there is no other than the server's own
    other: TargetFacts | None = None  # the other way's answer, where it differs
    best: TargetFacts | None = None  # the tool's restore that reaches it; None: none does

    @property
    def is_proven(self) -> bool:
        """It is known whether the target is reached, by the records that decide it."""
        return self.prediction is not None and self.reachable is not None

    @property
    def end_of_wal(self) -> dict[str, str | None]:
        """The segment at which recovery would end before its target, and the LSN, as evidence."""
        end = self.obstacle
        return {
            "segment": end.segment if end else None,
            "wal_ends_at": format_lsn(end.lsn) if end else None,
        }

    @property
    def directories(self) -> Sequence[NeededDirectory]:
        """Of tablespaces, that the target machine must have."""
        return self.prediction.directories if self.prediction else ()

    @property
    def obstacle(self) -> Obstacle | None:
        """What ends the WAL, where the records were read and recovery comes to its end."""
        return self.prediction.obstacle if self.prediction else None


def resolve_timeline(
    target: Target, base: int, tree: TimelineTree, histories: frozenset[int]
) -> int | None:
    """The number that recovery_target_timeline means here; None for one that does not exist."""
    if target.timeline == "latest":
        return latest_timeline(histories, base)
    if target.timeline == "current":
        return base
    wanted = int(target.timeline)
    return wanted if wanted in tree.timelines or wanted == 1 else None


def unread_target(target: Target, backup: BackupFacts) -> TargetFacts:
    """The answer where a backup that might serve could not be looked into."""
    reason = tr("the backup could not be read whole: {file}", file=backup.unread_files[0])
    return TargetFacts(target=target, backup=backup, reason=reason)


def judge_target(
    target: Target, timeline: int, backup: BackupFacts, reach: Reach | None, window: Window | None
) -> TargetFacts:
    """Judge the target by what is there, for one backup and the reach on its timeline."""

    def answer(
        outcome: str, reachable: bool | None, reason: str, cause: Cause | None = None
    ) -> TargetFacts:
        return TargetFacts(
            target=target,
            timeline=timeline,
            backup=backup,
            outcome=outcome,
            reachable=reachable,
            reason=reason,
            cause=cause,
        )

    if backup.bad_files:
        reason = tr("the backup is not whole: {file}", file=backup.bad_files[0])
        return answer("unknown", False, reason, Cause.BACKUP_NOT_WHOLE)
    if backup.label.incremental_from_lsn is not None:
        reason = tr("the backup is incremental: alone it cannot be restored")
        return answer("fails", False, reason, Cause.INCREMENTAL)
    if reach is None and timeline == backup.label.timeline:
        reason = tr(
            "no WAL from {segment} on is there: the backup needs it",
            segment=backup.label.start_segment,
        )
        return answer("fails", False, reason, Cause.BACKUP_WAL)
    if reach is None:
        reason = tr("timeline {timeline} does not pass through this backup", timeline=timeline)
        return answer("fails", False, reason, Cause.FORK_BEFORE_BACKUP)
    if backup.stop_lsn is None:
        return answer("unknown", None, tr("where the backup ended is not known"))
    if window is None:
        reason = tr(
            "WAL ends at {end} ({obstacle} is not usable), before the backup is consistent "
            "at {consistent}",
            end=format_lsn(reach.end_lsn),
            obstacle=reach.obstacle,
            consistent=format_lsn(backup.stop_lsn),
        )
        return answer("fails", False, reason, Cause.BACKUP_WAL)
    if target.type == "none" and window.obstacle is not None:
        reason = tr(
            "PostgreSQL will take {obstacle} for the end of WAL and open at {lsn} without any "
            "error, although newer WAL exists",
            obstacle=window.obstacle,
            lsn=format_lsn(window.to_lsn),
        )
        return answer("opens", False, reason, Cause.ENDS_SHORT)
    if target.type == "lsn":
        return answer(*_judge_lsn(target, window))
    return answer("unknown", None, _UNREAD)


def _judge_lsn(target: Target, window: Window) -> tuple[str, bool | None, str, Cause | None]:
    lsn = parse_lsn(target.value or "")
    if lsn >= window.to_lsn:
        reason = tr(
            "WAL ends at {end}, before {target}", end=format_lsn(window.to_lsn), target=target.value
        )
        return (
            "fails",
            False,
            reason,
            Cause.BEYOND_GAP if window.obstacle else Cause.AFTER_LAST_COMMIT,
        )
    if lsn < window.from_lsn:
        reason = tr(
            "{target} lies before {consistent}, where the backup becomes consistent: choose an "
            "older backup",
            target=target.value,
            consistent=format_lsn(window.from_lsn),
        )
        return "fails", False, reason, Cause.BEFORE_BACKUP_END
    return "unknown", None, _UNREAD, None
