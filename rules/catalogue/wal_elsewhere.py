"""WAL that a restore can use lies outside the archives.

Why it matters
    The verdict counts it because it was named with --wal; nothing keeps it there. A server that is
    started again on that pg_wal recycles it.
What to do
    Copy the segments to the archive under their names, now. The settings shown already read them
    from where they are.
"""

from collections.abc import Iterator

from parsers.lsn import format_lsn
from rules.check import Found, check
from rules.evidence import ElsewhereFacts, Gain
from rules.findings import Severity


@check(severity=Severity.WARNING)
def wal_elsewhere(elsewhere: ElsewhereFacts) -> Iterator[Found]:
    places = ", ".join(elsewhere.urls)
    if not elsewhere.segments and not elsewhere.gains:
        return
    names = elsewhere.segments
    span = f"{names[0]} to {names[-1]}" if len(names) > 1 else "".join(names)
    gains = "; ".join(map(_gain, elsewhere.gains)) or "no backup reaches further by them"
    yield Found(
        f"{places}: {len(names)} segment(s) that no archive has ({span}): {gains}",
        first=names[0] if names else None,
        last=names[-1] if names else None,
        segments=len(names),
    )


def _gain(gain: Gain) -> str:
    before = format_lsn(gain.from_lsn) if gain.from_lsn is not None else "nothing"
    return (
        f"on timeline {gain.timeline} the window of {gain.backup} grows "
        f"from {before} to {format_lsn(gain.to_lsn)}"
    )
