"""restore_command was tried, and did what PostgreSQL expects of it.

Why it matters
    It brought an archived segment byte for byte, and failed with an ordinary status, creating
    nothing, for files that do not exist. It ran as the user who asked: the server's account may
    have other rights.
What to do
    Nothing. To be sure of the rights, run the check as the server's account.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.backup.restore_trial import ABORTS_ABOVE, Trial, TrialFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.INFO, asked=True)
def restore_command_tried(trial: TrialFacts) -> Iterator[Found]:
    if trial.trials and all(map(_as_expected, trial.trials)):
        (segment,) = (each for each in trial.trials if each.archived)
        yield Found(
            tr(
                "restore_command, run as {account}, returned {asked} whole and "
                "refused what does not exist",
                account=trial.account,
                asked=segment.asked,
            ),
            restore_command=trial.command,
            read_from=trial.read_from,
            ran_as=trial.account,
            asked=segment.asked,
        )


def _as_expected(each: Trial) -> bool:
    if each.archived:
        return each.status == 0 and each.same is True
    return each.status is not None and 0 < each.status <= ABORTS_ABOVE and each.size_bytes is None
