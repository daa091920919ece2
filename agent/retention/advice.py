"""One run of `pitr-check retention`: read, plan, and what a deletion would cost."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from agent.archive.progress import OnProgress
from agent.errors import CannotCheck, UsageError
from agent.inputs.gather import ReadingOptions, gather
from agent.repositories.sources import RepositorySources
from agent.store.urls import is_remote
from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.scan import Depth
from rules.case.case import Case
from rules.case.context import Context
from rules.case.derived.listing import Identity, Listings
from rules.case.derived.segments import scans_of
from rules.case.observations import ProposedRemoval
from rules.events.coverage import find_coverage
from rules.events.path_segments import Chapter, MissingSegment, extent_of, read_chapters
from rules.model.counted import counted
from rules.model.facts import ArchivedFile, ArchiveFacts, BackupsFacts, ScanFacts
from rules.model.findings import Verdict
from rules.model.repository import RepositoriesRead
from rules.model.restore_inputs import Wal
from rules.model.timelines import TimelineTree
from rules.model.windows import RemovalFacts
from rules.retention.plan import (
    Cost,
    RetentionPlan,
    files_of,
    find_costs,
    find_needs,
    keep_newest,
    make_plan,
    removed_up_to,
)

_EXPIRE: Final = {
    "pgBackRest": "pgbackrest expire",
    "Barman": tr("barman delete, or its retention policy"),
    "barman-cloud": "barman-cloud-backup-delete",
    "WAL-G": "wal-g delete",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRequest:
    """What a person typed, read."""

    archives: Sequence[str]
    backups: Sequence[str]
    backups_below: str | None
    repositories: RepositorySources
    depth: Depth | Literal["names"]
    reading: ReadingOptions
    keep: int | None  # None: every backup
    up_to_segment: str | None
    up_to_us: int | None  # TimestampTz: instead of the segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Everything that is printed."""

    archives: tuple[ArchiveFacts, ...]
    plan: RetentionPlan
    depth: str
    removable: tuple[ArchivedFile, ...]  # files that nothing kept needs
    is_sure: bool  # every backup could be read: else nothing should be deleted
    command: str | None  # that lists what would go; None: it cannot be said in one
    up_to: str | None  # the segment that a deletion would stop before
    deleted: tuple[ArchivedFile, ...]  # what it would take
    costs: tuple[Cost, ...]
    notes: tuple[str, ...]
    verdict: Verdict


def advise(asked: RetentionRequest, on_progress: OnProgress) -> Advice:
    """Read and plan. Raises CannotCheck, UsageError."""
    case = gather(
        asked.archives, asked.backups, asked.backups_below,
        context=Context(depth=asked.depth), backup_depth="label", reading=asked.reading,
        repositories=asked.repositories,
        on_progress=on_progress,
    )  # fmt: skip
    listings, archive, identity = (
        case.get(Listings),
        case.get(ArchiveFacts),
        case.get(Identity),
    )
    found, tree = case.get(BackupsFacts), case.get(TimelineTree)
    assert archive is not None and listings is not None and tree is not None, "one was named"
    size = identity.segment_size_bytes if identity else None
    if size is None or found is None:
        raise CannotCheck(tr("{url}: no segment tells how large segments are", url=archive.url))
    backups = found.backups
    needs = keep_newest(find_needs(backups, tree, archive.histories), asked.keep)
    plan = make_plan(needs, archive, tree, size)
    up_to = asked.up_to_segment
    if asked.up_to_us is not None:
        up_to = _segment_at(asked.up_to_us, case, tree, size)
    goes = removed_up_to(archive, up_to) if up_to else frozenset(plan.cleanup)
    kept = frozenset(need.backup.url for need in needs if need.kept)
    removal = case.having(ProposedRemoval(segments=goes, kept=kept)).get(RemovalFacts)
    assert removal is not None, "there are an archive, backups and a size"
    costs = find_costs(needs, removal)
    sure, tools = _is_sure(case, plan), case.get(RepositoriesRead)
    removable = tuple(files_of(archive, (*plan.cleanup, *plan.beside)))
    return Advice(
        archives=listings.archives,
        plan=plan,
        depth=asked.depth,
        removable=removable,
        is_sure=sure,
        command=_command(listings.archives, plan) if sure and not tools else None,
        up_to=up_to,
        deleted=tuple(files_of(archive, sorted(goes))) if up_to else (),
        costs=tuple(costs),
        notes=tuple(_notes(case, plan)),
        verdict=_verdict(case, plan, costs),
    )


