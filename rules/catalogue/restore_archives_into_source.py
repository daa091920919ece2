"""A server restored with this configuration archives into the archive that it came from.

Why it matters
    A test restore or a clone that is promoted adds its own timeline to the production's archive.
    Later restores with recovery_target_timeline = 'latest' follow it.
What to do
    Set archive_mode = off for the restored server before it is started, as the settings that the
    verdict gives do. For a server that is to take over production for good, nothing.
"""

from collections.abc import Iterator
from posixpath import normpath

from parsers.sentences import tr
from rules.backup.shell_commands import judge_archive_command, judge_restore_command
from rules.model.facts import ArchiveFacts, PositionFacts, SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.INFO, hold_seconds=60)
def restore_archives_into_source(
    settings: SettingsFacts, archive: ArchiveFacts | None, positions: PositionFacts | None
) -> Iterator[Found]:
    if settings.value("archive_mode") not in ("on", "always"):
        return
    command = settings.value("archive_command") or ""
    sources = {normpath(url) for url in archive.url.split(" + ")} if archive else set()
    if settings.of_backup is None:
        if positions is None or not positions.in_recovery:
            return
        sources = set(judge_restore_command(settings.value("restore_command") or "").places)
    for place in judge_archive_command(command).places:
        if normpath(place) in sources:
            yield Found(
                tr(
                    "once promoted, a server with this configuration archives into "
                    "{place}, from which it is restored: set archive_mode = off before "
                    "it is started",
                    place=place,
                ),
                archive=place,
                archive_command=command,
                read_from=settings.read_from("archive_command"),
            )
