"""The JSON document of `pitr-check retention`: `pitr-retention/1`, every key always there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from agent.retention.advice import Advice
from parsers.lsn import format_lsn
from rules.facts import ArchivedFile
from rules.retention import Cost, Need
from rules.windows import Window

SCHEMA = "pitr-retention/1"


def render_json(advice: Advice) -> str:
    return json.dumps(document(advice), indent=1, ensure_ascii=False)


def render_failure(message: str, depth: str) -> str:
    """The document of advice that could not be given."""
    none = {"files": [], "bytes": 0}
    nothing: dict[str, Any] = {
        "schema": SCHEMA, "verdict": "unknown", "depth": depth, "archives": [],
        "oldest_segment": None, "backups": [],
        "not_needed": {**none, "first": None, "last": None, "beside": [], "histories": []},
        "command": None, "deletion": {"up_to": None, **none, "backups": []}, "notes": [message],
    }  # fmt: skip
    return json.dumps(nothing, indent=1, ensure_ascii=False)


def document(advice: Advice) -> dict[str, Any]:
    plan = advice.plan
    return {
        "schema": SCHEMA,
        "verdict": advice.verdict.value,
        "depth": advice.depth,
        "archives": [archive.url for archive in advice.archives],
        "oldest_segment": plan.oldest_segment,
        "backups": [_backup(need) for need in plan.needs],
        "not_needed": {
            **_files(advice.removable),
            "first": plan.cleanup[0] if plan.cleanup else None,
            "last": plan.cleanup[-1] if plan.cleanup else None,
            "beside": list(plan.beside),
            "histories": [f"{timeline:08X}.history" for timeline in plan.histories],
        },
        "command": advice.command,
        "deletion": {
            "up_to": advice.up_to or plan.oldest_segment,
            **_files(advice.deleted if advice.up_to else advice.removable),
            "backups": [_cost(cost) for cost in advice.costs],
        },
        "notes": list(advice.notes),
    }


def _backup(need: Need) -> dict[str, Any]:
    label = need.backup.label
    return {
        "label": label.label,
        "url": need.backup.url,
        "timeline": label.timeline,
        "started_at": _time(need.backup.started_at),
        "oldest_segment": need.oldest_segment,
        "timelines": list(need.timelines),
        "histories": [f"{timeline:08X}.history" for timeline in need.histories],
        "parents": list(need.parents),
        "kept": need.kept,
    }


def _files(files: Iterable[ArchivedFile]) -> dict[str, Any]:
    paths = {file.path: file.size_bytes for file in files}
    return {"bytes": sum(paths.values()), "files": list(paths)}


def _cost(cost: Cost) -> dict[str, Any]:
    return {
        "url": cost.need.backup.url,
        "dies": cost.dies,
        "shrinks": cost.shrinks,
        "before": _windows(cost.before),
        "after": _windows(cost.after),
    }


def _windows(windows: tuple[Window, ...] | None) -> list[dict[str, Any]] | None:
    if windows is None:
        return None
    return [
        {
            "timeline": window.timeline,
            "from": {"lsn": format_lsn(window.from_lsn), "time": _time(window.from_time)},
            "to": {"lsn": format_lsn(window.to_lsn), "time": _time(window.to_time)},
        }
        for window in windows
    ]


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at is not None else None
