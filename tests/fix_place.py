"""Where the tests put their files: in memory, where there is room for them.

A data directory is a thousand files, and a run makes and removes thousands of those: on ext4 that
was a third of all its processor time. TMPDIR, where it is set, is obeyed.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

import psutil

_MEMORY: Final = Path("/dev/shm")
_LEAST_BYTES: Final = 6 << 30  # what four processes hold at once is half of it
_DISK: Final = Path("/tmp")


def _roomy(path: Path) -> bool:
    """Whether so much may be put there, and the machine has the memory for it."""
    if not os.access(path, os.W_OK | os.X_OK):
        return False
    room = min(psutil.disk_usage(str(path)).free, psutil.virtual_memory().available)
    return room >= _LEAST_BYTES


# Its name is short, as a socket's path must be; whoever is started by a test finds it in TMPDIR.
PLACE: Final = Path(os.environ.setdefault("TMPDIR", str(_MEMORY if _roomy(_MEMORY) else _DISK)))


def new_place(prefix: str = "pt-", under: Path = PLACE) -> Path:
    """A directory with a short name, that every account may enter."""
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=under))
    path.chmod(0o755)
    return path
