"""A probe of the restored cluster gave another answer than expected.

Why it matters
    The server opens and its files are sound, but it does not hold what it should: another instant,
    another cluster, or data that were lost before the backup.
How to look
    The drill's report has the query, what was expected and what came. Ask the primary the same
    query.
What to do
    Ask the same of the primary. If the answer is right there, look at the target of the drill; if
    it is wrong there too, the loss is older than the backup.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.drill.records import DrillsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def drill_probe_failed(drills: DrillsFacts) -> Iterator[Found]:
    for probe in drills.last_run.probes if drills.last_run else ():
        if probe.asked and not probe.holds:
            yield Found(
                tr(
                    "the probe {sql!r} failed: {error}, expected {expected!r}",
                    sql=probe.sql,
                    error=probe.error,
                    expected=probe.expected,
                )
                if probe.error
                else tr(
                    "the probe {sql!r} gave {got!r}, expected {expected!r}",
                    sql=probe.sql,
                    got=probe.got,
                    expected=probe.expected,
                ),
                database=probe.database,
                sql=probe.sql,
                expected=probe.expected,
                got=probe.got,
            )
