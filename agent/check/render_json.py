"""The JSON document of `pitr-check`: the contract `pitr-check/1`, every key always there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from agent.check.json_values import json_lsn as _lsn
from agent.check.json_values import json_time as _time
from agent.check.render_drill import drill_document
from agent.check.restore_command import block_to_paste
from parsers.segment import segment_before, segment_name
from parsers.wal_facts import instant
from rules.facts import ArchivedFile, ArchiveFacts
from rules.outcome import LastTransaction, Outcome, Stop
from rules.report import ArchiveReport, BackupReport, Report
from rules.restore import Location
from rules.sequence import Gap
from rules.windows import Window

SCHEMA = "pitr-check/1"


def render_json(report: Report) -> str:
    """One document, indented for the person who reads it too."""
    return json.dumps(document(report), indent=1, ensure_ascii=False)


def document(report: Report) -> dict[str, Any]:
    identifier = report.system_identifier
    return {
        "schema": SCHEMA,
        "verdict": report.verdict.value,
        "restorable": report.restorable,
        "system_identifier": str(identifier) if identifier is not None else None,
        "wal_segment_size": report.segment_size_bytes,
        "server_major": report.server_major,
        "depth": report.question.depth,
        "verified_at": _time(report.verified_at),
        "archives": [_archive(report, archive) for archive in report.archives],
        "backups": [_backup(report, backup) for backup in report.backups],
        "target": _target(report),
        "restore_points": [
            {
                "name": point.name,
                "lsn": _lsn(point.lsn),
                "end_lsn": _lsn(point.end_lsn),
                "time": _time(instant(point.time_us)),
                "timeline": timeline,
            }
            for timeline, point in report.restore_points
        ],
        "findings": [
            {
                "id": finding.id,
                "severity": finding.severity.value,
                "summary": finding.summary,
                "evidence": dict(finding.evidence),
                "remedy": finding.remedy,
            }
            for finding in report.findings
        ],
        "drill": drill_document(report.drill) if report.drill else None,
    }


def _archive(report: Report, archive: ArchiveReport) -> dict[str, Any]:
    facts = archive.facts
    names = sorted(facts.segments, key=lambda name: (name[8:], name[:8]))
    return {
        "url": facts.url,
        "layout": facts.layout,
        "segments": len(names),
        "first": names[0] if names else None,
        "last": names[-1] if names else None,
        "timelines": [
            {
                "id": node.id,
                "parent": node.parent,
                "switch_lsn": _lsn(node.switch_lsn),
                "history": node.id in facts.histories,
            }
            for node in report.tree.timelines.values()
        ],
        "gaps": [_gap(gap) for gap in archive.sequence.gaps] if archive.sequence else [],
        "damaged": [
            {
                "segment": damage.segment,
                "kind": damage.kind,
                "lsn": _lsn(damage.lsn),
                "detail": damage.detail,
            }
            for damage in (report.scan.damaged if report.scan else ())
            if damage.segment in facts.segments
        ],
        "copies": list(_copies(report, facts)),
    }


def _gap(gap: Gap) -> dict[str, Any]:
    return {
        "timeline": gap.timeline,
        "first": gap.first_name,
        "last": gap.last_name,
        "segments": gap.segments_count,
        "class": gap.cause,
        "harmless": gap.harmless,
    }


def _copies(report: Report, facts: ArchiveFacts) -> Iterator[dict[str, Any]]:
    """The archive's files that others serve for, as they were read; unread ones by size alone."""
    judged = {copy.url: copy for copy in report.scan.copies} if report.scan else {}
    for segment, files in sorted(_all_files(report, facts)):
        first, *_ = files
        read = [judged[file.path] for file in files if file.path in judged]
        for copy in read:
            yield {
                "segment": segment, "url": copy.url, "differs": copy.differs, "kind": copy.kind,
            }  # fmt: skip
        for file in files[1:] if not read else ():
            differs = True if file.size_bytes != first.size_bytes else None
            yield {"segment": segment, "url": file.path, "differs": differs, "kind": None}


