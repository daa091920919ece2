"""Pages of a backup's relations fail the checksum that the server wrote into them.

Why it matters
    A restore brings the damage back: it opens, and a query that reads such a page fails ("invalid
    page in block"). The storage of the backup or of the server has changed data silently.
How to look
    The finding names relation, fork and block. SELECT oid::regclass FROM pg_class WHERE
    pg_relation_filenode(oid) = NUMBER, asked in that database of the server, names the table or
    index. pg_checksums on a copy of the server's files, and the kernel's log, tell whether the
    server's own storage is at fault.
What to do
    Look for the same pages in an older backup, and check the server (pg_amcheck, or reading the
    table). Where the server is sound, take a new backup; where it is not, restore the last backup
    that is whole. An index can be rebuilt (REINDEX); maps (fsm, vm) the server clears by itself. A
    backup that its manifest contradicts as well was damaged after it was taken: copy it again.
"""

from collections.abc import Iterator
from typing import Any

from parsers.sentences import tr, trn
from rules.backup.pages import damaged_forks, is_map, named_forks, page_total
from rules.model.facts import BackupFacts, BackupsFacts, DamagedFork
from rules.model.findings import Severity
from rules.verdict.check import Found, Note, check


@check(severity=Severity.CRITICAL)
def backup_pages_damaged(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups:
        forks = damaged_forks(backup)
        maps = [fork for fork in forks if is_map(fork)]
        if others := [fork for fork in forks if not is_map(fork)]:
            yield Found(_damage(backup, others), **_evidence(backup, others))
        if maps:
            yield Note(
                tr(
                    "{damage}; the server clears a free space map that is damaged, and nothing is"
                    " lost",
                    damage=_damage(backup, maps),
                ),
                remedy=tr("Nothing has to be done: VACUUM fills the map again."),
                **_evidence(backup, maps),
            )


def _damage(backup: BackupFacts, forks: list[DamagedFork]) -> str:
    return trn(
        "{url}: {n} page fails its checksum: {forks}",
        "{url}: {n} pages fail their checksum: {forks}",
        page_total(forks),
        url=backup.url,
        forks=named_forks(forks),
    )


def _evidence(backup: BackupFacts, forks: list[DamagedFork]) -> dict[str, Any]:
    first = forks[0]
    return {
        "backup": backup.url,
        "relation": first.relation,
        "fork": first.fork,
        "block": first.blocks[0],
        "pages": page_total(forks),
        "forks": len(forks),
    }
