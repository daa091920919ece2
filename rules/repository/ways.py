"""The target by the tool's own restore, and by a restore_command that only brings what is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from parsers.sentences import tr
from rules.model.facts import BackupFacts
from rules.model.outcome import Cause
from rules.model.target import TargetFacts
from rules.recovery.prediction import is_whole
from rules.repository import barman, pgbackrest, walg
from rules.repository.tool_view import ToolView


class _Tool(NamedTuple):
    choose: Callable[[ToolView], str | TargetFacts]
    predict: Callable[[ToolView, BackupFacts], TargetFacts]


_TOOLS: Final = {
    "pgBackRest": _Tool(pgbackrest.choose, pgbackrest.predict),
    "Barman": _Tool(barman.choose, barman.predict),
    "barman-cloud": _Tool(walg.choose, walg.predict_with_partials),
    "WAL-G": _Tool(walg.choose, walg.predict),
}


def answer_both_ways(view: ToolView, plain: TargetFacts) -> TargetFacts:
    """The answer for the way that is meant, and the other one where it differs.

    `plain` is what a restore_command gives from the best backup.
    """
    own = _by_tool(view)
    best = _best(view, own, plain)
    plain = replace(plain, via="restore_command")
    meant, other = (own, plain) if view.way.via == "tool" else (plain, own)
    return replace(meant, other=None if _told(meant) == _told(other) else other, best=best)


def _by_tool(view: ToolView) -> TargetFacts:
    tool = _TOOLS[view.repository.tool]
    label = view.read.chosen or tool.choose(view)
    if isinstance(label, TargetFacts):
        return replace(label, via="tool")
    return replace(_predict(view, label), via="tool")


def _predict(view: ToolView, label: str) -> TargetFacts:
    """What the tool's restore of one backup comes to, if the tool and the backup allow it."""
    backup, listed = view.backup(label), view.listed(label)
    if backup is None:
        return view.unknown(
            tr(
                "backup {label}, which {tool} takes, was not read",
                label=label,
                tool=view.repository.tool,
            )
        )
    if listed is not None and listed.refused is not None:
        return view.refusal(listed.refused, backup, Cause.BACKUP_NOT_WHOLE)
    if not is_whole(backup):
        why = backup.bad_files[0] if backup.bad_files else tr("it is incremental")
        return view.refusal(
            tr("backup {label}: {why}", label=label, why=why), backup, Cause.BACKUP_NOT_WHOLE
        )
    if backup.unread_files or backup.url not in view.restores:
        return view.unknown(tr("backup {label} could not be read whole", label=label))
    return _TOOLS[view.repository.tool].predict(view, backup)


def _best(view: ToolView, own: TargetFacts, plain: TargetFacts) -> TargetFacts | None:
    """The tool's restore of the backup that reaches the target; None: none does."""
    if own.reachable:
        return own
    if not plain.reachable or plain.backup is None or plain.backup.stored is None:
        return None
    told = _predict(view, plain.backup.stored.label)
    return replace(told, via="tool") if told.reachable else None


def _told(answer: TargetFacts) -> tuple[object, ...]:
    """What two answers are compared by: how it ends and where, not from which backup."""
    end = answer.prediction
    stop = end.stop if end else None
    return (
        answer.outcome,
        answer.reachable,
        (stop.kind, stop.lsn, stop.xid) if stop else None,
        end.replayed_lsn if end and answer.outcome == "opens" else None,
        end.new_timeline is None if end else None,
    )
