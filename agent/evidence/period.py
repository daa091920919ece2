"""The statements of a period as one document, `pitr-evidence-report/1`, for an auditor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from agent import __version__
from agent.documents.values import json_time
from parsers.evidence.statement import Statement
from rules.evidence.chain import Chain
from rules.evidence.period import ClusterShown, ObjectiveShown, StateSpan, show_period
from rules.model.findings import Verdict

SCHEMA: Final = "pitr-evidence-report/1"


def verdict_of_report(chain: Chain, clusters: Sequence[object]) -> Verdict:
    """Whether the chain is whole, and says anything of the period: not whether all was well."""
    if chain.problems:
        return Verdict.CRITICAL
    return Verdict.OK if clusters else Verdict.UNKNOWN


def report_document(
    directory: Path, chain: Chain, begin: datetime, end: datetime, now: datetime
) -> dict[str, Any]:
    """Every key always there."""
    statements = [link.statement for link in chain.links]
    clusters = show_period(statements, begin, end)
    digests = {link.statement.sequence: link.digest for link in chain.links}
    return {
        "schema": SCHEMA,
        "verdict": verdict_of_report(chain, clusters).value,
        "from": json_time(begin),
        "to": json_time(end),
        "made_at": json_time(now),
        "version": __version__,
        "chain": {
            "directory": str(directory),
            "statements": len(statements),
            "keys": list(chain.keys),
            "newest_sha256": chain.last.digest if chain.last else None,
            "problems": [
                {"kind": each.kind, "statement": each.sequence, "detail": each.detail}
                for each in chain.problems
            ],
            "notes": list(chain.notes),
        },
        "clusters": [_cluster(each, digests) for each in clusters],
    }


def _cluster(shown: ClusterShown, digests: dict[int, str]) -> dict[str, Any]:
    first, last = shown.statements[0], shown.statements[-1]
    agreed = [each for each in shown.drills if _comparison(each)["agrees"]]
    return {
        "name": shown.name,
        "statements": len(shown.statements),
        "first": _place(first, digests),
        "last": _place(last, digests),
        "verdicts": list(map(_span, shown.verdicts)),
        "verdict_seconds": _seconds(shown.verdicts),
        "objectives": list(map(_objective, shown.objectives)),
        "drills": [_drill(each, digests) for each in shown.drills],
        "drills_agreed": len(agreed),
        "coverage": shown.coverage,
        "configuration": dict(last.predicate["configuration"]),
        "configuration_changes": [
            {"at": json_time(each.at), "statement": each.sequence, "key": each.key,
             "before": each.before, "after": each.after}
            for each in shown.changes
        ],
        "findings": [
            {"id": each.id, "severity": each.severity, "first": json_time(each.first),
             "last": json_time(each.last), "statements": each.count}
            for each in shown.findings
        ],
    }  # fmt: skip


def _place(statement: Statement, digests: dict[int, str]) -> dict[str, Any]:
    return {
        "statement": statement.sequence,
        "at": json_time(statement.at),
        "sha256": digests[statement.sequence],
    }


def _span(span: StateSpan) -> dict[str, Any]:
    return {"state": span.state, "from": json_time(span.begin), "to": json_time(span.end)}


def _seconds(spans: Sequence[StateSpan]) -> dict[str, float]:
    total: dict[str, float] = {}
    for span in spans:
        total[span.state] = total.get(span.state, 0.0) + span.seconds
    return total


def _objective(shown: ObjectiveShown) -> dict[str, Any]:
    return {
        "objective": shown.name,
        "wanted_seconds": shown.wanted_seconds,
        "worst_seconds": shown.worst_seconds,
        "seconds": _seconds(shown.spans),
        "missed": [_span(span) for span in shown.spans if span.state == "missed"],
    }


def _comparison(statement: Statement) -> dict[str, Any]:
    return dict(statement.predicate["comparison"] or {"agrees": None})


def _drill(statement: Statement, digests: dict[int, str]) -> dict[str, Any]:
    said, compared = statement.predicate["verdict"]["drill"], _comparison(statement)
    return {
        **_place(statement, digests),
        "outcome": said["outcome"],
        "agrees": said["agrees"],
        "reason": said["reason"],
        "backup": said["backup"],
        "target": said["target"],
        "server": said["server"],
        "seconds": round(sum(said["phases"].values()), 1),
        "disagreements": list(compared.get("disagreements", ())),
        "inspections": [
            {"name": each["name"], "result": each["result"]} for each in said["inspections"]
        ],
        "probes": len(said["probes"]),
        "probes_held": sum(probe["holds"] for probe in said["probes"]),
    }
