"""The drill did not come to its end.

Why it matters
    What was not reached was not looked at. In an emergency a restore would hang at the same place:
    a mount that does not answer, a tape that is not there, a query without an end.
How to look
    The finding says what was going on when the time was over. Read that file yourself, or ask
    that query.
What to do
    Mend what hangs. If everything only takes its time, give the drill more with --drill-timeout,
    and hold the duration of a restore against what you promised. Probes need a server that is
    open, and the name of its superuser (PGUSER).
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.drills import DrillsFacts
from rules.findings import Severity


@check(severity=Severity.UNKNOWN)
def drill_incomplete(drills: DrillsFacts) -> Iterator[Found]:
    drill = drills.last
    if drill is None:
        return
    if drill.timed_out is not None:
        yield Found(
            f"the drill of {drill.backup} was {drill.timed_out}",
            backup=drill.backup,
            timeout_seconds=drill.timeout_seconds,
        )
        return
    for probe in drill.probes:
        if not probe.asked:
            yield Found(f"the probe {probe.sql!r} was not asked: {probe.error}", sql=probe.sql)
