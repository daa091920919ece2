"""Archived segments are in a cold storage class: they can't be read until they are restored there.

Why it matters
    A lifecycle rule of the bucket moved them to S3 Glacier, Deep Archive or the archive tier of
    Azure. They are not lost, and a restore that needs them waits hours for them. Until then
    nobody can say whether they are whole: the verdict is unknown.
How to look
    aws s3api head-object --bucket BUCKET --key KEY --query StorageClass, or
    az storage blob show --query properties.blobTier, of the first of them.
What to do
    Restore them first (aws s3api restore-object, or az storage blob set-tier --tier Hot). Then
    change the lifecycle rule: WAL that a kept backup needs belongs in a class that can be read at
    once, as S3 Glacier Instant Retrieval can.
"""

from collections.abc import Iterator

from rules.model.counted import counted
from rules.model.facts import BackupsFacts, ScanFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.UNKNOWN, hold_seconds=300)
def wal_in_cold_storage(scan: ScanFacts, backups: BackupsFacts | None) -> Iterator[Found]:
    if not scan.cold:
        return
    first, last = min(scan.cold), max(scan.cold)
    newest = max(name[8:] for name in scan.cold)
    found = backups.backups if backups else ()
    waiting = [each.url for each in found if each.label.start_segment[8:] <= newest]
    names = first if first == last else f"{first} to {last}"
    wait = f": the windows of {_several(waiting)} wait for them" if waiting else ""
    yield Found(
        f"{counted(len(scan.cold), 'segment')} in cold storage, {names}{wait}",
        first=first,
        last=last,
        segments=len(scan.cold),
        backups=len(waiting),
    )


def _several(urls: list[str]) -> str:
    return urls[0] if len(urls) == 1 else f"{counted(len(urls), 'backup')}, the first {urls[0]},"
