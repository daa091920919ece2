"""A source of evidence cannot be read.

Why it matters
    What is not read is not known: the checks that need it keep what they last said, and nobody
    would hear of anything new. An agent that is blind looks like a quiet one.
How to look
    The finding and pitr_collector_success name the source, the agent's log the reason
    (journalctl -u pitr-agent). Try it by hand as the agent's account: psql "DSN", ls ARCHIVE.
What to do
    Read the reason, which names the source: a server that does not answer, a right that is missing
    (GRANT pg_monitor), a directory that is not mounted or that hangs.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.evidence import CollectorsFacts
from rules.findings import Severity


@check(severity=Severity.UNKNOWN, hold_seconds=300)
def collector_failing(collectors: CollectorsFacts) -> Iterator[Found]:
    for name, error in sorted(collectors.failing.items()):
        yield Found(f"{name} cannot be read: {error}", collector=name)
