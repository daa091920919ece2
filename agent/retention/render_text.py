"""What `pitr-check retention` prints for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from agent.documents.values import printed_time
from agent.retention.advice import Advice
from parsers.lsn import format_lsn
from parsers.sentences import indented, tr, trn
from rules.model.counted import counted
from rules.model.facts import ArchivedFile
from rules.model.windows import Window
from rules.retention.plan import Cost, Need

_MAX_NAMED = 10


def retention_lines(advice: Advice) -> Iterator[str]:
    plan = advice.plan
    yield tr("{verdict}: {answer}", verdict=advice.verdict.word, answer=_answer(advice))
    yield tr("nothing was deleted, and nothing is by this command")
    yield from (tr("note: {note}", note=note) for note in advice.notes)
    for need in plan.needs:
        yield ""
        yield from _need(need)
    if plan.cleanup or plan.beside:
        yield ""
        yield from _not_needed(advice)
    if advice.up_to:
        yield ""
        yield tr(
            "deleting what is before {segment}: {sum} would go",
            segment=advice.up_to,
            sum=_sum(advice.deleted),
        )
    for cost in advice.costs if advice.up_to else ():
        yield from _cost(cost)


def _answer(advice: Advice) -> str:
    oldest = advice.plan.oldest_segment
    dying = [cost for cost in advice.costs if cost.dies]
    if dying:
        return trn(
            "{n} backup could not be restored any more",
            "{n} backups could not be restored any more",
            len(dying),
        )
    if oldest:
        return tr("the oldest segment that is still needed is {oldest}", oldest=oldest)
    return tr("nothing is needed")


def _need(need: Need) -> Iterator[str]:
    label = need.backup.label
    url = need.backup.url
    yield tr("backup {url}", url=url) if need.kept else tr("backup {url} (not kept)", url=url)
    yield tr(
        "  {label!r}, timeline {timeline}, started {started}",
        label=label.label,
        timeline=label.timeline,
        started=label.started_at_text,
    )
    yield tr(
        "  needs WAL from {segment} on, timelines {timelines}",
        segment=need.oldest_segment,
        timelines=", ".join(map(str, need.timelines)),
    )
    if need.histories:
        names = ", ".join(f"{timeline:08X}.history" for timeline in need.histories)
        yield tr("  and {names}", names=names)
    if need.parents:
        yield tr("  is built on {parents}", parents=", ".join(need.parents))


def _not_needed(advice: Advice) -> Iterator[str]:
    plan = advice.plan
    if plan.cleanup:
        yield tr(
            "needed by no backup kept: {first} to {last}, {segments}",
            first=plan.cleanup[0],
            last=plan.cleanup[-1],
            segments=counted(len(plan.cleanup), "segment"),
        )
    if plan.beside:
        names, more = ", ".join(plan.beside[:_MAX_NAMED]), ""
        if len(plan.beside) > _MAX_NAMED:
            more = tr(" and {count} more", count=len(plan.beside) - _MAX_NAMED)
        yield tr(
            "and on timelines that no backup kept can reach: {names}{more}", names=names, more=more
        )
    yield tr("together {sum}", sum=_sum(advice.removable))
    if not advice.is_sure:
        yield tr("delete none of them: see the notes above")
    elif advice.command:
        yield tr("this lists the former (-n: it deletes nothing; without it, it deletes them):")
        yield indented(advice.command)
    else:
        yield tr("their paths, one a line: the same command with --format list")
    if plan.histories:
        yield tr("history files are small: keep them all")


def _sum(files: Sequence[ArchivedFile]) -> str:
    paths = {file.path: file.size_bytes for file in files}
    size = sum(paths.values()) / (1 << 20)
    return tr("{files}, {size:.1f} MiB", files=counted(len(paths), "file"), size=size)


def _cost(cost: Cost) -> Iterator[str]:
    url = cost.need.backup.url
    if cost.before is None or cost.after is None:
        yield tr("  {url}: what it would lose cannot be said", url=url)
        return
    was = [tr("    was {window}", window=_window(window)) for window in cost.before]
    if cost.dies:
        yield tr("  {url}: LOST, it could not be restored any more", url=url)
        yield from was
    elif cost.shrinks:
        yield tr("  {url}: its windows shrink", url=url)
        yield from was
        yield from (tr("    then {window}", window=_window(window)) for window in cost.after)
    else:
        yield tr("  {url}: loses nothing", url=url)


def _window(window: Window) -> str:
    return tr(
        "timeline {timeline}, {begin} to {end} ({at})",
        timeline=window.timeline,
        begin=format_lsn(window.from_lsn),
        end=format_lsn(window.to_lsn),
        at=printed_time(window.to_time) if window.to_time else tr("unknown time"),
    )


def paths(advice: Advice) -> Iterable[str]:
    """The paths that nothing kept needs, one a line, and nothing else."""
    return dict.fromkeys(file.path for file in advice.removable)
