"""An info file of the tool is damaged or absent, and only its copy is good.

Why it matters
    The tool silently goes on with the copy; when that is lost too, the stanza is unknown to
    it and nothing can be restored with it.
How to look
    The two files side by side; the file system of the repository, for what damaged one of them.
What to do
    Copy the good one over the bad one, and look for what else was damaged: pgbackrest verify says
    it of every file, with exit status 0 whatever it finds.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.findings import Severity
from rules.model.repository import RepositoriesRead
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING)
def repository_info_copy(tools: RepositoriesRead) -> Iterator[Found]:
    for each in tools.repositories:
        for said in each.copies_used:
            path = said.partition(": ")[0]
            yield Found(
                tr("{damage}: its .copy was read instead", damage=said),
                remedy=tr("cp -p {path}.copy {path}, while no backup runs.", path=path),
                file=path,
            )
