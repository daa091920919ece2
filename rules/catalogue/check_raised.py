"""A check ended in an error of its own.

Why it matters
    What that check would say is not known, and its last word stands. The others go on, so nothing
    else is missing, and nothing else shows it.
How to look
    The finding names the check, the error and the line of the source. The log of the agent has
    it at every change.
What to do
    It is a bug: report the finding as it stands, with the major of the server. Until it is mended,
    ask with pitr-check, and look by hand at what `pitr-check explain CHECK` says of it.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.evidence import RaisedFacts
from rules.findings import Severity


@check(severity=Severity.UNKNOWN)
def check_raised(raised: RaisedFacts) -> Iterator[Found]:
    for name, error in sorted(raised.errors.items()):
        yield Found(f"{name} could not be asked: {error}", check=name, error=error)
