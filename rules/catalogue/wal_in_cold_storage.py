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

from parsers.sentences import tr, trn
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
    yield Found(
        tr(
            "{segments} in cold storage, {span}{wait}",
            segments=counted(len(scan.cold), "segment"),
            span=first if first == last else tr("{first} to {last}", first=first, last=last),
            wait=_wait(waiting) if waiting else "",
        ),
        first=first,
        last=last,
        segments=len(scan.cold),
        backups=len(waiting),
    )


def _wait(urls: list[str]) -> str:
    return trn(
        ": the windows of {first} wait for them",
        ": the windows of {n} backups, the first {first}, wait for them",
        len(urls),
        first=urls[0],
    )
