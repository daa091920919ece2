"""The settings to paste into postgresql.auto.conf for a restore that was just proven.

Follows the manual's "Archive Recovery" and "Recovery Target" settings, and the quoting of the
configuration file (guc-file.l).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from parsers.lsn import format_lsn
from parsers.sentences import joined
from parsers.wal.facts import instant
from rules.model.facts import BackupFacts
from rules.model.goal import TARGETS, Goal
from rules.recovery.configuration import configuration_comment
from rules.recovery.undo import undo_settings


def settings_block(
    goal: Goal, restore_command: str, needs: Mapping[str, str], backup: BackupFacts
) -> str:
    """One `name = 'value'` a line. The time is written with its zone.

    What would lead a restore of `backup` elsewhere is undone, and what it lacks is a comment.
    """
    given = dict(restore_settings(goal, restore_command, needs))
    undone = undo_settings(backup, given)
    # A target that is unset after the one that is meant would unset it too: the server keeps one.
    settings = {**{name: "" for name in undone if name in TARGETS}, **given, **undone}
    comment = configuration_comment(backup)
    return (
        joined("\n", (comment, settings_lines(settings))) if comment else settings_lines(settings)
    )


def settings_lines(settings: Mapping[str, str]) -> str:
    """One `name = 'value'` a line."""
    return "".join(f"{name} = {_quote(value)}\n" for name, value in settings.items())


def restore_settings(
    goal: Goal, restore_command: str, needs: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """The settings of a restore: (name, value)."""
    yield "restore_command", restore_command
    if goal.time_us is not None:
        at = instant(goal.time_us)
        yield "recovery_target_time", at.strftime("%Y-%m-%d %H:%M:%S.%f+00")
    if goal.lsn is not None:
        yield "recovery_target_lsn", format_lsn(goal.lsn)
    if goal.xid is not None:
        yield "recovery_target_xid", str(goal.xid)
    if goal.name is not None:
        yield "recovery_target_name", goal.name
    if goal.type == "immediate":
        yield "recovery_target", "immediate"
    if goal.type in ("time", "lsn", "xid"):
        yield "recovery_target_inclusive", "on" if goal.inclusive else "off"
    yield "recovery_target_timeline", str(goal.timeline)
    if goal.type != "none":
        yield "recovery_target_action", goal.action
    yield "archive_mode", "off"
    yield from needs.items()


def _quote(value: str) -> str:
    """A line ends a value, so that a line's end within one is an escape (guc-file.l's STRING)."""
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("'", "''")
    return f"'{escaped}'"
