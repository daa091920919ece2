"""What the laboratory restores to, and where PostgreSQL must stop, from the history's marks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from agent.lab.history import RESTORE_POINT, ROWS, Marks
from agent.lab.stop import RecordedStop
from agent.lab.waldump import Commit
from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.values import dataclass

PROMOTE: Final = "promote"
PAUSE: Final = "pause"
# The time of day that the seed's author meant when he wrote the rows: long before the backup.
FIRST_ATTEMPT: Final = "2025-07-08 08:00:00+00"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabCase:
    """One restore to try, and where it must stop."""

    setting: str  # recovery_target_time, recovery_target_lsn, recovery_target_name
    value: str
    action: str  # PROMOTE or PAUSE
    recorded: RecordedStop  # the truth, from the history's marks
    marked: tuple[str, ...]  # the same for a person, in lines
    rows: tuple[tuple[int, str], ...] = ROWS  # what the table must hold afterwards
    reachable: bool = True  # False: the server opens, but not with the state asked for
    time_between: tuple[datetime, datetime] | None = None  # when only bounds of it are known
    predicted: RecordedStop | None = (
        None  # by pitr-check, before the restore; None: it was not asked
    )

    @property
    def target(self) -> str:
        """time, lsn or name."""
        return self.setting.removeprefix("recovery_target_")

    @property
    def directory(self) -> str:
        return f"{self.target}-{self.action}" if self.reachable else "first-attempt"


def plan_cases(marks: Marks) -> Iterator[LabCase]:
    """The seed's three targets, with promote and with pause; last its first attempt."""
    last = marks.rows.at
    at_time = RecordedStop(
        position="before", kind="commit", xid=marks.late.xid, lsn=marks.late.lsn,
        time=marks.late.at, last_transaction_at=last,
    )  # fmt: skip
    # recoveryStopsAfter returns before it counts the very commit whose LSN was the target: the log
    # has no "last completed transaction" for it, so none is recorded.
    at_lsn = RecordedStop(position="after", kind="lsn", lsn=marks.rows.lsn)
    at_name = RecordedStop(
        position="at", kind="restore_point", name=RESTORE_POINT, lsn=marks.restore_point_lsn,
        last_transaction_at=last,
    )  # fmt: skip
    targets = (
        ("time", marks.target_time.isoformat(" "), at_time, _commit_lines("before", marks.late)),
        ("lsn", format_lsn(marks.rows.lsn), at_lsn, _commit_lines("after", marks.rows)),
        ("name", RESTORE_POINT, at_name, _point_lines(marks)),
    )
    for action in (PROMOTE, PAUSE):
        for kind, value, recorded, marked in targets:
            yield LabCase(
                setting=f"recovery_target_{kind}", value=value, action=action,
                recorded=recorded, marked=marked,
                time_between=marks.restore_point_between if recorded is at_name else None,
            )  # fmt: skip
    yield LabCase(
        setting="recovery_target_time", value=FIRST_ATTEMPT, action=PROMOTE, rows=(),
        reachable=False,
        marked=(*_commit_lines("before", marks.rows), tr("with the backup's own state")),
        recorded=RecordedStop(
            position="before", kind="commit", xid=marks.rows.xid, lsn=marks.rows.lsn,
            time=marks.rows.at,
        ),
    )  # fmt: skip


def _commit_lines(position: str, commit: Commit) -> tuple[str, ...]:
    return (
        tr("{position} the COMMIT of {xid}", position=tr(position), xid=commit.xid),
        tr("at {lsn}", lsn=format_lsn(commit.lsn)),
        commit.at.isoformat(" "),
    )


def _point_lines(marks: Marks) -> tuple[str, ...]:
    earliest, latest = (at.isoformat(" ") for at in marks.restore_point_between)
    return (
        RESTORE_POINT,
        tr("at {lsn}", lsn=format_lsn(marks.restore_point_lsn)),
        tr("{earliest} to {latest}", earliest=earliest, latest=latest.partition(" ")[2]),
    )
