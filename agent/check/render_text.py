"""The verdict as a person reads it: the answer first, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from agent.archive.restore_command import block_to_paste
from agent.check.render_backups import backup_lines
from agent.check.render_drill import drill_lines
from agent.documents.values import point, printed_time
from parsers.lsn import format_lsn
from parsers.wal.facts import instant
from rules.model.counted import counted
from rules.model.findings import Finding, Severity, Verdict
from rules.model.outcome import Outcome
from rules.model.segment_names import SegmentNames
from rules.model.sequence import Gap
from rules.model.target import Target, TargetFacts
from rules.verdict.report import ArchiveReport, Report

_WORDS = {
    Verdict.OK: "OK",
    Verdict.WARNING: "WARNING",
    Verdict.CRITICAL: "CRITICAL",
    Verdict.UNKNOWN: "UNKNOWN",
}
_ALIKE_MAX: Final = 3  # findings of one kind that are told one by one
_LOOKED = {
    "names": "file names only: segment contents were not read",
    "headers": "names, sizes and page headers: no record was read",
    "records": "every record, its checksum and its link to the one before",
}


def verdict_lines(report: Report, *, verbose: bool = False) -> Iterator[str]:
    """`verbose`: every backup in detail and every finding, however many there are."""
    yield f"{_WORDS[report.verdict]}: {answer(report)}"
    yield f"checked: {looked_at(report)}"
    yield from (f"  {line}" for line in reading_time(report))
    told = [each for each in report.findings if each.severity is not Severity.INFO]
    for alike in _runs(told, verbose=verbose):
        first, *others = alike
        yield from _effect(first) if first.because else _finding(first)
        yield from (f"  {line}" for line in _counted(others))
    for archive in report.archives:
        yield ""
        yield from _archive(report, archive)
    yield from backup_lines(report.backups, verbose=verbose)
    if report.restore_points:
        yield ""
        yield from _restore_points(report)
    yield ""
    yield from _target(report)
    if report.drill is not None:
        yield ""
        yield from drill_lines(report.drill)
    infos = [finding for finding in report.findings if finding.severity is Severity.INFO]
    if infos:
        yield ""
        yield "worth knowing (pitr-check explain NAME says more)"
        for first, *others in _runs(infos, verbose=verbose):
            yield f"  {first.id}: {first.summary}"
            yield from (f"    {line}" for line in _counted(others))


def _runs(findings: Iterable[Finding], *, verbose: bool) -> Iterator[list[Finding]]:
    """Each by itself; of what stands there again and again, the first with the others."""
    for _, found in groupby(findings, lambda each: (each.id, each.because)):
        alike = list(found)
        if len(alike) > _ALIKE_MAX and not verbose:
            yield alike
        else:
            yield from ([each] for each in alike)


def _counted(others: Sequence[Finding]) -> Iterator[str]:
    if others:
        yield f"and {len(others)} more (-v shows them), the last: {others[-1].summary}"


def looked_at(report: Report) -> str:
    """How far, and in how much of what there is."""
    if report.backups and not report.archives and not report.elsewhere:
        return "the backup's own files; no WAL: no archive was given"
    return f"{_LOOKED[report.depth]}{_not_all(report)}"


def _not_all(report: Report) -> str:
    """A reading that a budget or a permission cut short is no look at every record."""
    if report.scan is None or not report.scan.unread:
        return ""
    read, unread = len(report.scan.read), len(report.scan.unread)
    return f", in {read} of the {read + unread} segments: {unread} could not be read, or not yet"


def reading_time(report: Report) -> Iterator[str]:
    """When the segments were read: with a ledger, some of them by an earlier run."""
    times = report.scan.read_at.values() if report.scan else ()
    if not times:
        return
    first, last = (f"{at:%Y-%m-%d %H:%M:%S}" for at in (min(times), max(times)))
    yield f"read at {first} UTC" if first == last else f"read between {first} and {last} UTC"


def answer(report: Report) -> str:
    """One line: the worst finding, the target if it is out of reach, what can be restored."""
    asked, reachable = report.target.target, report.target.reachable
    why = _first_of_the_verdict(report)
    missed = (
        f"{asked_for(asked)} {TOLD[reachable]}" if asked.type != "none" and not reachable else ""
    )
    parts = [why.summary] if why else []
    if missed and why and why.summary.startswith(report.target.reason):
        parts = [f"{missed}: {why.summary}"]
    elif missed:
        parts.append(missed)
    if why is None or why.id != "no_restorable_backup":
        parts.append(_restorable(report))
    return "; ".join(parts)


def _first_of_the_verdict(report: Report) -> Finding | None:
    """The first finding as bad as the verdict; None for OK."""
    if report.verdict is Verdict.OK:
        return None
    verdict = report.verdict.value
    return next((each for each in report.findings if each.severity.value == verdict), None)


def _restorable(report: Report) -> str:
    if report.restorable is None:
        return "it is not known whether a backup can be restored"
    if not report.restorable:
        return "no backup can be restored"
    windows = [window for backup in report.backups for window in backup.windows]
    newest = max(windows, key=lambda window: window.to_lsn)
    restorable = sum(1 for backup in report.backups if backup.windows)
    many = "1 backup is" if restorable == 1 else f"{restorable} backups are"
    return f"{many} restorable, up to {point(newest.to_lsn, newest.to_time)}"


def _finding(finding: Finding) -> Iterator[str]:
    yield ""
    yield f"{finding.severity.value.upper()} {finding.id}: {finding.summary}"
    yield f"  what to do: {finding.remedy}"


def _effect(finding: Finding) -> Iterator[str]:
    """What follows from the finding before it is repaired with that."""
    yield f"  so also: {finding.severity.value.upper()} {finding.id}: {finding.summary}"


def _archive(report: Report, archive: ArchiveReport) -> Iterator[str]:
    facts = archive.facts
    ends = SegmentNames.of(facts.segments).extent
    size = f"{report.segment_size_bytes >> 20} MiB" if report.segment_size_bytes else "unknown size"
    yield f"archive {facts.url}"
    if ends:
        yield f"  {_segments(len(facts.segments))} of {size}, {ends[0]} to {ends[1]}"
    else:
        yield "  no segment"
    for node in report.tree.timelines.values():
        if node.parent is not None and node.switch_lsn is not None:
            yield f"  timeline {node.id} left {node.parent} at {format_lsn(node.switch_lsn)}"
        else:
            yield f"  timeline {node.id}"
    for gap in archive.sequence.gaps if archive.sequence else ():
        yield f"  gap: {_gap(gap)}"
    if archive.alone is not None:
        yield f"  {archive.alone.in_words}"


def _segments(count: int) -> str:
    return counted(count, "segment")


def _gap(gap: Gap) -> str:
    span = gap.first_name if gap.first == gap.last else f"{gap.first_name} to {gap.last_name}"
    note = ", no restore needs it" if gap.harmless else ""
    return f"{span} ({gap.segments_count} {gap.cause}{note})"


def _restore_points(report: Report) -> Iterator[str]:
    yield "restore points"
    for timeline, named in report.restore_points:
        at = printed_time(instant(named.time_us))
        yield f"  {named.name!r} at {format_lsn(named.end_lsn)}, timeline {timeline}, {at}"


def _target(report: Report) -> Iterator[str]:
    facts = report.target
    yield f"recovery to {asked_for(facts.target)}: {TOLD[facts.reachable]}"
    yield f"  {facts.reason}"
    yield from _ways(facts)
    outcome = facts.prediction
    if outcome is None and facts.best is None:
        return
    outcome = outcome or facts.best.prediction if facts.best else outcome
    assert outcome is not None, "what is reached was predicted"
    if outcome.fatal:
        yield f"  PostgreSQL will say: {outcome.severity}:  {outcome.fatal}"
    yield from _directories(outcome)
    if outcome.last_transaction:
        last = outcome.last_transaction
        yield f"  last completed transaction: {last.xid}, {printed_time(last.time)}"
    if outcome.new_timeline:
        yield f"  then timeline {outcome.new_timeline} begins"
    block = block_to_paste(report)
    if block:
        needed = f"{_segments(len(outcome.segments_needed))} ({outcome.bytes_needed >> 20} MiB)"
        yield f"  it needs {needed}; to paste:"
        yield from (f"    {line}" for line in block.splitlines())


def _ways(facts: TargetFacts) -> Iterator[str]:
    """Which restore is meant, and what another would do."""
    if facts.via is None:
        return
    said = {"tool": "the tool's own restore", "restore_command": "a restore_command alone"}
    yield f"  by {said[facts.via]}" + (f", from {facts.backup.name}" if facts.backup else "")
    best = facts.best
    if best and best.backup and best.backup != facts.backup:
        yield f"  {best.backup.name} reaches it: name that backup"
    if facts.other and facts.other.via:
        yield f"  by {said[facts.other.via]}: {facts.other.reason}"


def asked_for(target: Target) -> str:
    """A target in words."""
    value = f" {target.value}" if target.value else ""
    return "end of WAL" if target.type == "none" else f"{target.type}{value}"


def _directories(outcome: Outcome) -> Iterator[str]:
    """The tablespaces on the way, and whether their directories are there."""
    for needed in outcome.directories:
        state = needed.found.value if needed.found else "not checked"
        yield f"  tablespace {needed.tablespace} in {needed.location} ({state})"


TOLD = {True: "can be reached", False: "cannot be reached", None: "not proven"}
