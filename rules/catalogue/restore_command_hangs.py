"""restore_command did not finish in time.

Why it matters
    PostgreSQL waits for it without limit: the restore hangs and logs nothing.
What to do
    Give the command a limit of its own, for instance  timeout 60 …, whose status 124 counts as "not
    there". If it is only slow, try again with a longer --try-timeout.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.backup.restore_trial import TrialFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, asked=True)
def restore_command_hangs(trial: TrialFacts) -> Iterator[Found]:
    for each in trial.trials:
        if each.status is None:
            yield Found(
                tr(
                    "restore_command did not finish within {timeout_seconds:g} s for {asked}",
                    timeout_seconds=trial.timeout_seconds,
                    asked=each.asked,
                ),
                restore_command=trial.command,
                read_from=trial.read_from,
                ran_as=trial.account,
                asked=each.asked,
            )
            return
