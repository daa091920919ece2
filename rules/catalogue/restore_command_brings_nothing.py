"""restore_command reports success and brings nothing.

Why it matters
    PostgreSQL finds no file, takes the segment for not there and the WAL for ended: a restore opens
    without what the archive holds.
What to do
    Let the command write to %p, which is relative to the data directory, and end in a failure when
    it has not. Take away what hides it: || true, ; exit 0.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.findings import Severity
from rules.restore_trial import TrialFacts


@check(severity=Severity.CRITICAL)
def restore_command_brings_nothing(trial: TrialFacts) -> Iterator[Found]:
    for each in trial.trials:
        if each.archived and each.status == 0 and each.size_bytes is None:
            yield Found(
                f"restore_command reports success for {each.asked} and puts no file at %p",
                restore_command=trial.command,
                read_from=trial.read_from,
                ran_as=trial.account,
            )
