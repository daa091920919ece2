"""An incremental backup is there with all the backups that it builds on.

Why it matters
    PostgreSQL refuses it alone ("this is an incremental backup, not a data directory"): it has to
    be combined first, and pg_combinebackup does not verify what it reads.
What to do
    Verify each backup of the chain (pg_verifybackup), combine them in their order
    (pg_combinebackup FULL INCREMENT… -o DIR), and check the result.
"""

from collections.abc import Iterator
from shlex import quote

from parsers.lsn import format_lsn
from parsers.sentences import tr
from rules.backup.completeness import chain_of
from rules.model.counted import counted
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.INFO)
def backup_incremental(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups:
        chain = chain_of(backup, backups.backups)
        if backup.label.incremental_from_lsn is None or chain is None:
            continue
        members = " ".join(quote(member.url) for member in chain)
        yield Found(
            tr(
                "{url} is incremental, and its chain of {backups} is complete",
                url=backup.url,
                backups=counted(len(chain), "backup"),
            ),
            backup=backup.url,
            from_lsn=format_lsn(backup.label.incremental_from_lsn),
            full=chain[0].url,
            remedy=tr(
                "Combine it before a restore: pg_combinebackup {members} -o DIR", members=members
            ),
        )
