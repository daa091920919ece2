"""The JSON document of `pitr-check find`: `pitr-find/1`, every key always there."""

from __future__ import annotations

from typing import Any

from agent.documents.parts import stop_part
from agent.documents.values import json_lsn, json_time, json_time_us
from agent.find.answer import Answer
from parsers.lsn import format_lsn
from rules.events.attribution import shorten
from rules.events.catalog_rows import RelationEvent
from rules.events.coverage import Coverage
from rules.events.path_event import PathEvent
from rules.events.relation_names import kind_word
from rules.events.target_before import Moment
from rules.model.outcome import Stop

SCHEMA = "pitr-find/1"


def failure_document(message: str) -> dict[str, Any]:
    """The document of a search that could not be made."""
    wal: dict[str, Any] = {"first": None, "last": None, "segments": 0, "missing": [], "unread": []}
    return {
        "schema": SCHEMA, "verdict": "unknown", "timeline": None, "wal": wal, "total": None,
        "happenings": [], "coverage": None, "target": None, "notes": [message],
    }  # fmt: skip


def find_document(answer: Answer) -> dict[str, Any]:
    look, found = answer.look, answer.found
    chapters = look.story.chapters
    return {
        "schema": SCHEMA,
        "verdict": answer.verdict.value,
        "timeline": look.timeline,
        "wal": {
            "first": chapters[0].segment if chapters else None,
            "last": chapters[-1].segment if chapters else None,
            "segments": len(chapters),
            "missing": [hole.segment for hole in look.holes],
            "unread": list(look.unread),
        },
        "total": found.total if found else None,
        "happenings": [_happening(answer, each) for each in found.happenings] if found else [],
        "coverage": _coverage(answer, answer.coverage) if answer.coverage else None,
        "target": _target(answer, answer.moment) if answer.moment else None,
        "notes": list(answer.notes),
    }


def _happening(answer: Answer, each: PathEvent) -> dict[str, Any]:
    database = None
    if each.database is not None:
        database = {"oid": each.database, "name": each.database_name}
    return {
        "kind": each.kind,
        "time": json_time_us(each.time_us),
        "lsn": format_lsn(each.lsn),
        "end_lsn": format_lsn(each.end_lsn),
        "segment": each.segment,
        "timeline": each.timeline,
        "xid": each.xid or None,
        "subtransactions": len(each.subxids),
        "gid": each.gid,
        "name": each.name,
        "records": each.records,
        "bytes": each.bytes,
        "first_lsn": json_lsn(each.first_lsn),
        "relations": [_relation(event) for event in each.relations],
        "database_dropped": database,
        "who": _who(answer, each),
    }


def _who(answer: Answer, each: PathEvent) -> list[dict[str, Any]] | None:
    if answer.who is None:
        return None
    return [
        {
            "by": witness.by,
            "user": witness.line.user,
            "database": witness.line.database,
            "pid": witness.line.pid,
            "at": json_time(witness.line.at),
            "text": shorten(witness.line.text),
        }
        for witness in answer.who.get(each.lsn, ())
    ]


def _relation(event: RelationEvent) -> dict[str, Any]:
    row = event.row
    return {
        "action": event.action,
        "kind": kind_word(event),
        "database_oid": event.database,
        "database": event.database_name,
        "filenode": event.filenode or None,
        "oid": row.oid if row else None,
        "schema": event.schema,
        "name": row.name if row else None,
    }


def _coverage(answer: Answer, coverage: Coverage) -> dict[str, Any]:
    files = {s.segment: answer.look.file_of(s.segment) for s in coverage.segments}
    return {
        "time": json_time_us(coverage.at_us),
        "known": coverage.is_known,
        "next_segment": coverage.next_segment,
        "segments": [
            {
                "segment": each.segment,
                "held": each.is_held,
                "flaw": each.flaw,
                "url": file.path if (file := files[each.segment]) else None,
                "first_time": json_time_us(each.first_us),
                "last_time": json_time_us(each.last_us),
            }
            for each in coverage.segments
        ],
    }


def _target(answer: Answer, moment: Moment) -> dict[str, Any]:
    goal, outcome, backup = moment.goal, moment.outcome, moment.restore
    values = {
        "xid": goal.xid,
        "lsn": goal.lsn and format_lsn(goal.lsn),
        "time": json_time_us(goal.time_us),
    }
    return {
        "type": goal.type,
        "value": str(values[goal.type]),
        "inclusive": goal.inclusive,
        "timeline": goal.timeline,
        "backup": backup.backup.url if backup else None,
        "outcome": outcome.outcome if outcome else "unknown",
        "reachable": moment.reachable,
        "fatal": outcome.fatal if outcome else None,
        "stop": _stop(outcome.stop) if outcome and outcome.stop else None,
        "reason": moment.reason,
        "segments_needed": len(outcome.segments_needed) if outcome else None,
        "commits_left_out": moment.commits_after,
        "last_commit_left_out": json_time_us(moment.last_time_us),
        "settings": answer.settings,
    }


def _stop(stop: Stop) -> dict[str, Any]:
    said = stop_part(stop)
    return {name: said[name] for name in ("position", "kind", "xid", "lsn", "time")}
