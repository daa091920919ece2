"""archive_command reports success and stores nothing: the classic "|| true"."""

from __future__ import annotations

import shutil
from typing import Final

from agent.lab.faults.archive_command import mend_archive_command, set_archive_command
from agent.lab.faults.fault import Fault
from agent.lab.laboratory import Laboratory, is_segment, wait_until
from parsers.sentences import tr
from rules.model.counted import counted

_WAIT_SECONDS: Final = 30.0


def _break_it(lab: Laboratory) -> str:
    command = f"cp %p {lab.archive}/no-such-folder/%f 2>/dev/null || true"
    set_archive_command(lab, command)
    return tr('archive_command is now "{command}": it stores nothing and exits 0', command=command)


def _mend(lab: Laboratory) -> str:
    newest_before = lab.archived_segments()[-1].name
    done = mend_archive_command(lab)
    copied: list[str] = []

    def archives_again() -> bool:
        """A newer segment came by itself: the archiver has read its new command."""
        copied.extend(copy_lost_segments(lab))
        newest = lab.archived_segments()[-1].name
        return newest > newest_before and newest not in copied

    wait_until(archives_again, _WAIT_SECONDS)
    copied.extend(copy_lost_segments(lab))
    return f"{done}, and {counted(len(copied), 'segment')} copied back from pg_wal"


def copy_lost_segments(lab: Laboratory) -> list[str]:
    """Copy into the archive what is marked .done in pg_wal and is not there; give the names."""
    pg_wal = lab.primary.data / "pg_wal"
    held = {path.name for path in lab.archived_segments()}
    lost = [
        path
        for path in sorted(pg_wal.iterdir())
        if is_segment(path)
        and path.name not in held
        and (pg_wal / "archive_status" / f"{path.name}.done").exists()
    ]
    for path in lost:
        place = lab.archive / path.name
        shutil.copy2(path, place)
        lab.account.own(place)
    return [path.name for path in lost]


SILENT_LOSS: Final = Fault(
    name="silent-loss",
    summary=tr("archive_command reports success and stores nothing"),
    findings=frozenset({"archived_but_absent"}),
    break_it=_break_it,
    mend=_mend,
)
