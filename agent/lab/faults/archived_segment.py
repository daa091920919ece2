"""Choosing an archived segment to harm, and keeping the sound one aside for the mending."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from agent.lab.errors import LabFailed
from agent.lab.laboratory import Laboratory, is_segment, wait_until
from parsers.sentences import tr

_ENOUGH: Final = 4  # segments after the backup, so that one in the middle has neighbours
_WAIT_SECONDS: Final = 60.0


def choose_middle_segment(lab: Laboratory) -> Path:
    """A segment that restores need: after the backup's own WAL, with neighbours on both sides."""
    last_of_backup = max(
        path.name for path in (lab.backup / "pg_wal").iterdir() if is_segment(path)
    )

    def after_backup() -> list[Path]:
        return [path for path in lab.archived_segments() if path.name > last_of_backup]

    if not wait_until(lambda: len(after_backup()) >= _ENOUGH, _WAIT_SECONDS):
        raise LabFailed(
            tr(
                "fewer than {enough} segments were archived in {time:.0f} s",
                enough=_ENOUGH,
                time=_WAIT_SECONDS,
            ),
            log=lab.primary.log,
        )
    segments = after_backup()
    return segments[len(segments) // 2 - 1]


def set_aside(lab: Laboratory, segment: Path) -> Path:
    """Copy the sound segment out of the archive; give the copy."""
    directory = lab.directory / "set-aside"
    directory.mkdir(exist_ok=True)
    copy = directory / segment.name
    shutil.copy2(segment, copy)
    return copy


def put_back(lab: Laboratory) -> str:
    """Bring what was set aside back into the archive."""
    names = []
    for copy in sorted((lab.directory / "set-aside").iterdir()):
        place = lab.archive / copy.name
        shutil.copy2(copy, place)
        lab.account.own(place)
        copy.unlink()
        names.append(copy.name)
    return f"{', '.join(names)} is sound again"
