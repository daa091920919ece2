"""The JSON document of `pitr-check`: the contract `pitr-check/1`, every key always there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agent.archive.restore_command import block_to_paste
from agent.documents.coverage import coverage_document
from agent.documents.drill import drill_document
from agent.documents.parts import finding_part, gap_part, stop_part, window_part
from agent.documents.values import json_lsn as _lsn
from agent.documents.values import json_time as _time
from agent.documents.values import json_time_us
from parsers.segment import segment_before, segment_name
from rules.backup.pages import page_total
from rules.drill.coverage import coverage_of
from rules.model.evidence import CopyAlone
from rules.model.facts import ArchivedFile, ArchiveFacts, BackupFacts, PagesFacts
from rules.model.outcome import LastTransaction, Outcome
from rules.model.restore_inputs import Location
from rules.model.segment_names import SegmentNames
from rules.model.target import TargetFacts
from rules.model.windows import Window
from rules.recovery.configuration import configuration_wanted
from rules.verdict.report import ArchiveReport, BackupReport, Report

SCHEMA = "pitr-check/1"


def verdict_document(report: Report) -> dict[str, Any]:
    identifier = report.system_identifier
    return {
        "schema": SCHEMA,
        "verdict": report.verdict.value,
        "restorable": report.restorable,
        "system_identifier": str(identifier) if identifier is not None else None,
        "wal_segment_size": report.segment_size_bytes,
        "server_major": report.server_major,
        "depth": report.depth,
        "verified_at": _time(report.verified_at),
        "archives": [_archive(report, archive) for archive in report.archives],
        "backups": [_backup(report, backup) for backup in report.backups],
        "target": _target(report),
        "restore_points": [
            {
                "name": point.name,
                "lsn": _lsn(point.lsn),
                "end_lsn": _lsn(point.end_lsn),
                "time": json_time_us(point.time_us),
                "timeline": timeline,
            }
            for timeline, point in report.restore_points
        ],
        "findings": [finding_part(finding) for finding in report.findings],
        "coverage": coverage_document(coverage_of(report.case, report.now)),
        "drill": drill_document(report.drill) if report.drill else None,
    }


def _archive(report: Report, archive: ArchiveReport) -> dict[str, Any]:
    facts = archive.facts
    ends = SegmentNames.of(facts.segments).extent
    return {
        "url": facts.url,
        "layout": facts.layout,
        "segments": len(facts.segments),
        "first": ends[0] if ends else None,
        "last": ends[1] if ends else None,
        "timelines": [
            {
                "id": node.id,
                "parent": node.parent,
                "switch_lsn": _lsn(node.switch_lsn),
                "history": node.id in facts.histories,
            }
            for node in report.tree.timelines.values()
        ],
        "gaps": [gap_part(gap) for gap in archive.sequence.gaps] if archive.sequence else [],
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
        "alone": _alone(archive.alone) if archive.alone else None,
    }


def _alone(copy: CopyAlone) -> dict[str, Any]:
    end = copy.windows.latest_end
    return {
        "restorable": copy.restorable,
        "timeline": end.timeline if end else None,
        "to": {"lsn": _lsn(end.to_lsn), "time": _time(end.to_time)} if end else None,
        "lacking": len(copy.lacking),
        "bad": len(copy.bad),
        "unread": copy.unread_count,
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
        "label": facts.stored.label if facts.stored else label.label,
        "repository": facts.stored.repository if facts.stored else None,
        "kind": facts.stored.kind if facts.stored else None,
        "parents": list(facts.stored.parents) if facts.stored else [],
        "url": facts.url,
        "timeline": label.timeline,
        "start_lsn": _lsn(label.start_lsn),
        "stop_lsn": _lsn(facts.stop_lsn),
        "start_segment": label.start_segment,
        "stop_segment": stop_segment,
        "started_at": _time(facts.started_at),
        "finished_at": _time(facts.finished_at),
        "depth": facts.depth,
        "pages": _pages(facts.pages) if facts.pages else None,
        "restorable": states[backup.state.value],
        "windows": [_window(report, window) for window in backup.windows],
    }


def _pages(pages: PagesFacts) -> dict[str, Any]:
    judged = pages.unchecked is None
    return {
        "checked": pages.checked if judged else None,
        "newer": pages.newer if judged else None,
        "new": pages.new if judged else None,
        "damaged": page_total(pages.damaged) if judged else None,
        "unchecked": pages.unchecked,
    }


def _window(report: Report, window: Window) -> dict[str, Any]:
    return window_part(window) | {
        "commits": window.commits,
        "aborts": window.aborts,
        "depth": report.depth,
        "verified_at": _time(window.verified_at),
    }


def _target(report: Report) -> dict[str, Any]:
    facts, backup, outcome = report.target, report.target.backup, report.target.prediction
    return {
        "type": facts.target.type,
        "value": facts.target.value,
        "timeline": facts.timeline,
        "inclusive": facts.target.inclusive,
        "backup": backup.name if backup else None,
        "outcome": facts.outcome,
        "fatal": facts.fatal or (outcome.fatal if outcome else None),
        "reachable": facts.reachable,
        "needs": _needs(outcome, backup) if outcome else {},
        "stop": stop_part(outcome.stop) if outcome and outcome.stop else None,
        "last_transaction": _last(outcome.last_transaction) if outcome else None,
        "new_timeline": outcome.new_timeline if outcome else None,
        "segments_needed": len(outcome.segments_needed) if outcome else None,
        "bytes_needed": outcome.bytes_needed if outcome else None,
        "settings": block_to_paste(report),
        "reason": facts.reason,
        "via": facts.via,
        "other_via": _other(facts.other) if facts.other else None,
        "best_backup": _best(facts),
    }


def _best(facts: TargetFacts) -> str | None:
    """The backup that reaches the target."""
    reached = facts.best or (facts if facts.reachable else None)
    return reached.backup.name if reached and reached.backup else None


def _other(facts: TargetFacts) -> dict[str, Any]:
    """What the other way of restoring gives."""
    outcome = facts.prediction
    return {
        "via": facts.via,
        "backup": facts.backup.name if facts.backup else None,
        "timeline": facts.timeline,
        "outcome": facts.outcome,
        "fatal": facts.fatal or (outcome.fatal if outcome else None),
        "reachable": facts.reachable,
        "stop": stop_part(outcome.stop) if outcome and outcome.stop else None,
        "last_transaction": _last(outcome.last_transaction) if outcome else None,
        "new_timeline": outcome.new_timeline if outcome else None,
        "reason": facts.reason,
    }


def _needs(outcome: Outcome, backup: BackupFacts | None) -> dict[str, Any]:
    """Settings by name, the directories that are not known to be there, a configuration."""
    needs: dict[str, Any] = dict(outcome.needs)
    wanted = configuration_wanted(backup) if backup else None
    needs |= {"configuration": wanted} if wanted else {}
    there = (Location.USABLE, Location.IN_USE)
    directories = {each.location for each in outcome.directories if each.found not in there}
    return needs | ({"directories": sorted(directories)} if directories else {})


def _last(last: LastTransaction | None) -> dict[str, Any] | None:
    if last is None:
        return None
    return {
        "xid": last.xid,
        "lsn": _lsn(last.lsn),
        "time": _time(last.time),
        "kind": "commit" if last.kind.is_commit else "abort",
    }
