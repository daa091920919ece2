"""restore_command returns a different file than the archive has, or only a part of it.

Why it matters
    PostgreSQL dies of a segment of the wrong size, and takes wrong content for the end of the WAL.
What to do
    Compare the two with cmp. A compressed file must be unpacked on the way; a command that reads
    another archive than the one that was checked may return another cluster's WAL.
"""

from collections.abc import Iterator

from rules.backup.restore_trial import Trial, TrialFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, asked=True)
def restore_command_wrong_file(trial: TrialFacts) -> Iterator[Found]:
    for each in trial.trials:
        if each.status == 0 and each.same is False:
            yield Found(
                f"restore_command returned {_what(each, trial.segment_size_bytes)}"
                f" for {each.asked}",
                restore_command=trial.command,
                read_from=trial.read_from,
                ran_as=trial.account,
                size_bytes=each.size_bytes,
                segment_size_bytes=trial.segment_size_bytes,
            )


def _what(each: Trial, size_bytes: int) -> str:
    if each.size_bytes != size_bytes:
        return f"{each.size_bytes} bytes instead of {size_bytes}"
    return "other content than the archive has"
