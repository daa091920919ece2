"""An archived file holds something else than when it was verified.

Why it matters
    Nobody rewrites an archived segment with other content for a good reason: another cluster
    archives here under the same names, a copy was restored over it, or the disk lost what it held.
    What was proven with the old content is not proven any more.
How to look
    The finding names the file. stat it, compare with other copies, and look into the log of
    whatever writes to the archive: nothing should change a file there.
What to do
    Find out who wrote the file and compare it with pg_wal, a standby or another copy. The finding
    ends when the old content is back, the file is gone, or no backup needs it any more.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.facts import ScanFacts
from rules.findings import Severity


@check(severity=Severity.WARNING)
def wal_changed(scan: ScanFacts) -> Iterator[Found]:
    for file in scan.changed:
        yield Found(
            f"{file.url} was sound when it was read at {file.verified_at:%Y-%m-%d %H:%M:%S %Z}, "
            "and holds something else now",
            segment=file.segment,
            url=file.url,
            verified_at=file.verified_at.isoformat(),
        )
