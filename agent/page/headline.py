"""One cluster in one line: the verdict, what it means, and how that is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from agent.watched import WatchedCluster
from rules.check import Check
from rules.evidence import WindowsFacts
from rules.facts import ArchiveFacts, ScanFacts
from rules.findings import Finding, Severity, Verdict
from rules.windows import Window

# Word and sign stand beside the colour, and say the same.
WORDS: Final = {
    Verdict.OK: "Restorable",
    Verdict.WARNING: "Restorable, with warnings",
    Verdict.CRITICAL: "Not as it should be",
    Verdict.UNKNOWN: "Could not be checked",
}
# By the word of a verdict or a severity.
SIGNS: Final = {"ok": "✓", "warning": "!", "critical": "✕", "unknown": "?", "info": "i"}
_WORST_FIRST: Final = (Severity.CRITICAL, Severity.UNKNOWN, Severity.WARNING, Severity.INFO)
_DEPTHS: Final = {
    "names": "names of files only, nothing was read",
    "headers": "the header of each segment was read",
    "records": "every WAL record was read and its CRC checked",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What one glance must tell."""

    verdict: str  # ok, warning, critical, unknown
    word: str
    sign: str
    summary: str  # one sentence
    window: Window | None  # that holds the latest restorable instant; None: not known
    depth: str  # how far was looked, in words
    read_at: datetime | None  # the oldest reading that it rests on; None: nothing was read yet
    judged_at: datetime | None


def headline(cluster: WatchedCluster) -> Headline:
    """The line at the head of a cluster."""
    verdict = cluster.verdict
    scan, archive = cluster.fact(ScanFacts), cluster.fact(ArchiveFacts)
    listed_at = archive.listed_at if archive else None
    return Headline(
        verdict=verdict.value,
        word=WORDS[verdict] if cluster.judged_at else "Not looked at yet",
        sign=SIGNS[verdict.value],
        summary=_summary(cluster),
        window=latest_window(cluster),
        depth=_DEPTHS[scan.depth if scan else "names"] if archive else "no archive was listed",
        read_at=scan.oldest_read_at or listed_at if scan else listed_at,
        judged_at=cluster.judged_at,
    )


def latest_window(cluster: WatchedCluster) -> Window | None:
    """The window of the latest restorable instant; None while a backup's reach is not known."""
    windows = cluster.fact(WindowsFacts)
    return windows.latest if windows and None not in windows.by_backup.values() else None


def worst_first(cluster: WatchedCluster) -> list[Finding]:
    """What stands, the worst first."""
    found = [finding for findings in cluster.findings.values() for finding in findings]
    return sorted(found, key=lambda finding: _WORST_FIRST.index(finding.severity))


def blind_checks(cluster: WatchedCluster) -> list[Check]:
    """The checks that lack their evidence."""
    return [cluster.checks[name] for name, known in cluster.known.items() if not known]


def _summary(cluster: WatchedCluster) -> str:
    if cluster.judged_at is None:
        return "its sources are being read for the first time"
    findings, blind = worst_first(cluster), blind_checks(cluster)
    counting = [finding for finding in findings if finding.severity is not Severity.INFO]
    if cluster.verdict is Verdict.UNKNOWN and blind:
        return f"{blind[0].title.rstrip('.')}? It cannot be told{_more(blind, 'check')}"
    if counting:
        return f"{counting[0].summary}{_more(counting, 'finding')}"
    return "nothing wrong was found"


def _more(things: Iterable[object], word: str) -> str:
    others = len(list(things)) - 1
    return f" (and {others} more {word}{'s' if others > 1 else ''})" if others else ""
