"""One cluster in one line: the verdict, what can be restored, and how that is known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from agent.config.model import ResolvedCluster
from agent.html.environment import SIGNS
from agent.monitor.late import is_late
from agent.monitor.watched import WatchedCluster
from agent.page.missing import Missing, could_not_run, missing_evidence
from parsers.sentences import joined, tr, trn
from parsers.values import dataclass
from rules.drill.coverage import RECENT_DAYS, ReadingCoverage, coverage_of
from rules.model.counted import counted
from rules.model.evidence import WindowsFacts
from rules.model.facts import ArchiveFacts, BackupsFacts, ScanFacts
from rules.model.findings import Finding, Severity, Verdict
from rules.model.windows import Window
from rules.verdict.causes import lead

WORDS: Final = {
    Verdict.OK: tr("Fine"),
    Verdict.WARNING: tr("Warning"),
    Verdict.CRITICAL: tr("Critical"),
    Verdict.UNKNOWN: tr("Could not be checked"),
}
# How far was looked: in a word, and in a sentence.
_DEPTHS: Final = {
    None: (tr("nothing"), tr("no archive was listed")),
    "names": (tr("names only"), tr("names of files only: nothing in them was read")),
    "headers": (tr("page headers"), tr("the header of every page was read")),
    "records": (tr("every record"), tr("every WAL record was read and its CRC checked")),
}
# When nothing was found.
_NOTHING_FOUND: Final = {
    None: tr("nothing wrong was found; no archive was checked"),
    "names": tr("nothing wrong was found, by the names of files alone"),
    "headers": tr("nothing wrong was found, by the headers of pages alone"),
    "records": tr("nothing wrong was found"),
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
    late: bool  # a source was not read for several rounds: some of this is old
    covered: str  # how much was looked at lately, in words; empty: not known


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
        covered=_covered(coverage_of(cluster.case, datetime.now(UTC))),
    )


def _covered(coverage: ReadingCoverage) -> str:
    said: list[str] = []
    if (share := coverage.read_share) is not None:
        said.append(
            tr(
                "{percent} % of the archived WAL was read in the last {days} days",
                percent=int(share * 100),  # rounded down: 100 % is all of it
                days=RECENT_DAYS,
            )
        )
    if (drills := coverage.drills) is not None:
        said.append(
            trn(
                "Drills that succeeded went to {drilled} of the window's {n} day",
                "Drills that succeeded went to {drilled} of the window's {n} days",
                drills.days,
                drilled=drills.drilled_days,
            )
        )
    return joined(". ", said)


def _depth(cluster: WatchedCluster) -> str | None:
    """How far was looked; None: at no archive."""
    scan, archive = cluster.fact(ScanFacts), cluster.fact(ArchiveFacts)
    return (scan.depth if scan else "names") if archive else None


def shown_verdict(cluster: WatchedCluster) -> Verdict:
    """The cluster's, which is unknown for one that is overdue, unless worse was found."""
    return cluster.verdict


def latest_window(cluster: WatchedCluster) -> Window | None:
    """The window of the latest restorable instant; None while a backup's reach is not known."""
    windows = cluster.fact(WindowsFacts)
    return windows.latest if windows and None not in windows.by_backup.values() else None


def tags_of(config: ResolvedCluster) -> tuple[str, ...]:
    """Its class, and its labels."""
    named = (config.protection_class,) if config.protection_class else ()
    return (*named, *(f"{name}={value}" for name, value in sorted(config.labels.items())))


def worst_first(cluster: WatchedCluster) -> list[Finding]:
    """What stands, the worst first, each followed by what it brings about."""
    return list(lead(finding for findings in cluster.findings.values() for finding in findings))


def _word(cluster: WatchedCluster, verdict: Verdict, late: bool) -> str:
    if cluster.judged_at is None:
        return tr("Not checked yet")
    word = WORDS[verdict]
    return tr("{verdict}, but not judged recently", verdict=word) if late else word


def _summary(cluster: WatchedCluster) -> str:
    if cluster.judged_at is None:
        return tr("its sources are being read for the first time")
    missing = missing_evidence(cluster)
    found = [f.summary for f in worst_first(cluster) if f.severity is not Severity.INFO]
    if found:
        return _and_more(found, missing)
    if missing:
        return could_not_run(sum(len(each.checks) for each in missing), missing[0].what)
    return _NOTHING_FOUND[_depth(cluster)]


def _and_more(found: Sequence[str], missing: Sequence[Missing]) -> str:
    more = [counted(len(found) - 1, "further finding")] if len(found) > 1 else []
    blind = sum(len(each.checks) for each in missing)
    if blind:
        more.append(trn("{n} check without evidence", "{n} checks without evidence", blind))
    if not more:
        return found[0]
    return tr("{finding} ({more})", finding=found[0], more=joined(", ", more))


def _no_window(cluster: WatchedCluster) -> str:
    """Why no window is shown: proven to be absent, or not known, which is different."""
    windows, config = cluster.fact(WindowsFacts), cluster.config
    if windows is not None:
        return _nothing_reached(windows)
    if not config.has_backups:
        return tr("No backups are configured: what can be restored was not checked.")
    if not config.has_archives:
        return tr("No archive is configured: how far a restore would get was not checked.")
    if config.depth != "records":
        return tr(
            "Not known: windows are predicted at depth records, and this one is {depth}.",
            depth=config.depth,
        )
    if cluster.fact(BackupsFacts) is None or cluster.fact(ArchiveFacts) is None:
        return tr("Not known: the backups or the archive could not be read.")
    return tr("Not known yet: the WAL is being read.")


def _nothing_reached(windows: WindowsFacts) -> str:
    unsure = sum(each is None for each in windows.by_backup.values())
    if unsure:
        return trn(
            "Not known: how far {n} backup would get.",
            "Not known: how far {n} backups would get.",
            unsure,
        )
    if windows.windows:
        return tr("Restorable, but no transaction is in any window yet.")
    return tr("Nothing can be restored: no backup reaches a consistent state.")