def _segment_at(at_us: int, case: Case, tree: TimelineTree, size: int) -> str:
    """The first segment that holds WAL of an instant, on the newest timeline's path."""
    newest, scans = max(tree.timelines), scans_of(case)
    wal = Wal(
        segment_size=size,
        names=scans.keys(),
        archived=scans.get,
        find_record=lambda name, lsn, begin_lsn: None,
    )
    path = tree.path(newest)
    extent = extent_of(wal, path, None)
    pages = list(read_chapters(wal, path, extent)) if extent else []
    chapters = [page for page in pages if isinstance(page, Chapter)]
    holes = [page for page in pages if isinstance(page, MissingSegment)]
    coverage = find_coverage(at_us, chapters, holes, wal) if chapters else None
    if coverage is None or not coverage.segments:
        raise UsageError(
            tr("--up-to: the time lies before all the WAL that some backup could need")
        )
    return coverage.segments[0].segment


def _is_sure(case: Case, plan: RetentionPlan) -> bool:
    """Whether every backup was read: one that was not may need older WAL than all others.

    And whether the WAL is these backups' own: of another cluster's they need nothing, and tell
    nothing.
    """
    found = case.get(BackupsFacts)
    unread = found is not None and bool(found.unreadable or found.changing)
    foreign = list(_foreign(case))
    return not unread and not foreign and not any(need.parent_missing for need in plan.needs)


def _foreign(case: Case) -> Iterator[str]:
    """What shows that several clusters are looked at as if they were one."""
    found, scan = case.get(BackupsFacts), case.get(ScanFacts)
    backups = found.backups if found else ()
    clusters = {backup.system_identifier for backup in backups} - {None}
    if len(clusters) > 1:
        yield tr(
            "the backups are of {count} clusters: ask for each with its own archive "
            "(system identifiers {identifiers})",
            count=len(clusters),
            identifiers=", ".join(map(str, sorted(clusters, key=str))),
        )
    if scan is None:
        return
    damaged = {each.segment for each in scan.damaged if each.kind == "foreign_system"}
    copied = {each.segment for each in scan.copies if each.kind == "foreign_system"}
    names = sorted(damaged | copied)
    if names:
        yield tr(
            "the archive holds WAL of another cluster than the backups' "
            "({segments}, the first {first}): "
            "which of the older ones belong to which is not known",
            segments=counted(len(names), "segment"),
            first=names[0],
        )


def _command(archives: Sequence[ArchiveFacts], plan: RetentionPlan) -> str | None:
    """pg_archivecleanup looks into one flat directory, and knows one suffix."""
    if len(archives) != 1 or not plan.cleanup:
        return None
    (archive,) = archives
    if is_remote(archive.url):
        return None
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


def _notes(case: Case, plan: RetentionPlan) -> list[str]:
    backups = case.get(BackupsFacts)
    notes: list[str] = [
        tr(
            "{url} could not be read ({why}): it may need older WAL than all others",
            url=url,
            why=why,
        )
        for url, why in (backups.unreadable if backups else {}).items()
    ]
    notes += [
        tr("{url} is being written or deleted: it may need older WAL than all others", url=url)
        for url in (backups.changing if backups else ())
    ]
    notes += [
        tr(
            "{url} is incremental, and a backup that it is built on was not found",
            url=need.backup.url,
        )
        for need in plan.needs
        if need.parent_missing
    ]
    notes += _foreign(case)
    if (tools := case.get(RepositoriesRead)) is not None:
        tool = tools.repositories[0].tool
        notes.append(
            tr("in a repository only its tool may delete: {command}", command=_EXPIRE[tool])
        )
    if plan.oldest_segment is None:
        notes.append(tr("no backup is kept: then no WAL is needed"))
    return notes


def _verdict(case: Case, plan: RetentionPlan, costs: Sequence[Cost]) -> Verdict:
    """Critical when a backup would die of the deletion; a backup that cannot be read is unknown."""
    if any(cost.dies for cost in costs):
        return Verdict.CRITICAL
    if not _is_sure(case, plan) or any(cost.before is None or cost.after is None for cost in costs):
        return Verdict.UNKNOWN
    return Verdict.WARNING if any(cost.shrinks for cost in costs) else Verdict.OK
