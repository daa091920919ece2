"""restore_command ends with a status above 125 for a file that is not there.

Why it matters
    PostgreSQL takes it for an order to stop. Every recovery asks for files that do not exist, so
    that none can come to its end ("could not restore file … from archive").
What to do
    Exit with 1 to 125 for what is not there. ssh exits 255 when it cannot connect; append  || exit
    1 only if the command tells the two apart, or a lost connection ends the WAL in silence.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.backup.restore_trial import ABORTS_ABOVE, TrialFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, asked=True)
def restore_command_aborts(trial: TrialFacts) -> Iterator[Found]:
    for each in trial.trials:
        status = each.status
        if not each.archived and status is not None and (status < 0 or status > ABORTS_ABOVE):
            yield Found(
                tr(
                    "restore_command ended with status {status} for {asked}, which does not exist",
                    status=status,
                    asked=each.asked,
                ),
                restore_command=trial.command,
                read_from=trial.read_from,
                ran_as=trial.account,
                asked=each.asked,
                status=status,
            )
