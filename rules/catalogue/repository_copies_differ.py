"""The repository has two contents of one segment.

Why it matters
    archive-get refuses such a segment ("duplicates found in archive"), with a status that
    PostgreSQL takes for the end of the WAL: a restore ends there, silently where it has no target.
How to look
    The two names hold the SHA-1 of their contents. Two servers archived into one stanza: a primary
    that went on after a failover, or a restored copy that still archives.
What to do
    End the second server's archiving. Of the two files keep the one of the cluster whose history
    counts, move the other out of the repository, and take a backup.
"""

from collections.abc import Iterator

from parsers.repository.pgbackrest import StoredSegment, parse_stored_name
from parsers.sentences import tr
from rules.model.facts import ArchivedFile, ArchiveFacts
from rules.model.findings import Severity
from rules.model.gathered import gathered, so_are_more, span_of
from rules.model.repository import RepositoriesRead
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING)
def repository_copies_differ(tools: RepositoriesRead, archive: ArchiveFacts) -> Iterator[Found]:
    roots = [f"{each.url}/" for each in tools.repositories if each.tool == "pgBackRest"]
    differing = (
        (root, name, sorted(stored))
        for name, copies in sorted(archive.copies.items())
        for root in roots
        if (stored := _contents(archive, name, copies, root))
    )
    for found in gathered(differing, lambda each: each[0]):
        _, name, (first, *others) = found[0]
        names = [each[1] for each in found]
        told = tr(
            "{name} is stored with {count} contents, and archive-get refuses it: {first} and"
            " {others}",
            name=name,
            count=len(others) + 1,
            first=first,
            others=", ".join(others),
        )
        yield Found(
            so_are_more(told, names),
            segment=name,
            url=first,
            **span_of(names),
        )


def _contents(
    archive: ArchiveFacts, name: str, copies: tuple[ArchivedFile, ...], root: str
) -> list[str]:
    """The paths of a segment's files in one repository, if their contents differ."""
    files = (archive.segments[name], *copies) if name in archive.segments else copies
    stored = dict(_stored(files, root))
    return list(stored) if len({each.sha1 for each in stored.values()}) > 1 else []


def _stored(files: tuple[ArchivedFile, ...], root: str) -> Iterator[tuple[str, StoredSegment]]:
    """The files of one repository, by their paths."""
    for file in files:
        stored = parse_stored_name(file.name)
        if stored is not None and file.path.startswith(root):
            yield file.path, stored
