"""restore_command brings a file for a name that the archive does not have.

Why it matters
    PostgreSQL asks for histories and segments that do not exist, and believes what it gets: an
    empty history is a timeline without ancestors, an empty segment has the wrong size and is fatal.
What to do
    Let the command create nothing when it has nothing: copy or unpack from an existing file instead
    of redirecting a pipe into %p.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.findings import Severity
from rules.restore_trial import TrialFacts


@check(severity=Severity.CRITICAL)
def restore_command_invents_files(trial: TrialFacts) -> Iterator[Found]:
    for each in trial.trials:
        if not each.archived and each.status == 0 and each.size_bytes is not None:
            yield Found(
                f"restore_command brought {each.size_bytes} bytes for {each.asked}, which does not"
                " exist",
                restore_command=trial.command,
                read_from=trial.read_from,
                ran_as=trial.account,
                asked=each.asked,
            )
