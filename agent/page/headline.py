"""One cluster in one line: the verdict, what can be restored, and how that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from agent.late import is_late
from agent.page.environment import SIGNS
from agent.page.missing import Missing, missing_evidence
from agent.watched import WatchedCluster
from rules.evidence import WindowsFacts
from rules.facts import ArchiveFacts, BackupsFacts, ScanFacts
from rules.findings import Finding, Severity, Verdict
from rules.windows import Window

WORDS: Final = {
    Verdict.OK: "Fine",
    Verdict.WARNING: "Warning",
    Verdict.CRITICAL: "Critical",
    Verdict.UNKNOWN: "Could not be checked",
}
_WORST_FIRST: Final = (Severity.CRITICAL, Severity.UNKNOWN, Severity.WARNING, Severity.INFO)
# How far was looked: in a word, and in a sentence.
_DEPTHS: Final = {
    None: ("nothing", "no archive was listed"),
    "names": ("names only", "names of files only: nothing in them was read"),
    "headers": ("page headers", "the header of every page was read"),
    "records": ("every record", "every WAL record was read and its CRC checked"),
}
# What it means then that nothing was found.
_FIND_NOTHING: Final = {
    None: "; no archive was looked at",
    "names": ", by the names of files alone",
    "headers": ", by the headers of pages alone",
    "records": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What one glance must tell."""

    verdict: str  # ok, warning, critical, unknown
    word: str
    sign: str
    summary: str  # one line
    reach: str  # what can be restored, in words, where no window says it
    window: Window | None  # of the latest restorable instant; None: there is none, or not known
    depth: str  # how far was looked, in a word
    how: str  # the same in a sentence
    read_at: datetime | None  # the oldest reading that it rests on; None: nothing was read yet
    judged_at: datetime | None
    late: bool  # nothing was judged for several rounds: all of this is old


def headline(cluster: WatchedCluster) -> Headline:
    """The line at the head of a cluster."""
    late = is_late(cluster)
    verdict = shown_verdict(cluster)
    scan, archive = cluster.fact(ScanFacts), cluster.fact(ArchiveFacts)
    read_at = (scan.oldest_read_at if scan else None) or (archive.listed_at if archive else None)
    depth, how = _DEPTHS[_depth(cluster)]
    window = latest_window(cluster)
    return Headline(
        verdict=verdict.value,
        word=_word(cluster, verdict, late),
        sign=SIGNS[verdict.value],
        summary=_summary(cluster),
        reach="" if window else _no_window(cluster),
        window=window,
        depth=depth,
        how=how,
        read_at=read_at,
        judged_at=cluster.judged_at,
        late=late,
    )


def _depth(cluster: WatchedCluster) -> str | None:
    """How far was looked; None: at no archive."""
    scan, archive = cluster.fact(ScanFacts), cluster.fact(ArchiveFacts)
    return (scan.depth if scan else "names") if archive else None


def shown_verdict(cluster: WatchedCluster) -> Verdict:
    """The cluster's; unknown for one that is fine as far as is known and was not judged of late."""
    verdict = cluster.verdict
    old = verdict in (Verdict.OK, Verdict.WARNING) and is_late(cluster)
    return Verdict.UNKNOWN if old else verdict


def latest_window(cluster: WatchedCluster) -> Window | None:
    """The window of the latest restorable instant; None while a backup's reach is not known."""
    windows = cluster.fact(WindowsFacts)
    return windows.latest if windows and None not in windows.by_backup.values() else None


def worst_first(cluster: WatchedCluster) -> list[Finding]:
    """What stands, the worst first."""
    found = [finding for findings in cluster.findings.values() for finding in findings]
    return sorted(found, key=lambda finding: _WORST_FIRST.index(finding.severity))


def _word(cluster: WatchedCluster, verdict: Verdict, late: bool) -> str:
    if cluster.judged_at is None:
        return "Not looked at yet"
    return f"{WORDS[verdict]}, and not judged of late" if late else WORDS[verdict]


def _summary(cluster: WatchedCluster) -> str:
    if cluster.judged_at is None:
        return "its sources are being read for the first time"
    missing = missing_evidence(cluster)
    found = [f.summary for f in worst_first(cluster) if f.severity is not Severity.INFO]
    if found:
        return found[0] + _and_more(found, missing)
    if missing:
        return _only_missing(missing)
    return f"nothing wrong was found{_FIND_NOTHING[_depth(cluster)]}"


def _and_more(found: Sequence[str], missing: Sequence[Missing]) -> str:
    more = [_count(len(found) - 1, "further finding")] if len(found) > 1 else []
    blind = sum(len(each.checks) for each in missing)
    more += [f"{_count(blind, 'check')} without evidence"] if blind else []
    return f" ({', '.join(more)})" if more else ""


def _only_missing(missing: Sequence[Missing]) -> str:
    blind = sum(len(each.checks) for each in missing)
    return f"{_count(blind, 'check')} could not be asked, for want of {missing[0].what}"


def _no_window(cluster: WatchedCluster) -> str:
    """Why no window is shown: proven that there is none, or not known, which is another thing."""
    windows, config = cluster.fact(WindowsFacts), cluster.config
    if windows is not None:
        return _nothing_reached(windows)
    if not config.backups:
        return "No backups are configured: what could be restored was not asked."
    if not config.archives:
        return "No archive is configured: how far a restore would get was not asked."
    if config.depth != "records":
        return f"Not known: windows are predicted at depth records, and this one is {config.depth}."
    if cluster.fact(BackupsFacts) is None or cluster.fact(ArchiveFacts) is None:
        return "Not known: the backups or the archive could not be read."
    return "Not known yet: the WAL is being read."


def _nothing_reached(windows: WindowsFacts) -> str:
    unsure = sum(each is None for each in windows.by_backup.values())
    if unsure:
        return f"Not known: of {_count(unsure, 'backup')} it cannot be said how far it would get."
    if windows.windows:
        return "Restorable, but no transaction is in any window yet."
    return "Nothing can be restored: no backup reaches a consistent state."


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
