"""What a finding means and what to do: the catalogue's own words, served where there is no network.

`/findings/<id>` is `pitr-check explain <id>`; `/runbooks/<Alert>` is docs/runbooks/<Alert>.md, and
answers by that file's name too, so that `pitr-agent rules --runbooks-url` may point here.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final

from agent.monitor.watched import WatchedCluster
from parsers.sentences import tr
from parsers.values import dataclass
from rules.alerting.runbooks import Runbook, make_runbooks
from rules.alerting.state import alert_name, can_alert
from rules.model.findings import Severity
from rules.verdict.check import Check, load_catalogue

_ORDER: Final = (Severity.CRITICAL, Severity.UNKNOWN, Severity.WARNING, Severity.INFO)
_MEANING: Final = {
    Severity.CRITICAL: tr("proven bad"),
    Severity.UNKNOWN: tr("could not be checked"),
    Severity.WARNING: tr("restorable now, but at risk"),
    Severity.INFO: tr("informational"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One page of words."""

    name: str
    severity: str
    sections: tuple[tuple[str, str], ...]  # heading, text
    check: str | None  # the id of the check; None: an alert about the agent itself
    alert: str | None  # the name of its runbook; None: it raises no alert


_catalogue: Final = functools.cache(load_catalogue)


def explain_finding(check_id: str) -> Explained | None:
    """None when the catalogue has none of that id."""
    check = _catalogue().get(check_id)
    if check is None:
        return None
    sections = (
        (tr("What it says"), check.title),
        (tr("Why it matters"), check.why),
        (tr("How to look"), check.look),
        (tr("What to do"), check.remedy),
    )
    return Explained(
        name=check.id,
        severity=check.severity.value,
        sections=tuple((heading, text) for heading, text in sections if text),
        check=check.id,
        alert=alert_name(check.id) if can_alert(check) else None,
    )


def explain_alert(name: str) -> Explained | None:
    """None when there is no such alert. `name` may end in .md."""
    book = make_runbooks(_catalogue().values()).get(name.removesuffix(".md"))
    return None if book is None else _runbook(book)


def list_findings() -> list[tuple[str, str, list[Check]]]:
    """The catalogue by severity: the word, what it means, its checks."""
    checks = sorted(_catalogue().values(), key=lambda check: check.id)
    return [
        (severity.value, _MEANING[severity], [c for c in checks if c.severity is severity])
        for severity in _ORDER
    ]


def where_found(clusters: Sequence[WatchedCluster], check_id: str | None) -> list[str]:
    """The clusters that have this finding now."""
    return sorted(cluster.name for cluster in clusters if cluster.findings.get(check_id or ""))


def _runbook(book: Runbook) -> Explained:
    return Explained(
        name=book.name,
        severity=book.severity,
        sections=(
            (tr("Meaning"), book.meaning),
            (tr("Impact"), book.impact),
            (tr("Diagnosis"), book.diagnosis),
            (tr("Mitigation"), book.mitigation),
        ),
        check=book.check,
        alert=None,
    )
