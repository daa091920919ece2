"""What the documents of several faces say alike: one vocabulary for windows, gaps and stops."""

from __future__ import annotations

from typing import Any

from agent.documents.values import json_lsn, json_time
from rules.model.findings import Finding
from rules.model.outcome import Stop
from rules.model.sequence import Gap
from rules.model.windows import Window


def finding_part(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "severity": finding.severity.value,
        "summary": finding.summary,
        "evidence": dict(finding.evidence),
        "remedy": finding.remedy,
        "because": finding.because,
    }


def gap_part(gap: Gap) -> dict[str, Any]:
    return {
        "timeline": gap.timeline,
        "first": gap.first_name,
        "last": gap.last_name,
        "segments": gap.segments_count,
        "class": gap.cause,
        "harmless": gap.harmless,
    }


def window_part(window: Window) -> dict[str, Any]:
    """Its two ends; what else is known of it depends on who looked."""
    return {
        "timeline": window.timeline,
        "from": {"lsn": json_lsn(window.from_lsn), "time": json_time(window.from_time)},
        "to": {"lsn": json_lsn(window.to_lsn), "time": json_time(window.to_time)},
    }


def stop_part(stop: Stop) -> dict[str, Any]:
    return {
        "position": stop.position,
        "kind": stop.kind,
        "xid": stop.xid,
        "name": stop.name,
        "lsn": json_lsn(stop.lsn),
        "end_lsn": json_lsn(stop.end_lsn),
        "time": json_time(stop.time),
        "segment": stop.segment,
    }


def history_names(timelines: tuple[int, ...]) -> list[str]:
    return [f"{timeline:08X}.history" for timeline in timelines]
