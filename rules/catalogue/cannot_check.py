"""The check could not run.

Why it matters
    Nothing was proven, neither that the backups are good nor that they are not. A source that was
    named could not be read, or the check was interrupted.
How to look
    The finding names it. Inspect that file or directory as the account that ran the check.
What to do
    Fix what the message names, and check again.
"""

from collections.abc import Iterator

from rules.model.evidence import FailedRunFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.UNKNOWN, asked=True)
def cannot_check(failed: FailedRunFacts) -> Iterator[Found]:
    yield Found(failed.message)
