"""restore_command ends in success for a file that the archive does not have.

Why it matters
    Recovery asks for files that do not exist: the next history, the segment after the last. A
    command that reports success for them reports it as well when the archive cannot be reached, and
    may leave an empty file, which PostgreSQL believes.
How to look
    Run the command by hand for a name that the archive does not have (00000009.history) and
    look at echo $?: it must be 1 to 125.
What to do
    Take away what hides the failure (the finding quotes it): the command must exit with 1 to 125
    for a file that is not there, and create nothing. Try it with pitr-check --try-restore-command.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.backup.restore_trial import Trial, TrialFacts
from rules.backup.shell_commands import judge_restore_command
from rules.model.facts import SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, hold_seconds=60)
def restore_command_swallows_errors(
    settings: SettingsFacts, trial: TrialFacts | None
) -> Iterator[Found]:
    command = trial.command if trial else settings.value("restore_command") or ""
    how = judge_restore_command(command).swallows
    tried = [each.asked for each in (trial.trials if trial else ()) if _hides(each)]
    if how or tried:
        files = ", ".join(tried)
        asked = tr(" (status 0 for {files}, which the archive does not have)", files=files)
        yield Found(
            tr(
                "restore_command reports success when it fails{how}{asked}",
                how=f": {how}" if how else "",
                asked=asked if tried else "",
            ),
            restore_command=command,
            read_from=trial.read_from if trial else settings.read_from("restore_command"),
        )


def _hides(each: Trial) -> bool:
    return not each.archived and each.status == 0 and each.size_bytes is None
