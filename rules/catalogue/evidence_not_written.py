"""Signed evidence was asked for and could not be written.

Why it matters
    The verdict stands, and nothing signed says so: for an auditor it was never given. Statements
    that were written before are not harmed.
How to look
    The finding has the directory and the error. `pitr-check verify-evidence DIR --key FILE.pub`
    says how the chain stands; `df` and `ls -ld` of the directory say why it takes no more.
What to do
    Make room, or let the account write there. The next verdict continues the chain; there is
    nothing to repair in it.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.evidence import SignedFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING)
def evidence_not_written(signed: SignedFacts) -> Iterator[Found]:
    if signed.failure is not None:
        yield Found(
            tr("the signed statement was not written: {error}", error=signed.failure),
            directory=signed.directory,
            error=signed.failure,
        )
