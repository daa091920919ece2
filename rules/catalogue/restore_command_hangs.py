"""restore_command did not end in time.

Why it matters
    PostgreSQL waits for it without limit: the restore stands still and says nothing.
What to do
    Give the command a limit of its own, for instance  timeout 60 …, whose status 124 counts as "not
    there". If it is only slow, try again with a longer --try-timeout.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.findings import Severity
from rules.restore_trial import TrialFacts


@check(severity=Severity.CRITICAL)
def restore_command_hangs(trial: TrialFacts) -> Iterator[Found]:
    for each in trial.trials:
        if each.status is None:
            yield Found(
                f"restore_command did not end within {trial.timeout_seconds:g} s for {each.asked}",
                restore_command=trial.command,
                read_from=trial.read_from,
                ran_as=trial.account,
                asked=each.asked,
            )
            return
