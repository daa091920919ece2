"""restore_command returns a different file than the archive has, or only a part of it.

Why it matters
    PostgreSQL dies of a segment of the wrong size, and takes wrong content for the end of the WAL.
What to do
    Compare the two with cmp. A compressed file must be unpacked on the way; a command that reads
    another archive than the one that was checked may return another cluster's WAL.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.backup.restore_trial import Trial, TrialFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, asked=True)
def restore_command_wrong_file(trial: TrialFacts) -> Iterator[Found]:
    for each in trial.trials:
        if each.status == 0 and each.same is False:
            yield Found(
                tr(
                    "restore_command returned {what} for {asked}",
                    what=_what(each, trial.segment_size_bytes),
                    asked=each.asked,
                ),
                restore_command=trial.command,
                read_from=trial.read_from,
                ran_as=trial.account,
                size_bytes=each.size_bytes,
                segment_size_bytes=trial.segment_size_bytes,
            )


def _what(each: Trial, size_bytes: int) -> str:
    if each.size_bytes != size_bytes:
        return tr(
            "{got} bytes instead of {size_bytes}",
            got=each.size_bytes,
            size_bytes=size_bytes,
        )
    return tr("other content than the archive has")
