"""`pitr-fleet/1`: every cluster against its goals, as a document and as rows of a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

from agent.documents.values import json_time
from rules.fleet.forecasts import Breach
from rules.fleet.line import FleetLine

_COLUMNS: Final = (
    "name", "class", "verdict", "window_goal_seconds", "window_seconds", "exposure_seconds",
    "exposure_bytes", "first_breach_goal", "first_breach_at", "first_breach_basis",
    "backups", "backup_needed_by", "obsolete_bytes", "needed_bytes", "available_bytes",
    "drill_last_success_at", "drill_window_share",
)  # fmt: skip


def fleet_document(lines: Iterable[FleetLine]) -> dict[str, Any]:
    """The worst first, as they come."""
    return {"schema": "pitr-fleet/1", "clusters": [_cluster(line) for line in lines]}


def render_csv(lines: Iterable[FleetLine]) -> str:
    """A row a cluster, with its first breach; what is not known is empty."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(_COLUMNS)
    rows.writerows(_row(line) for line in lines)
    return written.getvalue().removesuffix("\n")


def _cluster(line: FleetLine) -> dict[str, Any]:
    return {
        "name": line.name,
        "class": line.protection_class,
        "verdict": line.verdict.value,
        "window": {"goal_seconds": line.goal_seconds, "seconds": _rounded(line.window_seconds)},
        "exposure": {
            "seconds": _rounded(line.exposure_seconds),
            "bytes": line.exposure_bytes,
        },
        "breaches": [_breach(each) for each in line.breaches],
        "backups": line.backups,
        "backup_needed_by": json_time(line.backup_needed_by),
        "obsolete_bytes": line.obsolete_bytes,
        "space": {"needed_bytes": line.needed_bytes, "available_bytes": line.available_bytes},
        "drill": {
            "last_success_at": json_time(line.drilled_at),
            "window_share": None if line.drilled_share is None else round(line.drilled_share, 4),
        },
    }


def _breach(breach: Breach) -> dict[str, Any]:
    return {"goal": breach.goal, "at": json_time(breach.at), "basis": breach.basis}


def _row(line: FleetLine) -> Sequence[object]:
    first = line.breaches[0] if line.breaches else None
    values = (
        line.name, line.protection_class, line.verdict.value, line.goal_seconds,
        _rounded(line.window_seconds), _rounded(line.exposure_seconds), line.exposure_bytes,
        first and first.goal, first and json_time(first.at), first and first.basis,
        line.backups, json_time(line.backup_needed_by), line.obsolete_bytes, line.needed_bytes,
        line.available_bytes, json_time(line.drilled_at), line.drilled_share,
    )  # fmt: skip
    return ["" if value is None else _harmless(value) for value in values]


def _harmless(value: object) -> object:
    """A spreadsheet takes a text that begins so for a formula: names are anybody's."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
