"""The JSON document of `pitr-check find`: `pitr-find/1`, every key always there."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

from agent.find.answer import Answer
from parsers.lsn import format_lsn
from parsers.wal_facts import instant
from rules.catalog_rows import RelationEvent
from rules.coverage import Coverage
from rules.happenings import Happening
from rules.moment import Moment
from rules.outcome import Stop
from rules.relation_names import kind_word
from rules.who import shorten

SCHEMA = "pitr-find/1"


def render_json(answer: Answer) -> str:
    return json.dumps(document(answer), indent=1, ensure_ascii=False)


def document(answer: Answer) -> dict[str, Any]:
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


def _happening(answer: Answer, each: Happening) -> dict[str, Any]:
    database = None
    if each.database is not None:
        database = {"oid": each.database, "name": each.database_name}
    return {
        "kind": each.kind,
        "time": _time(each.time_us),
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
        "first_lsn": format_lsn(each.first_lsn) if each.first_lsn is not None else None,
        "relations": [_relation(event) for event in each.relations],
        "database_dropped": database,
        "who": _who(answer, each),
    }


def _who(answer: Answer, each: Happening) -> list[dict[str, Any]] | None:
    if answer.who is None:
        return None
    return [
        {
            "by": witness.by,
            "user": witness.line.user,
            "database": witness.line.database,
            "pid": witness.line.pid,
            "at": witness.line.at.astimezone(UTC).isoformat(timespec="microseconds")
            if witness.line.at
            else None,
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
        "time": _time(coverage.at_us),
        "known": coverage.is_known,
        "next_segment": coverage.next_segment,
        "segments": [
            {
                "segment": each.segment,
                "held": each.is_held,
                "flaw": each.flaw,
                "url": file.path if (file := files[each.segment]) else None,
                "first_time": _time(each.first_us),
                "last_time": _time(each.last_us),
            }
            for each in coverage.segments
        ],
    }


def _target(answer: Answer, moment: Moment) -> dict[str, Any]:
    goal, outcome, backup = moment.goal, moment.outcome, moment.restore
    values = {
        "xid": goal.xid,
        "lsn": goal.lsn and format_lsn(goal.lsn),
        "time": _time(goal.time_us),
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
        "commits_left_out": moment.commits_behind,
        "last_commit_left_out": _time(moment.last_time_us),
        "settings": answer.settings,
    }


def _stop(stop: Stop) -> dict[str, Any]:
    return {
        "position": stop.position,
        "kind": stop.kind,
        "xid": stop.xid,
        "lsn": format_lsn(stop.lsn) if stop.lsn is not None else None,
        "time": _time(stop.time_us),
    }


def _time(time_us: int | None) -> str | None:
    if time_us is None:
        return None
    return instant(time_us).astimezone(UTC).isoformat(timespec="microseconds")
