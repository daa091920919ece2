"""A check, or a job of the agent, ended in an error of its own.

Why it matters
    The result of that check is not known, and its last one is kept; the others still run. When a
    job fails (scan, log, state, directories), this holds for every check that needs its readings;
    when judging fails, for all of them.
How to look
    The finding names the check or the job, the error and the line of the source. The log of the
    agent has it whenever it changes, for a job with the traceback.
What to do
    This is a bug: report the finding verbatim, with the server's major version. Until it is fixed,
    use pitr-check, and check by hand what `pitr-check explain CHECK` describes.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.evidence import RaisedFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.UNKNOWN)
def check_raised(raised: RaisedFacts) -> Iterator[Found]:
    for name, error in sorted(raised.errors.items()):
        yield Found(
            tr("check {name} could not run: {error}", name=name, error=error),
            check=name,
            error=error,
        )
    for name, error in sorted(raised.jobs.items()):
        yield Found(
            tr("the job {name} ended in an error: {error}", name=name, error=error),
            job=name,
            error=error,
        )
