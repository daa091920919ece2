"""A source of the cluster was not read for several of its intervals.

Why it matters
    The last reading is old, and no verdict relies on it: the checks that need it are blind and keep
    their last result. Anything that broke since then goes unnoticed.
How to look
    The finding names the job: scan is the archive and the backups, log the server log, state and
    directories are SQL. /healthz names the clusters that are late; the agent's log has the reason
    (journalctl -u pitr-agent).
What to do
    See what that job waits for: a mount that hangs, a machine that is too slow for its interval.
    Restart the agent if nothing explains it, and report what its log said.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.evidence import OverdueFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.UNKNOWN)
def verdict_overdue(overdue: OverdueFacts) -> Iterator[Found]:
    for job, at in sorted(overdue.jobs.items()):
        yield Found(
            tr(
                "{job} is overdue: its last round ended at {at:%Y-%m-%d %H:%M:%S} UTC",
                job=job,
                at=at,
            ),
            job=job,
            ended_at=at.isoformat(),
        )
