"""How much room there is for more WAL where the archives lie."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from agent.store.urls import is_remote
from rules.case.observations import ArchiveRoom


def room_of(archives: Iterable[str]) -> ArchiveRoom | None:
    """None where none of them is a directory: a store has no end that could be asked."""
    free: list[int] = []
    for url in archives:
        if is_remote(url) or not Path(url).is_dir():
            continue
        try:
            free.append(shutil.disk_usage(url).free)
        except OSError:
            return None
    return ArchiveRoom(free_bytes=min(free)) if free else None
