"""A file of a backup looks torn: it was copied while the server was changing it.

Why it matters
    A base backup could get a pg_control that is half from before a write and half from after it, or
    a postgresql.auto.conf that is cut off or padded with zeros, because it was replaced during the
    copy. The manifest agrees with such a file: its checksum is of what was copied. The restored
    server does not start.
How to look
    pg_controldata DIRECTORY; tail -c 64 postgresql.auto.conf | xxd shows zeros at its end.
What to do
    Use another backup. If this is the only one, delete the zeros from postgresql.auto.conf; for
    pg_control ask an expert, because that of another backup does not fit. Update the server, then
    take a new backup.
"""

from collections.abc import Iterator
from datetime import date
from typing import Final

from parsers.sentences import tr
from rules.model.facts import BackupFacts, BackupsFacts
from rules.model.findings import Severity
from rules.model.releases import ReleasesFacts
from rules.verdict.check import Found, check
from rules.verdict.fault import KnownFault

FAULT: Final = KnownFault(
    mended={15: 20, 16: 16, 17: 12, 18: 7},
    mended_on=date(2026, 11, 12),
    notes="15.20: Avoid reading a potentially-torn copy of the pg_control file for base backups;"
    " Prevent making incorrect copies of non-relation files in base backups",
)
_CONTROL: Final = "global/pg_control"
_AUTO_CONF: Final = "postgresql.auto.conf"


@check(severity=Severity.CRITICAL)
def known_fault_torn_copies(
    backups: BackupsFacts, releases: ReleasesFacts | None
) -> Iterator[Found]:
    for backup in backups.backups:
        file = _torn(backup)
        if file and backup.stored is None:
            yield from FAULT.of_backup(
                backup,
                releases,
                tr("{url} has a {file} that no server wrote like that", url=backup.url, file=file),
                tr("a base backup could copy it in the middle of a change"),
                tr("Use another backup; update the server, then take a new one."),
                file=file,
            )


def _torn(backup: BackupFacts) -> str | None:
    of_control = [each for each in backup.bad_files if each.startswith(f"{_CONTROL} ")]
    if len(of_control) == 1 and of_control[0].endswith("checksum does not match)"):
        return _CONTROL  # and its manifest, where it was asked, agrees with it
    for each in backup.unread_settings:
        if each.file == _AUTO_CONF and "syntax error" in each.reason:
            return _AUTO_CONF
    return None
