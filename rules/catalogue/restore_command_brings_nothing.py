"""restore_command succeeds without delivering the file.

Why it matters
    PostgreSQL finds no file and takes that for the end of WAL: a restore opens without what the
    archive holds.
What to do
    Let the command write to %p, which is relative to the data directory, and fail when it has
    not. Remove what hides a failure: || true, ; exit 0.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.backup.restore_trial import TrialFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, asked=True)
def restore_command_brings_nothing(trial: TrialFacts) -> Iterator[Found]:
    for each in trial.trials:
        if each.archived and each.status == 0 and each.size_bytes is None:
            yield Found(
                tr(
                    "restore_command succeeds for {asked} without delivering a file at %p",
                    asked=each.asked,
                ),
                restore_command=trial.command,
                read_from=trial.read_from,
                ran_as=trial.account,
            )
