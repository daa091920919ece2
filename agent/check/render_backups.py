"""The backups as a person reads them: a few in detail, many as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from agent.documents.values import point
from agent.language import say
from parsers.lsn import format_lsn
from parsers.sentences import indented, tr
from rules.backup.completeness import chain_of
from rules.model.counted import counted
from rules.model.facts import BackupFacts, PagesFacts
from rules.model.windows import Window
from rules.verdict.report import BackupReport

DETAILED_MAX: Final = 3  # more than these are a table
_HEADER: Final = (
    tr("label"), tr("kind"), tr("finished (UTC)"), tr("window (UTC)"), tr("verdict"),
)  # fmt: skip
_LABEL_MAX: Final = 40


def backup_lines(backups: Sequence[BackupReport], *, verbose: bool) -> Iterator[str]:
    """An empty line before each, or before the table."""
    if len(backups) > DETAILED_MAX and not verbose:
        yield ""
        yield tr(
            "{count} backups, oldest first (details: -v, or --backup with one of them)",
            count=len(backups),
        )
        yield from _table(backups)
        return
    for backup in backups:
        yield ""
        yield from _backup(backup)


def _table(backups: Sequence[BackupReport]) -> Iterator[str]:
    names = _names([backup.facts for backup in backups])
    told = [backup.facts for backup in backups]
    rows = [
        [*map(say, row)]
        for row in (_HEADER, *(_row(*each, told) for each in zip(names, backups, strict=True)))
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
        f"{finished:%Y-%m-%d %H:%M}" if finished else tr("not known"),
        _windows(backup.windows),
        _state(backup, all_of_them),
    )


def _state(backup: BackupReport, all_of_them: Sequence[BackupFacts]) -> str:
    """An incremental backup whose chain is there is no failure: it is no data directory yet."""
    facts, said = backup.facts, backup.state.word
    if facts.label.incremental_from_lsn is None or facts.stored or facts.bad_files:
        return said
    return tr("combine it first") if chain_of(facts, all_of_them) else said


def _kind(backup: BackupFacts) -> str:
    if backup.stored:
        return backup.stored.kind
    return "incr" if backup.label.incremental_from_lsn is not None else "full"


def _windows(windows: Sequence[Window]) -> str:
    """The one that reaches furthest, and how many more there are."""
    if not windows:
        return tr("none")
    window = max(windows, key=lambda window: window.to_lsn)
    more = f" (+{len(windows) - 1})" if len(windows) > 1 else ""
    begin, end = format_lsn(window.from_lsn), format_lsn(window.to_lsn)
    if window.from_time is not None and window.to_time is not None:
        begin, end = f"{window.from_time:%m-%d %H:%M}", f"{window.to_time:%m-%d %H:%M}"
    return tr("{begin} to {end}{more}", begin=begin, end=end, more=more)


def _backup(backup: BackupReport) -> Iterator[str]:
    facts, label = backup.facts, backup.facts.label
    yield tr("backup {url}", url=facts.url)
    if facts.stored and facts.stored.parents:
        yield tr(
            "  {kind}, built on {parents}",
            kind=facts.stored.kind,
            parents=", ".join(facts.stored.parents),
        )
    yield tr(
        "  {label}, timeline {timeline}, {start} to {stop}",
        label=tr("no backup_label") if label.label is None else repr(label.label),
        timeline=label.timeline,
        start=format_lsn(label.start_lsn),
        stop=format_lsn(facts.stop_lsn) if facts.stop_lsn is not None else tr("unknown"),
    )
    if facts.files_checked is not None:
        yield tr(
            "  {files} of its manifest checked ({depth})",
            files=counted(facts.files_checked, "file"),
            depth=facts.depth,
        )
    if facts.pages is not None:
        yield indented(_pages(facts.pages))
    yield indented(backup.state.word)
    for window in backup.windows:
        yield tr("  window on timeline {timeline}", timeline=window.timeline)
        yield tr("    from {point}", point=point(window.from_lsn, window.from_time))
        yield tr("    to   {point}", point=point(window.to_lsn, window.to_time))
        if window.commits is not None:
            yield tr(
                "    {commits}, {aborts} in it",
                commits=counted(window.commits, "commit"),
                aborts=counted(window.aborts or 0, "abort"),
            )
        if window.obstacle:
            yield tr(
                "    ended by {obstacle}, which is missing or cannot be used",
                obstacle=window.obstacle,
            )


def _pages(pages: PagesFacts) -> str:
    if pages.unchecked:
        return tr("no page checked: {why}", why=pages.unchecked)
    newer, new = "", ""
    if pages.newer:
        newer = tr(", {newer} newer not judged (replay writes them again)", newer=pages.newer)
    if pages.new:
        new = tr(", {new} empty", new=pages.new)
    checked = counted(pages.checked, "page")
    return tr("{pages} checked{newer}{new}", pages=checked, newer=newer, new=new)
