"""The JSON document of `pitr-check retention`: `pitr-retention/1`, every key always there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agent.documents.parts import history_names, window_part
from agent.documents.values import json_time
from agent.retention.advice import Advice
from rules.model.facts import ArchivedFile
from rules.model.windows import Window
from rules.retention.plan import Cost, Need

SCHEMA = "pitr-retention/1"


def failure_document(message: str, depth: str) -> dict[str, Any]:
    """The document of advice that could not be given."""
    none = {"files": [], "bytes": 0}
    return {
        "schema": SCHEMA, "verdict": "unknown", "depth": depth, "archives": [],
        "oldest_segment": None, "backups": [],
        "not_needed": {**none, "first": None, "last": None, "beside": [], "histories": []},
        "command": None, "deletion": {"up_to": None, **none, "backups": []}, "notes": [message],
    }  # fmt: skip


def retention_document(advice: Advice) -> dict[str, Any]:
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
            "histories": history_names(plan.histories),
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
        "label": need.backup.name if need.backup.stored else label.label,
        "url": need.backup.url,
        "timeline": label.timeline,
        "started_at": json_time(need.backup.started_at),
        "oldest_segment": need.oldest_segment,
        "timelines": list(need.timelines),
        "histories": history_names(need.histories),
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
    return None if windows is None else [window_part(window) for window in windows]
