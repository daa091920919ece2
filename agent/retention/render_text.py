"""What `pitr-check retention` prints for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from agent.documents.values import printed_time
from agent.retention.advice import Advice
from parsers.lsn import format_lsn
from rules.model.counted import counted
from rules.model.facts import ArchivedFile
from rules.model.windows import Window
from rules.retention.plan import Cost, Need

_MAX_NAMED = 10


def retention_lines(advice: Advice) -> Iterator[str]:
    plan = advice.plan
    yield f"{advice.verdict.value.upper()}: {_answer(advice)}"
    yield "nothing was deleted, and nothing is by this command"
    yield from (f"note: {note}" for note in advice.notes)
    for need in plan.needs:
        yield ""
        yield from _need(need)
    if plan.cleanup or plan.beside:
        yield ""
        yield from _not_needed(advice)
    if advice.up_to:
        yield ""
        yield f"deleting what is before {advice.up_to}: {_sum(advice.deleted)} would go"
    for cost in advice.costs if advice.up_to else ():
        yield from _cost(cost)


def _answer(advice: Advice) -> str:
    oldest = advice.plan.oldest_segment
    dying = [cost for cost in advice.costs if cost.dies]
    if dying:
        return f"{counted(len(dying), 'backup')} could not be restored any more"
    return f"the oldest segment that is still needed is {oldest}" if oldest else "nothing is needed"


def _need(need: Need) -> Iterator[str]:
    label = need.backup.label
    kept = "" if need.kept else " (not kept)"
    yield f"backup {need.backup.url}{kept}"
    yield f"  {label.label!r}, timeline {label.timeline}, started {label.started_at_text}"
    yield f"  needs WAL from {need.oldest_segment} on, timelines {_listed(need.timelines)}"
    if need.histories:
        names = ", ".join(f"{timeline:08X}.history" for timeline in need.histories)
        yield f"  and {names}"
    if need.parents:
        yield f"  is built on {', '.join(need.parents)}"


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _not_needed(advice: Advice) -> Iterator[str]:
    plan = advice.plan
    if plan.cleanup:
        yield (
            f"needed by no backup kept: {plan.cleanup[0]} to {plan.cleanup[-1]}, "
            f"{counted(len(plan.cleanup), 'segment')}"
        )
    if plan.beside:
        names = ", ".join(plan.beside[:_MAX_NAMED])
        more = f" and {len(plan.beside) - _MAX_NAMED} more" if len(plan.beside) > _MAX_NAMED else ""
        yield f"and on timelines that no backup kept can reach: {names}{more}"
    yield f"together {_sum(advice.removable)}"
    if not advice.is_sure:
        yield "delete none of them: see the notes above"
    elif advice.command:
        yield "this lists the former (-n: it deletes nothing; without it, it deletes them):"
        yield f"  {advice.command}"
    else:
        yield "their paths, one a line: the same command with --format list"
    if plan.histories:
        yield "history files are small: keep them all"


def _sum(files: Sequence[ArchivedFile]) -> str:
    paths = {file.path: file.size_bytes for file in files}
    return f"{counted(len(paths), 'file')}, {sum(paths.values()) / (1 << 20):.1f} MiB"


def _cost(cost: Cost) -> Iterator[str]:
    url = cost.need.backup.url
    if cost.before is None or cost.after is None:
        yield f"  {url}: what it would lose cannot be said"
    elif cost.dies:
        yield f"  {url}: LOST, it could not be restored any more"
        yield from (f"    was {_window(window)}" for window in cost.before)
    elif cost.shrinks:
        yield f"  {url}: its windows shrink"
        yield from (f"    was {_window(window)}" for window in cost.before)
        yield from (f"    then {_window(window)}" for window in cost.after)
    else:
        yield f"  {url}: loses nothing"


def _window(window: Window) -> str:
    to = printed_time(window.to_time) if window.to_time else "unknown time"
    return (
        f"timeline {window.timeline}, {format_lsn(window.from_lsn)} to "
        f"{format_lsn(window.to_lsn)} ({to})"
    )


def paths(advice: Advice) -> Iterable[str]:
    """The paths that nothing kept needs, one a line, and nothing else."""
    return dict.fromkeys(file.path for file in advice.removable)
