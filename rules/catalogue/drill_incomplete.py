"""The drill did not finish.

Why it matters
    Steps that were not reached prove nothing. In an emergency a restore would hang at the same
    place: a mount that does not answer, a missing tape, a query that never ends.
How to look
    The finding names the step that was running when time ran out. Read that file yourself, or
    run that query.
What to do
    Fix what hangs. If the drill is only slow, give it more time with --drill-timeout, and compare
    the duration of a restore with your recovery time objective. Probes need a server that is
    open, and the name of its superuser (PGUSER).
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.drill.records import DrillsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.UNKNOWN)
def drill_incomplete(drills: DrillsFacts) -> Iterator[Found]:
    drill = drills.last
    if drill is None:
        return
    if drill.timed_out is not None:
        yield Found(
            tr(
                "the drill of {backup} was {ended}",
                backup=drill.backup,
                ended=drill.timed_out,
            ),
            backup=drill.backup,
            timeout_seconds=drill.timeout_seconds,
        )
        return
    for probe in drill.probes:
        if not probe.asked:
            yield Found(
                tr("the probe {sql!r} was not asked: {error}", sql=probe.sql, error=probe.error),
                sql=probe.sql,
            )
