"""The windows of a verdict as a person reads them."""

from __future__ import annotations

from collections.abc import Iterator

from agent.check.render_text import answer, looked_at
from agent.documents.values import point
from parsers.sentences import indented, joined, tr
from rules.model.counted import counted
from rules.verdict.report import BackupReport, Report


def windows_lines(report: Report) -> Iterator[str]:
    """The verdict, then each backup with its windows, oldest first."""
    yield tr("{verdict}: {answer}", verdict=report.verdict.word, answer=answer(report))
    yield tr("checked: {what}", what=looked_at(report))
    for backup in report.backups:
        yield ""
        yield from _backup(backup)


def _backup(backup: BackupReport) -> Iterator[str]:
    name, url = backup.facts.name, backup.facts.url
    yield url if name == url else f"{url} ({name})"
    if not backup.windows:
        yield indented(backup.state.word)
    for window in backup.windows:
        parts: list[str] = [tr("timeline {timeline}", timeline=window.timeline)]
        parts += [counted(window.commits, "commit")] if window.commits is not None else []
        held, end = joined(", ", parts), ""
        if window.obstacle:
            end = tr("; ended by {obstacle}, which cannot be used", obstacle=window.obstacle)
        yield tr("  {held}{end}", held=held, end=end)
        yield tr("    from {point}", point=point(window.from_lsn, window.from_time))
        yield tr("    to   {point}", point=point(window.to_lsn, window.to_time))
