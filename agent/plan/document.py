"""A plan as JSON: docs/schemas/pitr-plan.schema.json."""

from __future__ import annotations

from typing import Any, Final

from agent.documents.verdict import verdict_document
from agent.plan.plan import RestorePlan

SCHEMA: Final = "pitr-plan/1"


def plan_document(plan: RestorePlan) -> dict[str, Any]:
    """What was asked and what is predicted are as pitr-check/1 has them."""
    verdict = verdict_document(plan.report)
    outcome = plan.outcome
    return {
        "schema": SCHEMA,
        "verdict": verdict["verdict"],
        "target": verdict["target"],
        "findings": verdict["findings"],
        "backup": {"label": plan.backup.name, "url": plan.backup.url, "bytes": plan.backup_bytes}
        if plan.backup
        else None,
        "wal": {
            "segments": len(outcome.segments_needed),
            "bytes": outcome.bytes_needed,
            "places": [
                {
                    "directory": place.directory,
                    "segments": place.segments,
                    "first": place.first,
                    "last": place.last,
                    "stored_bytes": place.stored_bytes,
                }
                for place in plan.wal
            ],
        }
        if outcome
        else None,
        "room": {
            "bytes": plan.room_bytes,
            "destination": str(plan.destination) if plan.destination else None,
            "free_bytes": plan.free_bytes,
        },
        "time": {
            "copy_seconds": plan.time.copy_seconds,
            "replay_seconds": plan.time.replay_seconds,
            "measured": plan.time.measured,
        }
        if plan.time
        else None,
        "settings": plan.settings,
        "proposal": plan.proposal,
    }
