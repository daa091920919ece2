"""Files of the same segment differ.

Why it matters
    One of them is good and serves the restore, so nothing is lost yet. A restore_command that reads
    the other place gets the other content: a mirror has decayed, or two servers wrote here.
What to do
    Compare the two files that the finding names and replace the bad one; let restores read through
    pitr-agent fetch-wal, which hands over the good one.
"""

from collections.abc import Iterator

from parsers.sentences import trn
from rules.model.facts import ScanFacts
from rules.model.findings import Severity
from rules.model.gathered import gathered, span_of
from rules.verdict.check import Found, check


@check(severity=Severity.INFO)
def wal_copies_differ(scan: ScanFacts) -> Iterator[Found]:
    contested = {damage.segment for damage in scan.damaged if damage.kind == "conflicting_copies"}
    differing = (copy for copy in scan.copies if copy.differs and copy.segment not in contested)
    for found in gathered(differing, lambda copy: copy.kind):
        copy, names = found[0], [each.segment for each in found]
        yield Found(
            trn(
                "{url} differs from the file that serves {segment}{kind}",
                "{n} copies differ from the files that serve their segments{kind}, the first {url}",
                len(found),
                url=copy.url,
                segment=copy.segment,
                kind=f" ({copy.kind})" if copy.kind else "",
            ),
            segment=copy.segment,
            url=copy.url,
            kind=copy.kind,
            **span_of(names),
        )
