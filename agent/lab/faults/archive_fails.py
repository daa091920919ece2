"""archive_command fails: every attempt exits 1."""

from __future__ import annotations

from typing import Final

from agent.lab.faults.archive_command import mend_archive_command, set_archive_command
from agent.lab.faults.fault import Fault
from agent.lab.laboratory import Laboratory
from parsers.sentences import tr

_COMMAND: Final = "echo 'no space left, says this fault' >&2; exit 1"


def _break_it(lab: Laboratory) -> str:
    set_archive_command(lab, _COMMAND)
    return tr('archive_command is now "{command}"', command=_COMMAND)


ARCHIVE_FAILS: Final = Fault(
    name="archive-fails",
    summary=tr("archive_command exits 1"),
    findings=frozenset({"archiver_failing"}),
    break_it=_break_it,
    mend=mend_archive_command,
)