def _all_files(report: Report, facts: ArchiveFacts) -> Iterator[tuple[str, list[ArchivedFile]]]:
    """The files of the segments that this or another archive holds more than once."""
    read = {copy.segment for copy in report.scan.copies} if report.scan else set()
    for segment in facts.copies.keys() | read:
        if segment in facts.segments:
            yield segment, [facts.segments[segment], *facts.copies.get(segment, ())]


def _backup(report: Report, backup: BackupReport) -> dict[str, Any]:
    facts, label = backup.facts, backup.facts.label
    stop_segment = None
    if facts.stop_lsn is not None and report.segment_size_bytes:
        number = segment_before(facts.stop_lsn, report.segment_size_bytes)
        timeline = facts.stop_timeline or label.timeline
        stop_segment = segment_name(timeline, number, report.segment_size_bytes)
    states = {"restorable": True, "not_restorable": False, "unknown": None}
    return {
        "label": label.label,
        "url": facts.url,
        "timeline": label.timeline,
        "start_lsn": _lsn(label.start_lsn),
        "stop_lsn": _lsn(facts.stop_lsn),
        "start_segment": label.start_segment,
        "stop_segment": stop_segment,
        "started_at": _time(facts.started_at),
        "finished_at": _time(facts.finished_at),
        "depth": facts.depth,
        "restorable": states[backup.state.value],
        "windows": [_window(report, window) for window in backup.windows],
    }


def _window(report: Report, window: Window) -> dict[str, Any]:
    return {
        "timeline": window.timeline,
        "from": {"lsn": _lsn(window.from_lsn), "time": _time(window.from_time)},
        "to": {"lsn": _lsn(window.to_lsn), "time": _time(window.to_time)},
        "commits": window.commits,
        "aborts": window.aborts,
        "depth": report.question.depth,
        "verified_at": _time(window.verified_at),
    }


def _target(report: Report) -> dict[str, Any]:
    facts, backup, outcome = report.target, report.target.backup, report.target.prediction
    return {
        "type": facts.target.type,
        "value": facts.target.value,
        "timeline": facts.timeline,
        "inclusive": facts.target.inclusive,
        "backup": (backup.label.label or backup.url) if backup else None,
        "outcome": facts.outcome,
        "fatal": outcome.fatal if outcome else None,
        "reachable": facts.reachable,
        "needs": _needs(outcome) if outcome else {},
        "stop": _stop(outcome.stop) if outcome and outcome.stop else None,
        "last_transaction": _last(outcome.last_transaction) if outcome else None,
        "new_timeline": outcome.new_timeline if outcome else None,
        "segments_needed": len(outcome.segments_needed) if outcome else None,
        "bytes_needed": outcome.bytes_needed if outcome else None,
        "settings": block_to_paste(report),
        "reason": facts.reason,
    }


def _needs(outcome: Outcome) -> dict[str, Any]:
    """Settings by name, and the directories that are not known to be there."""
    needs: dict[str, Any] = dict(outcome.needs)
    there = (Location.USABLE, Location.IN_USE)
    directories = {each.location for each in outcome.directories if each.found not in there}
    return needs | ({"directories": sorted(directories)} if directories else {})


def _stop(stop: Stop) -> dict[str, Any]:
    return {
        "position": stop.position,
        "kind": stop.kind,
        "xid": stop.xid,
        "name": stop.name,
        "lsn": _lsn(stop.lsn),
        "end_lsn": _lsn(stop.end_lsn),
        "time": _time(stop.time),
        "segment": stop.segment,
    }


def _last(last: LastTransaction | None) -> dict[str, Any] | None:
    if last is None:
        return None
    return {
        "xid": last.xid,
        "lsn": _lsn(last.lsn),
        "time": _time(last.time),
        "kind": "commit" if last.kind.is_commit else "abort",
    }
