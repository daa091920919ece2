"""The tool found pages with a wrong checksum in a backup, and kept the backup.

Why it matters
    It restores, and the pages are damaged: queries fail on them, or answer wrongly. The primary had
    them like that, and may still.
How to look
    pgbackrest info --set=LABEL names the files; pg_amcheck or pg_checksums on the primary.
What to do
    Keep an older backup without errors and the WAL since: from it the pages can be had as they
    were. Repair the table on the primary, then take a full backup.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.findings import Severity
from rules.model.repository import RepositoriesRead
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING)
def repository_page_errors(tools: RepositoriesRead) -> Iterator[Found]:
    for each in tools.repositories:
        for label in each.page_errors:
            yield Found(
                tr(
                    "{tool} found pages with a wrong checksum in {label}",
                    tool=each.tool,
                    label=label,
                ),
                remedy=tr(
                    "pgbackrest --stanza={name} --repo={number} --set={label} info names "
                    "the files. Keep an older backup and the WAL since, and repair the "
                    "primary.",
                    name=each.name,
                    number=each.number,
                    label=label,
                ),
                backup=label,
            )
