"""A source of evidence cannot be read.

Why it matters
    The checks that need this source keep their last result, and new problems go unnoticed. A blind
    agent looks like a quiet one.
How to look
    The finding and pitr_collector_success name the source, the agent's log the reason
    (journalctl -u pitr-agent). Try it by hand as the agent's account: psql "DSN", ls ARCHIVE.
What to do
    The reason names the source: a server that does not answer, a missing privilege
    (GRANT pg_monitor), a directory that is not mounted or hangs.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.evidence import CollectorsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.UNKNOWN, hold_seconds=300)
def collector_failing(collectors: CollectorsFacts) -> Iterator[Found]:
    for name, error in sorted(collectors.failing.items()):
        yield Found(tr("{name} cannot be read: {error}", name=name, error=error), collector=name)
