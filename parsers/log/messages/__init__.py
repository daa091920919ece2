"""The server's messages about recovery and archiving, majors 13 to 18, one file a subject.

Checked against the strings of the server binaries and its message catalogues by the tests.
"""

from __future__ import annotations

from typing import Final

from parsers.log.messages import (
    archiver,
    backup_side,
    backup_start,
    checkpoints,
    exits,
    failure,
    fetching,
    redo,
    standby,
    starting,
    stopping,
    storage,
    summarizer,
    target,
    timelines,
    validation,
)
from parsers.log.messages.message import Message

TABLE: Final[tuple[Message, ...]] = (
    *starting.MESSAGES,
    *target.MESSAGES,
    *backup_start.MESSAGES,
    *timelines.MESSAGES,
    *fetching.MESSAGES,
    *validation.MESSAGES,
    *redo.MESSAGES,
    *stopping.MESSAGES,
    *failure.MESSAGES,
    *standby.MESSAGES,
    *exits.MESSAGES,
    *archiver.MESSAGES,
    *checkpoints.MESSAGES,
    *backup_side.MESSAGES,
    *storage.MESSAGES,
    *summarizer.MESSAGES,
)
