"""The restorable window is shorter than the objective.

Why it matters
    A mistake is often noticed days later. What happened before the window begins cannot be brought
    back, whatever else is in the archive: before a gap or before the oldest usable backup nothing
    counts.
How to look
    pitr-check --archive ARCHIVE --backups BACKUPS shows each window with what ends it.
    pitr-check retention tells what each backup still needs.
What to do
    Keep base backups and their WAL for longer. If the window was longer yesterday, look for the gap
    or the damage that cut it (pitr-check names it).
"""

from collections.abc import Iterator
from datetime import datetime

from parsers.sentences import tr
from rules.model.evidence import WindowsFacts
from rules.model.facts import Objectives
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING)
def window_too_short(
    windows: WindowsFacts, objectives: Objectives, now: datetime
) -> Iterator[Found]:
    latest, wanted = windows.latest, objectives.window_seconds
    if wanted is None or latest is None or latest.from_time is None:
        return
    reaches_back = (now - latest.from_time).total_seconds()
    if reaches_back < wanted:
        yield Found(
            tr(
                "earliest restorable time is {earliest:%Y-%m-%d %H:%M:%S %Z} "
                "({days:.1f} days ago); the objective is {objective:.1f} days",
                earliest=latest.from_time,
                days=reaches_back / 86400,
                objective=wanted / 86400,
            ),
            earliest=latest.from_time.isoformat(),
            reaches_back_seconds=round(reaches_back),
            objective_seconds=wanted,
        )
