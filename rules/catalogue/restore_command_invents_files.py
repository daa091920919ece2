"""restore_command returns data for a file that the archive does not have.

Why it matters
    PostgreSQL asks for histories and segments that do not exist, and believes what it gets: an
    empty history is a timeline without ancestors, an empty segment has the wrong size and is fatal.
What to do
    Let the command create nothing when it has nothing: copy or unpack from an existing file instead
    of redirecting a pipe into %p.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.backup.restore_trial import TrialFacts
from rules.model.counted import counted
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, asked=True)
def restore_command_invents_files(trial: TrialFacts) -> Iterator[Found]:
    for each in trial.trials:
        if not each.archived and each.status == 0 and each.size_bytes is not None:
            yield Found(
                tr(
                    "restore_command returned {size} for {asked}, which does not exist",
                    size=counted(each.size_bytes, "byte"),
                    asked=each.asked,
                ),
                restore_command=trial.command,
                read_from=trial.read_from,
                ran_as=trial.account,
                asked=each.asked,
            )
