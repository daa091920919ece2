"""The verdict as a person reads it: the answer first, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from agent.archive.restore_command import block_to_paste
from agent.check.render_backups import backup_lines
from agent.check.render_drill import drill_lines
from agent.documents.values import asked_for, point, printed_time
from agent.language import say
from parsers.lsn import format_lsn
from parsers.sentences import indented, joined, tr, trn
from parsers.wal.facts import instant
from rules.model.counted import counted
from rules.model.findings import Finding, Severity, Verdict
from rules.model.outcome import Outcome
from rules.model.segment_names import SegmentNames
from rules.model.target import TargetFacts
from rules.verdict.report import ArchiveReport, Report

_ALIKE_MAX: Final = 3  # findings of one kind that are told one by one
_LOOKED = {
    "names": tr("file names only: segment contents were not read"),
    "headers": tr("names, sizes and page headers: no record was read"),
    "records": tr("every record, its checksum and its link to the one before"),
}


def verdict_lines(report: Report, *, verbose: bool = False) -> Iterator[str]:
    """`verbose`: every backup in detail and every finding, however many there are."""
    yield tr("{verdict}: {answer}", verdict=report.verdict.word, answer=answer(report))
    yield tr("checked: {what}", what=looked_at(report))
    yield from map(indented, reading_time(report))
    told = [each for each in report.findings if each.severity is not Severity.INFO]
    for alike in _runs(told, verbose=verbose):
        first, *others = alike
        yield from _effect(first) if first.because else _finding(first)
        yield from map(indented, _counted(others))
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
        yield tr("worth knowing (pitr-check explain NAME says more)")
        for first, *others in _runs(infos, verbose=verbose):
            yield tr("  {id}: {summary}", id=first.id, summary=first.summary)
            yield from (indented(line, 4) for line in _counted(others))


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
        yield tr(
            "and {count} more (-v shows them), the last: {summary}",
            count=len(others),
            summary=others[-1].summary,
        )


def looked_at(report: Report) -> str:
    """How far, and in how much of what there is."""
    if report.backups and not report.archives and not report.elsewhere:
        return tr("the backup's own files; no WAL: no archive was given")
    return tr("{what}{not_all}", what=_LOOKED[report.depth], not_all=_not_all(report))


def _not_all(report: Report) -> str:
    """A reading that a budget or a permission cut short is no look at every record."""
    if report.scan is None or not report.scan.unread:
        return ""
    read, unread = len(report.scan.read), len(report.scan.unread)
    return tr(
        ", in {read} of the {all} segments: {unread} could not be read, or not yet",
        read=read,
        all=read + unread,
        unread=unread,
    )


def reading_time(report: Report) -> Iterator[str]:
    """When the segments were read: with a ledger, some of them by an earlier run."""
    times = report.scan.read_at.values() if report.scan else ()
    if not times:
        return
    first, last = (f"{at:%Y-%m-%d %H:%M:%S}" for at in (min(times), max(times)))
    yield (
        tr("read at {first} UTC", first=first)
        if first == last
        else tr("read between {first} and {last} UTC", first=first, last=last)
    )


def answer(report: Report) -> str:
    """One line: the worst finding, the target if it is out of reach, what can be restored."""
    asked, reachable = report.target.target, report.target.reachable
    why = _first_of_the_verdict(report)
    missed = ""
    if asked.type != "none" and not reachable:
        missed = tr("{target} {told}", target=asked_for(asked), told=TOLD[reachable])
    parts = [why.summary] if why else []
    if missed and why and why.summary.startswith(report.target.reason):
        parts = [tr("{missed}: {why}", missed=missed, why=why.summary)]
    elif missed:
        parts.append(missed)
    if why is None or why.id != "no_restorable_backup":
        parts.append(_restorable(report))
    return joined("; ", parts)


def _first_of_the_verdict(report: Report) -> Finding | None:
    """The first finding as bad as the verdict; None for OK."""
    if report.verdict is Verdict.OK:
        return None
    verdict = report.verdict.value
    return next((each for each in report.findings if each.severity.value == verdict), None)


def _restorable(report: Report) -> str:
    if report.restorable is None:
        return tr("it is not known whether a backup can be restored")
    if not report.restorable:
        return tr("no backup can be restored")
    windows = [window for backup in report.backups for window in backup.windows]
    newest = max(windows, key=lambda window: window.to_lsn)
    restorable = sum(1 for backup in report.backups if backup.windows)
    return trn(
        "1 backup is restorable, up to {point}",
        "{n} backups are restorable, up to {point}",
        restorable,
        point=point(newest.to_lsn, newest.to_time),
    )


def _finding(finding: Finding) -> Iterator[str]:
    yield ""
    yield tr("{severity} {id}: {summary}", **_of(finding))
    yield tr("  what to do: {remedy}", remedy=finding.remedy)


def _effect(finding: Finding) -> Iterator[str]:
    """What follows from the finding before it is repaired with that."""
    yield tr("  so also: {severity} {id}: {summary}", **_of(finding))


def _of(finding: Finding) -> dict[str, str]:
    return {"severity": finding.severity.word, "id": finding.id, "summary": finding.summary}


def _archive(report: Report, archive: ArchiveReport) -> Iterator[str]:
    facts = archive.facts
    ends = SegmentNames.of(facts.segments).extent
    size = (
        f"{report.segment_size_bytes >> 20} MiB"
        if report.segment_size_bytes
        else tr("unknown size")
    )
    yield tr("archive {url}", url=facts.url)
    if ends:
        yield tr(
            "  {segments} of {size}, {first} to {last}",
            segments=_segments(len(facts.segments)),
            size=size,
            first=ends[0],
            last=ends[1],
        )
    else:
        yield tr("  no segment")
    for node in report.tree.timelines.values():
        if node.parent is not None and node.switch_lsn is not None:
            yield tr(
                "  timeline {id} left {parent} at {switch_lsn}",
                id=node.id,
                parent=node.parent,
                switch_lsn=format_lsn(node.switch_lsn),
            )
        else:
            yield tr("  timeline {id}", id=node.id)
    for gap in archive.sequence.gaps if archive.sequence else ():
        yield tr("  gap: {gap}", gap=gap.in_words)
    if archive.alone is not None:
        yield indented(archive.alone.in_words)


def _segments(count: int) -> str:
    return counted(count, "segment")


def _restore_points(report: Report) -> Iterator[str]:
    yield tr("restore points")
    for timeline, named in report.restore_points:
        at = printed_time(instant(named.time_us))
        yield tr(
            "  {name!r} at {end_lsn}, timeline {timeline}, {at}",
            name=named.name,
            end_lsn=format_lsn(named.end_lsn),
            timeline=timeline,
            at=at,
        )


def _target(report: Report) -> Iterator[str]:
    facts = report.target
    yield tr(
        "recovery to {target}: {told}", target=asked_for(facts.target), told=TOLD[facts.reachable]
    )
    yield indented(facts.reason)
    yield from _ways(facts)
    outcome = facts.prediction
    if outcome is None and facts.best is None:
        return
    outcome = outcome or facts.best.prediction if facts.best else outcome
    assert outcome is not None, "what is reached was predicted"
    if outcome.fatal:
        yield tr(
            "  PostgreSQL will say: {severity}:  {fatal}",
            severity=outcome.severity,
            fatal=outcome.fatal,
        )
    yield from _directories(outcome)
    if outcome.last_transaction:
        last = outcome.last_transaction
        yield tr(
            "  last completed transaction: {xid}, {time}",
            xid=last.xid,
            time=printed_time(last.time),
        )
    if outcome.new_timeline:
        yield tr("  then timeline {new_timeline} begins", new_timeline=outcome.new_timeline)
    block = block_to_paste(report)
    if block:
        yield tr(
            "  it needs {segments} ({size} MiB); to paste:",
            segments=_segments(len(outcome.segments_needed)),
            size=outcome.bytes_needed >> 20,
        )
        yield from (indented(line, 4) for line in say(block).splitlines())


def _ways(facts: TargetFacts) -> Iterator[str]:
    """Which restore is meant, and what another would do."""
    if facts.via is None:
        return
    said = {"tool": tr("the tool's own restore"), "restore_command": tr("a restore_command alone")}
    tool = said[facts.via]
    if facts.backup:
        yield tr("  by {tool}, from {backup}", tool=tool, backup=facts.backup.name)
    else:
        yield tr("  by {tool}", tool=tool)
    best = facts.best
    if best and best.backup and best.backup != facts.backup:
        yield tr("  {name} reaches it: name that backup", name=best.backup.name)
    if facts.other and facts.other.via:
        yield tr("  by {tool}: {reason}", tool=said[facts.other.via], reason=facts.other.reason)


def _directories(outcome: Outcome) -> Iterator[str]:
    """The tablespaces on the way, and whether their directories are there."""
    for needed in outcome.directories:
        state = needed.found.word if needed.found else tr("not checked")
        yield tr(
            "  tablespace {tablespace} in {location} ({state})",
            tablespace=needed.tablespace,
            location=needed.location,
            state=state,
        )


TOLD = {True: tr("can be reached"), False: tr("cannot be reached"), None: tr("not proven")}
