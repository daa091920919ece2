"""An archived file holds something else than when it was verified.

Why it matters
    There is no good reason to rewrite an archived segment with other content: another cluster
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

from parsers.sentences import tr
from rules.model.facts import ChangedFile, ScanFacts
from rules.model.findings import Severity
from rules.model.gathered import gathered, so_are_more, span_of
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING)
def wal_changed(scan: ScanFacts) -> Iterator[Found]:
    for found in gathered(scan.changed, lambda file: file.by_name):
        file = min(found, key=lambda file: file.segment)
        names = [each.segment for each in found]
        yield Found(
            so_are_more(_said(file), names),
            segment=file.segment,
            url=file.url,
            verified_at=file.verified_at.isoformat(),
            **span_of(names),
        )


def _said(file: ChangedFile) -> str:
    if file.by_name:
        return tr(
            "{url} does not hold what was archived: its SHA-1 is not the one in "
            "its name, and the tool hands it over all the same",
            url=file.url,
        )
    return tr(
        "{url} was sound when it was read at {verified_at:%Y-%m-%d %H:%M:%S "
        "%Z}, and holds something else now",
        url=file.url,
        verified_at=file.verified_at,
    )
