"""The newest segment is still being written to the archive, and the target does not need it.

Why it matters
    It does not: what was asked is proven without it. How far the WAL goes is not said yet, and a
    restore to its end would meet half a file.
What to do
    Nothing. To know how far the WAL goes, ask again in a few seconds, without a target.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.facts import ScanFacts
from rules.findings import Severity
from rules.target import TargetFacts


@check(severity=Severity.INFO)
def wal_arriving(scan: ScanFacts, target: TargetFacts) -> Iterator[Found]:
    for name in sorted(scan.arriving) if target.is_proven else ():
        yield Found(f"{name} is still arriving; the target does not need it", segment=name)
