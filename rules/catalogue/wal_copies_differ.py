"""Files of the same segment differ.

Why it matters
    One of them is good and serves the restore, so nothing is lost yet. A restore_command that reads
    the other place gets the other content: a mirror has decayed, or two servers wrote here.
What to do
    Compare the two files that the finding names and replace the bad one; let restores read through
    pitr-agent fetch-wal, which hands over the good one.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.facts import ScanFacts
from rules.findings import Severity


@check(severity=Severity.INFO)
def wal_copies_differ(scan: ScanFacts) -> Iterator[Found]:
    contested = {damage.segment for damage in scan.damaged if damage.kind == "conflicting_copies"}
    for copy in scan.copies:
        if copy.differs and copy.segment not in contested:
            yield Found(
                f"{copy.url} differs from the file that serves {copy.segment}"
                + (f" ({copy.kind})" if copy.kind else ""),
                segment=copy.segment,
                url=copy.url,
                kind=copy.kind,
            )
