"""The check could not be made.

Why it matters
    Nothing was proven, neither that the backups are good nor that they are not. A source that was
    named could not be read, or the check was interrupted.
How to look
    The finding says what it was. Look at that file or directory as the account that the check
    ran as.
What to do
    Mend what the message names, and ask again.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.evidence import FailedRunFacts
from rules.findings import Severity


@check(severity=Severity.UNKNOWN)
def cannot_check(failed: FailedRunFacts) -> Iterator[Found]:
    yield Found(failed.message)
