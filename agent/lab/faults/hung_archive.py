"""archive_command hangs: neither success nor failure, and no counter moves."""

from __future__ import annotations

import contextlib
from typing import Final

import psutil

from agent.lab.faults.archive_command import mend_archive_command, set_archive_command
from agent.lab.faults.fault import Fault
from agent.lab.laboratory import Laboratory

_COMMAND: Final = "exec sleep 86400"


def _break_it(lab: Laboratory) -> str:
    set_archive_command(lab, _COMMAND)
    return f'archive_command is now "{_COMMAND}", as one that waits for a dead mount'


def _mend(lab: Laboratory) -> str:
    done = mend_archive_command(lab)
    ended = _end_hanging_command(lab)
    return f"{done}, and {ended} hanging command(s) ended"


def _end_hanging_command(lab: Laboratory) -> int:
    """End the commands that hang below our own postmaster; give how many."""
    pid = lab.primary.postmaster_pid()
    if pid is None:
        return 0
    ended = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if process.cmdline() == _COMMAND.split()[1:]:
                    process.terminate()
                    ended += 1
    return ended


HUNG_ARCHIVE: Final = Fault(
    name="hung-archive",
    summary="archive_command hangs: neither success nor failure",
    findings=frozenset({"archiver_hung"}),
    break_it=_break_it,
    mend=_mend,
)
