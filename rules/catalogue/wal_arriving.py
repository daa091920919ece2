"""The newest segment is still being written to the archive, and the target does not need it.

Why it matters
    It does not: what was asked is proven without it. How far the WAL goes is not said yet, and a
    restore to its end would meet half a file.
What to do
    Nothing. To know how far the WAL goes, ask again in a few seconds, without a target.
"""

from collections.abc import Iterator

from parsers.sentences import trn
from rules.model.counted import among
from rules.model.facts import ScanFacts
from rules.model.findings import Severity
from rules.model.gathered import span_of
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check


@check(severity=Severity.INFO, asked=True)
def wal_arriving(scan: ScanFacts, target: TargetFacts) -> Iterator[Found]:
    names = sorted(scan.arriving) if target.is_proven else []
    if names:
        yield Found(
            trn(
                "{segments} is still arriving; the target does not need it",
                "{segments} are still arriving; the target does not need it",
                len(names),
                segments=among(names),
            ),
            segment=names[0],
            **span_of(names),
        )
