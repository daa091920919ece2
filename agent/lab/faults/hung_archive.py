"""archive_command hangs: neither success nor failure, and no counter moves."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agent.lab.faults.archive_command import mend_archive_command, set_archive_command
from agent.lab.faults.fault import Fault
from agent.lab.laboratory import Laboratory
from agent.lab.primary import copy_command
from parsers.sentences import tr


def _break_it(lab: Laboratory) -> str:
    command = f"until test -e {_mount(lab)}; do sleep 1; done; {copy_command(lab)}"
    set_archive_command(lab, command)
    return tr(
        'archive_command is now "{command}": it waits for a mount that is away', command=command
    )


def _mend(lab: Laboratory) -> str:
    _mount(lab).touch()
    return f"the mount is back, and {mend_archive_command(lab)}"


def _mount(lab: Laboratory) -> Path:
    """What the command waits for."""
    return lab.directory / "mount"


HUNG_ARCHIVE: Final = Fault(
    name="hung-archive",
    summary=tr("archive_command hangs: neither success nor failure"),
    findings=frozenset({"archiver_hung"}),
    break_it=_break_it,
    mend=_mend,
)
