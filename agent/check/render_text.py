"""The verdict as a person reads it: the answer first, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from agent.check.render_drill import drill_lines
from agent.check.restore_command import block_to_paste
from parsers.lsn import format_lsn
from parsers.wal_facts import instant
from rules.findings import Finding, Severity, Verdict
from rules.outcome import Outcome
from rules.report import ArchiveReport, BackupReport, Report
from rules.sequence import Gap
from rules.target import Target

_WORDS = {
    Verdict.OK: "OK",
    Verdict.WARNING: "WARNING",
    Verdict.CRITICAL: "CRITICAL",
    Verdict.UNKNOWN: "UNKNOWN",
}
_LOOKED = {
    "names": "file names only: nothing inside the segments was looked at",
    "headers": "names, sizes and page headers: no record was read",
    "records": "every record, its checksum and its link to the one before",
}


def render_text(report: Report) -> str:
    """Several lines, the verdict first."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield f"{_WORDS[report.verdict]}: {answer(report)}"
    yield f"looked at: {looked_at(report)}"
    yield from (f"  {line}" for line in reading_time(report))
    for finding in report.findings:
        if finding.severity is not Severity.INFO:
            yield from _finding(finding)
    for archive in report.archives:
        yield ""
        yield from _archive(report, archive)
    for backup in report.backups:
        yield ""
        yield from _backup(backup)
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
        yield from (f"  {finding.id}: {finding.summary}" for finding in infos)


def looked_at(report: Report) -> str:
    """How far, and in how much of what there is."""
    return f"{_LOOKED[report.question.depth]}{_not_all(report)}"


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
    """One line. What was asked comes first: a target out of reach is no news about the windows."""
    asked, reachable = report.target.target, report.target.reachable
    if asked.type == "none" or reachable or not report.restorable:
        return _restorable(report)
    return f"{asked_for(asked)} {TOLD[reachable]}; {_restorable(report)}"


def _restorable(report: Report) -> str:
    if report.restorable is None:
        return "whether a backup can be restored is not known"
    if not report.restorable:
        return "no backup can be restored with what is there"
    windows = [window for backup in report.backups for window in backup.windows]
    newest = max(windows, key=lambda window: window.to_lsn)
    restorable = sum(1 for backup in report.backups if backup.windows)
    many = "1 backup is" if restorable == 1 else f"{restorable} backups are"
    return f"{many} restorable, up to {_point(newest.to_lsn, newest.to_time)}"


def _point(lsn: int, at: datetime | None) -> str:
    return f"{format_lsn(lsn)} ({at:%Y-%m-%d %H:%M:%S.%f %Z})" if at else format_lsn(lsn)


def _finding(finding: Finding) -> Iterator[str]:
    yield ""
    yield f"{finding.severity.value.upper()} {finding.id}: {finding.summary}"
    yield f"  what to do: {finding.remedy}"


def _archive(report: Report, archive: ArchiveReport) -> Iterator[str]:
    facts = archive.facts
    names = sorted(facts.segments, key=lambda name: (name[8:], name[:8]))
    size = f"{report.segment_size_bytes >> 20} MiB" if report.segment_size_bytes else "unknown size"
    yield f"archive {facts.url}"
    if names:
        yield f"  {_segments(len(names))} of {size}, {names[0]} to {names[-1]}"
    else:
        yield "  no segment"
    for node in report.tree.timelines.values():
        if node.parent is not None and node.switch_lsn is not None:
            yield f"  timeline {node.id} left {node.parent} at {format_lsn(node.switch_lsn)}"
        else:
            yield f"  timeline {node.id}"
    for gap in archive.sequence.gaps if archive.sequence else ():
        yield f"  gap: {_gap(gap)}"


def _segments(count: int) -> str:
    return "1 segment" if count == 1 else f"{count} segments"


def _gap(gap: Gap) -> str:
    span = gap.first_name if gap.first == gap.last else f"{gap.first_name} to {gap.last_name}"
    note = ", no restore needs it" if gap.harmless else ""
    return f"{span} ({gap.segments_count} {gap.cause}{note})"


def _backup(backup: BackupReport) -> Iterator[str]:
    facts, label = backup.facts, backup.facts.label
    stop = format_lsn(facts.stop_lsn) if facts.stop_lsn is not None else "unknown"
    yield f"backup {facts.url}"
    yield f"  {label.label!r}, timeline {label.timeline}, {format_lsn(label.start_lsn)} to {stop}"
    if facts.files_checked is not None:
        yield f"  {facts.files_checked} files of its manifest looked at ({facts.depth})"
    yield f"  {backup.state.value.replace('_', ' ')}"
    for window in backup.windows:
        yield f"  window on timeline {window.timeline}"
        yield f"    from {_point(window.from_lsn, window.from_time)}"
        yield f"    to   {_point(window.to_lsn, window.to_time)}"
        if window.commits is not None:
            yield f"    {window.commits} commits, {window.aborts} aborts in it"
        if window.obstacle:
            yield f"    ended by {window.obstacle}, which is missing or cannot be used"


def _restore_points(report: Report) -> Iterator[str]:
    yield "restore points"
    for timeline, point in report.restore_points:
        at = f"{instant(point.time_us):%Y-%m-%d %H:%M:%S.%f %Z}"
        yield f"  {point.name!r} at {format_lsn(point.end_lsn)}, timeline {timeline}, {at}"


def _target(report: Report) -> Iterator[str]:
    facts = report.target
    yield f"recovery to {asked_for(facts.target)}: {TOLD[facts.reachable]}"
    yield f"  {facts.reason}"
    outcome = facts.prediction
    if outcome is None:
        return
    if outcome.fatal:
        yield f"  PostgreSQL will say: FATAL:  {outcome.fatal}"
    yield from _directories(outcome)
    if outcome.last_transaction:
        last = outcome.last_transaction
        yield f"  last completed transaction: {last.xid}, {last.time:%Y-%m-%d %H:%M:%S.%f %Z}"
    if outcome.new_timeline:
        yield f"  then timeline {outcome.new_timeline} begins"
    block = block_to_paste(report)
    if block:
        needed = f"{_segments(len(outcome.segments_needed))} ({outcome.bytes_needed >> 20} MiB)"
        yield f"  it needs {needed}; to paste:"
        yield from (f"    {line}" for line in block.splitlines())


def asked_for(target: Target) -> str:
    """A target in words."""
    value = f" {target.value}" if target.value else ""
    return "end of WAL" if target.type == "none" else f"{target.type}{value}"


def _directories(outcome: Outcome) -> Iterator[str]:
    """The tablespaces on the way, and whether their directories are there."""
    for needed in outcome.directories:
        state = needed.found.value if needed.found else "not looked at"
        yield f"  tablespace {needed.tablespace} in {needed.location} ({state})"


TOLD = {True: "can be reached", False: "cannot be reached", None: "not proven"}
