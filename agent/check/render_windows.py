"""The windows of a verdict as a person reads them."""

from __future__ import annotations

from collections.abc import Iterator

from agent.check.render_text import answer, looked_at
from agent.documents.values import point
from rules.model.counted import counted
from rules.verdict.report import BackupReport, Report


def windows_lines(report: Report) -> Iterator[str]:
    """The verdict, then each backup with its windows, oldest first."""
    yield f"{report.verdict.value.upper()}: {answer(report)}"
    yield f"checked: {looked_at(report)}"
    for backup in report.backups:
        yield ""
        yield from _backup(backup)


def _backup(backup: BackupReport) -> Iterator[str]:
    name, url = backup.facts.name, backup.facts.url
    yield url if name == url else f"{url} ({name})"
    if not backup.windows:
        yield f"  {backup.state.value.replace('_', ' ')}"
    for window in backup.windows:
        end = f"; ended by {window.obstacle}, which cannot be used" if window.obstacle else ""
        held = f", {counted(window.commits, 'commit')}" if window.commits is not None else ""
        yield f"  timeline {window.timeline}{held}{end}"
        yield f"    from {point(window.from_lsn, window.from_time)}"
        yield f"    to   {point(window.to_lsn, window.to_time)}"
