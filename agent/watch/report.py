"""A restore as JSON: one object an event, the summary last. The contract of `--format json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from agent.watch.notices import Notice
from parsers.errors import Unparsed
from parsers.log_stream import StreamItem
from parsers.lsn import format_lsn
from parsers.recovery_events import RecoveryEvent
from rules.outcome import Outcome
from rules.restore_summary import Summary

_OWN_KEYS: Final = frozenset({"at", "event", "source"})


def render_item(item: StreamItem | Notice) -> str:
    """One line for one thing that the log said, or that the watcher has to say."""
    if isinstance(item, Notice):
        return _dump(notice_document(item))
    if isinstance(item, Unparsed):
        return _dump(
            {"at": None, "event": "unparsed", "source": "log",
             "text": item.text, "reason": item.reason}
        )  # fmt: skip
    return _dump(event_document(item, "log"))


def notice_document(notice: Notice) -> dict[str, Any]:
    """A prediction, something foreseen, a stall, a contradiction."""
    document: dict[str, Any] = {
        "at": _instant(notice.at),
        "event": notice.event,
        "source": notice.source,
        "text": notice.text,
    }
    if notice.event == "foreseen":
        document["fails"] = notice.fails
    if notice.event in ("foreseen", "stalled"):
        document["next_command"] = notice.next_command
    if notice.stall_kind is not None:
        document["kind"] = notice.stall_kind
    if notice.outcome is not None:
        document |= _outcome(notice.outcome)
    return document


def _outcome(outcome: Outcome) -> dict[str, Any]:
    """A prediction, in the words of pitr-check's target."""
    stop = outcome.stop
    return {
        "outcome": outcome.outcome,
        "reachable": outcome.reachable,
        "ending": outcome.ending.value if outcome.ending else None,
        "fatal": outcome.fatal,
        "reason": outcome.reason,
        "stop": {
            "position": stop.position if stop else None,
            "kind": stop.kind if stop else None,
            "xid": stop.xid if stop else None,
            "lsn": _lsn(stop.lsn if stop else None),
            "time": _instant(stop.time if stop else None),
            "name": stop.name if stop else None,
        },
        "new_timeline": outcome.new_timeline,
    }


def event_document(event: RecoveryEvent, source: str) -> dict[str, Any]:
    """The event's own fields beside `at`, `event` and `source`."""
    document: dict[str, Any] = {"at": _instant(event.at), "event": event.name, "source": source}
    document |= {
        name: _value(name, value) for name, value in event.fields.items() if name not in _OWN_KEYS
    }
    if event.severity not in ("", "LOG"):
        document |= {"severity": event.severity, "message": event.message}
    if event.detail:
        document["detail"] = event.detail
    if event.hint:
        document["hint"] = event.hint
    if not event.proven:
        document["unproven"] = True
    return document


def render_summary(summary: Summary) -> str:
    """The last line: the contract's summary object."""
    return _dump(summary_document(summary))


def summary_document(summary: Summary) -> dict[str, Any]:
    """The contract's summary, every key always there."""
    target, stop = summary.target, summary.stop
    return {
        "event": "summary",
        "outcome": summary.outcome,
        "reached_target": summary.reached_target,
        "target": {"type": target.type, "value": _target_value(target.type, target.value)},
        "redo_start_lsn": _lsn(summary.redo_start_lsn),
        "consistent_lsn": _lsn(summary.consistent_lsn),
        "stop": {
            "position": stop.position,
            "kind": stop.kind,
            "xid": stop.xid,
            "lsn": _lsn(stop.lsn),
            "time": _instant(stop.time),
            "name": stop.name,
        },
        "redo_done_lsn": _lsn(summary.redo_done_lsn),
        "last_transaction_at": _instant(summary.last_transaction_at),
        "new_timeline": summary.new_timeline,
        "restored_segments": list(summary.restored_segments),
        "missing_files": list(summary.missing_files),
        "fatal_message": summary.fatal_message,
        "cause": summary.cause,
        "next_command": summary.next_command,
    }


def _target_value(kind: str | None, value: str | int | datetime | None) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return _instant(value)
    return format_lsn(value) if kind == "lsn" and isinstance(value, int) else str(value)


def _value(name: str, value: str | int | datetime | None) -> str | int | None:
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, int) and (name == "lsn" or name.endswith("_lsn")):
        return format_lsn(value)
    return value


def _lsn(lsn: int | None) -> str | None:
    return None if lsn is None else format_lsn(lsn)


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds")


def _dump(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False)
