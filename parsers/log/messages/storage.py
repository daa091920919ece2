"""Storage errors during replay."""

from __future__ import annotations

from typing import Final

from parsers.log.messages.event import Event
from parsers.log.messages.message import ANYONE, BACKGROUND, Message

# fmt: off
MESSAGES: Final = (
    Message("page verification failed, calculated checksum %u but expected %u", Event.PAGE_CHECKSUM, ("calculated", "stored"), process=ANYONE, sample="page verification failed, calculated checksum 1234 but expected 4321"),
    Message("invalid page in block %u of relation %s", Event.BAD_PAGE, ("block", "relation"), majors=range(13, 18), process=ANYONE, sample="invalid page in block 7 of relation base/5/1259"),
    Message('file "%s" doesn\'t exist, reading as zeroes', Event.SLRU_MISSING_ZERO, ("path",), process=ANYONE, sample='file "base/5/1259" doesn\'t exist, reading as zeroes'),
    Message("could not access status of transaction %u", Event.XACT_STATUS, ("xid",), process=ANYONE, sample="could not access status of transaction 732"),
    Message('could not read file "%s": %m', Event.READ_FAILED, ("path",), process=BACKGROUND, sample='could not read file "base/5/1259": No such file or directory'),
    Message('could not write to file "%s": %m', Event.DATA_SYNC_WRITE, ("path",), process=BACKGROUND, sample='could not write to file "base/5/1259": No such file or directory'),
)
