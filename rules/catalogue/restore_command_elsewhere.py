"""restore_command in the configuration of a backup reads another archive than the one checked.

Why it matters
    The verdict is about the archive that was checked. A restore that keeps this restore_command
    finds what the other one holds: other gaps, other timelines, perhaps nothing.
What to do
    Set restore_command as the settings that the verdict gives do. If it names the same archive as
    another machine mounts it, nothing.
"""

from collections.abc import Iterator
from posixpath import normpath

from parsers.sentences import tr
from rules.backup.shell_commands import judge_restore_command
from rules.model.facts import ArchiveFacts, SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.INFO)
def restore_command_elsewhere(settings: SettingsFacts, archive: ArchiveFacts) -> Iterator[Found]:
    command = settings.value("restore_command")
    if settings.of_backup is None or not command:
        return
    places = {normpath(place) for place in judge_restore_command(command).places}
    checked = {normpath(url) for url in archive.url.split(" + ")}
    for place in sorted(places - checked):
        yield Found(
            tr(
                "restore_command in this backup reads {place}, not the archive that was checked",
                place=place,
            ),
            restore_command=command,
            place=place,
            read_from=settings.read_from("restore_command"),
        )
