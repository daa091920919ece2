"""A restore as JSON: one object an event, the summary last. The contract of `--format json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from agent.documents.values import json_lsn, json_time
from agent.watch.notice import Notice
from parsers.errors import Unparsed
from parsers.log.recovery_events import RecoveryEvent
from parsers.log.stream import StreamItem
from parsers.lsn import format_lsn
from rules.live.summary import ReachedStop, Summary
from rules.model.outcome import Outcome, Stop
from rules.verdict.live import Explanation

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
        "at": json_time(notice.at),
        "event": notice.event,
        "source": notice.source,
        "text": notice.text,
    }
    if notice.event == "foreseen":
        document["fails"] = notice.fails
    if notice.event in ("foreseen", "stalled"):
        document["next_command"] = notice.remedy
    if notice.stall_kind is not None:
        document["kind"] = notice.stall_kind
    if notice.outcome is not None:
        document |= _outcome(notice.outcome)
    return document


def _outcome(outcome: Outcome) -> dict[str, Any]:
    """A prediction, in the words of pitr-check's target."""
    return {
        "outcome": outcome.outcome,
        "reachable": outcome.reachable,
        "ending": outcome.ending.value if outcome.ending else None,
        "fatal": outcome.fatal,
        "reason": outcome.reason,
        "stop": _stop(outcome.stop or ReachedStop()),
        "new_timeline": outcome.new_timeline,
    }


def _stop(stop: ReachedStop | Stop) -> dict[str, Any]:
    return {
        "position": stop.position,
        "kind": stop.kind,
        "xid": stop.xid,
        "lsn": json_lsn(stop.lsn),
        "time": json_time(stop.time),
        "name": stop.name,
    }


def event_document(event: RecoveryEvent, source: str) -> dict[str, Any]:
    """The event's own fields beside `at`, `event` and `source`."""
    document: dict[str, Any] = {"at": json_time(event.at), "event": event.name, "source": source}
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


def render_summary(summary: Summary, explanation: Explanation) -> str:
    """The last line: the contract's summary object, every key always there."""
    target = summary.target
    value = _value(target.type or "", target.value)
    return _dump({
        "event": "summary",
        "outcome": summary.outcome,
        "reached_target": summary.reached_target,
        "target": {"type": target.type, "value": None if value is None else str(value)},
        "redo_start_lsn": json_lsn(summary.redo_start_lsn),
        "consistent_lsn": json_lsn(summary.consistent_lsn),
        "stop": _stop(summary.stop),
        "redo_done_lsn": json_lsn(summary.redo_done_lsn),
        "last_transaction_at": json_time(summary.last_transaction_at),
        "new_timeline": summary.new_timeline,
        "restored_segments": list(summary.restored_segments),
        "missing_files": list(summary.missing_files),
        "fatal_message": summary.fatal_message,
        "cause": explanation.cause,
        "next_command": explanation.remedy,
    })  # fmt: skip


def _value(name: str, value: str | int | datetime | None) -> str | int | None:
    if isinstance(value, datetime):
        return json_time(value)
    if isinstance(value, int) and (name == "lsn" or name.endswith("_lsn")):
        return format_lsn(value)
    return value


def _dump(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False)
