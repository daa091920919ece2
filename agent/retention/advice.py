"""One run of `pitr-check retention`: read, plan, and what a deletion would cost."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent.check.gather import Reading, gather
from agent.cli.entry import CannotCheck, UsageError
from parsers.wal_scan import Depth
from rules.archive import merge_archives, timeline_tree
from rules.chronicle import Chapter, Hole, extent_of, read_chapters
from rules.coverage import find_coverage
from rules.facts import ArchivedFile, ArchiveFacts
from rules.findings import Verdict
from rules.report import Gathered
from rules.restore import Wal
from rules.retention import (
    Cost,
    Plan,
    files_of,
    find_costs,
    find_needs,
    keep_newest,
    make_plan,
    removed_up_to,
)
from rules.timelines import TimelineTree

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person typed, read."""

    archives: Sequence[str]
    backups: Sequence[str]
    backups_below: str | None
    depth: Depth | Literal["names"]
    reading: Reading
    keep: int | None  # None: every backup
    up_to_segment: str | None
    up_to_us: int | None  # TimestampTz: instead of the segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Everything that is printed."""

    archives: tuple[ArchiveFacts, ...]
    plan: Plan
    depth: str
    removable: tuple[ArchivedFile, ...]  # files that nothing kept needs
    is_sure: bool  # every backup could be read: else nothing should be deleted
    command: str | None  # that lists what would go; None: it cannot be said in one
    up_to: str | None  # the segment that a deletion would stop before
    deleted: tuple[ArchivedFile, ...]  # what it would take
    costs: tuple[Cost, ...]
    notes: tuple[str, ...]
    verdict: Verdict


def advise(asked: Asked, on_progress: Progress) -> Advice:
    """Read and plan. Raises CannotCheck, UsageError."""
    gathered = gather(
        asked.archives, asked.backups, asked.backups_below,
        depth=asked.depth, backup_depth="label", reading=asked.reading,
        on_progress=on_progress,
    )  # fmt: skip
    archive = merge_archives(gathered.archives)
    size = archive.segment_size_bytes
    if size is None or gathered.backups is None:
        raise CannotCheck(f"{archive.url}: no segment tells how large segments are")
    backups = gathered.backups.backups
    tree = timeline_tree(archive, backups)
    needs = keep_newest(find_needs(backups, tree, archive.histories, size), asked.keep)
    plan = make_plan(needs, archive, tree, size)
    up_to = asked.up_to_segment
    if asked.up_to_us is not None:
        up_to = _segment_at(asked.up_to_us, gathered, archive, tree, size)
    goes = removed_up_to(archive, up_to) if up_to else frozenset(plan.cleanup)
    costs = find_costs(needs, gathered.restores, archive, tree, goes, size)
    sure = _is_sure(gathered, plan)
    removable = tuple(files_of(archive, (*plan.cleanup, *plan.beside)))
    return Advice(
        archives=gathered.archives,
        plan=plan,
        depth=asked.depth,
        removable=removable,
        is_sure=sure,
        command=_command(gathered.archives, plan) if sure else None,
        up_to=up_to,
        deleted=tuple(files_of(archive, sorted(goes))) if up_to else (),
        costs=tuple(costs),
        notes=tuple(_notes(gathered, plan)),
        verdict=_verdict(gathered, plan, costs),
    )


def _segment_at(
    at_us: int, gathered: Gathered, archive: ArchiveFacts, tree: TimelineTree, size: int
) -> str:
    """The first segment that holds WAL of an instant, on the newest timeline's path."""
    newest = max(tree.timelines)
    wal = Wal(
        segment_size=size,
        names=gathered.scans.keys(),
        archived=gathered.scans.get,
        find_record=lambda name, lsn, begin_lsn: None,
    )
    path = tree.path(newest)
    extent = extent_of(wal, path, None)
    pages = list(read_chapters(wal, path, extent)) if extent else []
    chapters = [page for page in pages if isinstance(page, Chapter)]
    holes = [page for page in pages if isinstance(page, Hole)]
    coverage = find_coverage(at_us, chapters, holes, wal) if chapters else None
    if coverage is None or not coverage.segments:
        raise UsageError("--up-to: the time lies before all the WAL that some backup could need")
    return coverage.segments[0].segment


def _is_sure(gathered: Gathered, plan: Plan) -> bool:
    """Whether every backup was read: one that was not may need older WAL than all others.

    And whether the WAL is these backups' own: of another cluster's they need nothing, and tell
    nothing.
    """
    unread = gathered.backups.unreadable if gathered.backups else {}
    foreign = list(_foreign(gathered))
    return not unread and not foreign and not any(need.parent_missing for need in plan.needs)


def _foreign(gathered: Gathered) -> Iterator[str]:
    """What shows that several clusters are looked at as if they were one."""
    backups = gathered.backups.backups if gathered.backups else ()
    clusters = {backup.system_identifier for backup in backups} - {None}
    if len(clusters) > 1:
        yield (
            f"the backups are of {len(clusters)} clusters: ask for each with its own archive"
            f" (system identifiers {', '.join(map(str, sorted(clusters, key=str)))})"
        )
    if gathered.scan is None:
        return
    damaged = {each.segment for each in gathered.scan.damaged if each.kind == "foreign_system"}
    copied = {each.segment for each in gathered.scan.copies if each.kind == "foreign_system"}
    names = sorted(damaged | copied)
    if names:
        yield (
            f"the archive holds WAL of another cluster than the backups' ({len(names)} segments,"
            f" the first {names[0]}): which of the older ones are whose is not known"
        )


def _command(archives: Sequence[ArchiveFacts], plan: Plan) -> str | None:
    """pg_archivecleanup looks into one flat directory, and knows one suffix."""
    if len(archives) != 1 or not plan.cleanup:
        return None
    (archive,) = archives
    root = Path(archive.url)
    suffixes = set[str]()
    for segment, file in archive.segments.items():
        if Path(file.path).parent != root:
            return None
        suffixes.add(file.name[len(segment) :])
    if len(suffixes) > 1:
        return None
    (suffix,) = suffixes
    option = f" -x {suffix}" if suffix else ""
    return f"pg_archivecleanup -n{option} {shlex.quote(str(root.absolute()))} {plan.oldest_segment}"


def _notes(gathered: Gathered, plan: Plan) -> list[str]:
    backups = gathered.backups
    notes = [
        f"{url} could not be read ({why}): it may need older WAL than all others"
        for url, why in (backups.unreadable if backups else {}).items()
    ]
    notes += [
        f"{need.backup.url} is incremental, and a backup that it is built on was not found"
        for need in plan.needs
        if need.parent_missing
    ]
    notes += _foreign(gathered)
    if plan.oldest_segment is None:
        notes.append("no backup is kept: then no WAL is needed")
    return notes


def _verdict(gathered: Gathered, plan: Plan, costs: Sequence[Cost]) -> Verdict:
    """Critical when a backup would die of the deletion; a backup that cannot be read is unknown."""
    if any(cost.dies for cost in costs):
        return Verdict.CRITICAL
    if not _is_sure(gathered, plan) or any(
        cost.before is None or cost.after is None for cost in costs
    ):
        return Verdict.UNKNOWN
    return Verdict.WARNING if any(cost.shrinks for cost in costs) else Verdict.OK
