"""The backups as a person reads them: a few in detail, many as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from agent.documents.values import point
from parsers.lsn import format_lsn
from rules.backup.completeness import chain_of
from rules.model.counted import counted
from rules.model.facts import BackupFacts, PagesFacts
from rules.model.windows import Window
from rules.verdict.report import BackupReport

DETAILED_MAX: Final = 3  # more than these are a table
_HEADER: Final = ("label", "kind", "finished (UTC)", "window (UTC)", "verdict")
_LABEL_MAX: Final = 40


def backup_lines(backups: Sequence[BackupReport], *, verbose: bool) -> Iterator[str]:
    """An empty line before each, or before the table."""
    if len(backups) > DETAILED_MAX and not verbose:
        yield ""
        yield f"{len(backups)} backups, oldest first (details: -v, or --backup with one of them)"
        yield from _table(backups)
        return
    for backup in backups:
        yield ""
        yield from _backup(backup)


def _table(backups: Sequence[BackupReport]) -> Iterator[str]:
    names = _names([backup.facts for backup in backups])
    told = [backup.facts for backup in backups]
    rows = [
        _HEADER,
        *(_row(name, backup, told) for name, backup in zip(names, backups, strict=True)),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def _names(backups: Sequence[BackupFacts]) -> list[str]:
    """What tells them apart: the tool's labels, or the paths without what all have in common."""
    if all(backup.stored for backup in backups):
        return [backup.name for backup in backups]
    paths = [backup.url.rstrip("/").split("/") for backup in backups]
    shared = 0
    while all(len(path) > shared + 1 for path in paths) and len({p[shared] for p in paths}) == 1:
        shared += 1
    return [_shortened("/".join(path[shared:])) for path in paths]


def _shortened(name: str) -> str:
    return name if len(name) <= _LABEL_MAX else f"…{name[1 - _LABEL_MAX :]}"


def _row(name: str, backup: BackupReport, all_of_them: Sequence[BackupFacts]) -> tuple[str, ...]:
    finished = backup.facts.finished_at
    return (
        name,
        _kind(backup.facts),
        f"{finished:%Y-%m-%d %H:%M}" if finished else "not known",
        _windows(backup.windows),
        _state(backup, all_of_them),
    )


def _state(backup: BackupReport, all_of_them: Sequence[BackupFacts]) -> str:
    """An incremental backup whose chain is there is no failure: it is no data directory yet."""
    facts, said = backup.facts, backup.state.value.replace("_", " ")
    if facts.label.incremental_from_lsn is None or facts.stored or facts.bad_files:
        return said
    return "combine it first" if chain_of(facts, all_of_them) else said


def _kind(backup: BackupFacts) -> str:
    if backup.stored:
        return backup.stored.kind
    return "incr" if backup.label.incremental_from_lsn is not None else "full"


def _windows(windows: Sequence[Window]) -> str:
    """The one that reaches furthest, and how many more there are."""
    if not windows:
        return "none"
    window = max(windows, key=lambda window: window.to_lsn)
    more = f" (+{len(windows) - 1})" if len(windows) > 1 else ""
    if window.from_time is None or window.to_time is None:
        return f"{format_lsn(window.from_lsn)} to {format_lsn(window.to_lsn)}{more}"
    return f"{window.from_time:%m-%d %H:%M} to {window.to_time:%m-%d %H:%M}{more}"


def _backup(backup: BackupReport) -> Iterator[str]:
    facts, label = backup.facts, backup.facts.label
    stop = format_lsn(facts.stop_lsn) if facts.stop_lsn is not None else "unknown"
    yield f"backup {facts.url}"
    if facts.stored and facts.stored.parents:
        yield f"  {facts.stored.kind}, built on {', '.join(facts.stored.parents)}"
    named = "no backup_label" if label.label is None else repr(label.label)
    yield f"  {named}, timeline {label.timeline}, {format_lsn(label.start_lsn)} to {stop}"
    if facts.files_checked is not None:
        yield f"  {counted(facts.files_checked, 'file')} of its manifest checked ({facts.depth})"
    if facts.pages is not None:
        yield f"  {_pages(facts.pages)}"
    yield f"  {backup.state.value.replace('_', ' ')}"
    for window in backup.windows:
        yield f"  window on timeline {window.timeline}"
        yield f"    from {point(window.from_lsn, window.from_time)}"
        yield f"    to   {point(window.to_lsn, window.to_time)}"
        if window.commits is not None:
            aborts = counted(window.aborts or 0, "abort")
            yield f"    {counted(window.commits, 'commit')}, {aborts} in it"
        if window.obstacle:
            yield f"    ended by {window.obstacle}, which is missing or cannot be used"


def _pages(pages: PagesFacts) -> str:
    if pages.unchecked:
        return f"no page checked: {pages.unchecked}"
    newer = f", {pages.newer} newer not judged (replay writes them again)" if pages.newer else ""
    new = f", {pages.new} empty" if pages.new else ""
    return f"{counted(pages.checked, 'page')} checked{newer}{new}"
