"""restore_command does not bring a file that the archive has.

Why it matters
    PostgreSQL takes an ordinary failure for "not there", and the segment for the end of WAL: it
    opens without it, or ends with "recovery ended before configured recovery target was reached".
What to do
    Run the command by hand, as the server's account and in its data directory, and read its error.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.backup.restore_trial import TrialFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, asked=True)
def restore_command_fails(trial: TrialFacts) -> Iterator[Found]:
    if trial.refused:
        yield Found(
            tr("the server would refuse restore_command: {refused}", refused=trial.refused),
            restore_command=trial.command,
            read_from=trial.read_from,
        )
    for each in trial.trials:
        if each.archived and each.status:
            yield Found(
                tr(
                    "restore_command ended with status {status} for {asked}, which the "
                    "archive has{said}",
                    status=each.status,
                    asked=each.asked,
                    said=f": {each.said}" if each.said else "",
                ),
                restore_command=trial.command,
                read_from=trial.read_from,
                ran_as=trial.account,
                status=each.status,
            )
