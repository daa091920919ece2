"""Storage errors during replay."""

from __future__ import annotations

from typing import Final

from parsers.messages.message import ANYONE, BACKGROUND, Message

MESSAGES: Final = (
    Message(
        id="page verification failed, calculated checksum %u but expected %u",
        event="page_checksum",
        fields=("calculated", "stored"),
        process=ANYONE,
        sample="page verification failed, calculated checksum 1234 but expected 4321",
    ),
    Message(
        id="invalid page in block %u of relation %s",
        event="bad_page",
        fields=("block", "relation"),
        majors=range(13, 18),
        process=ANYONE,
        sample="invalid page in block 7 of relation base/5/1259",
    ),
    Message(
        id='file "%s" doesn\'t exist, reading as zeroes',
        event="slru_missing_zero",
        fields=("path",),
        process=ANYONE,
        sample='file "base/5/1259" doesn\'t exist, reading as zeroes',
    ),
    Message(
        id="could not access status of transaction %u",
        event="xact_status",
        fields=("xid",),
        process=ANYONE,
        sample="could not access status of transaction 732",
    ),
    Message(
        id='could not read file "%s": %m',
        event="read_failed",
        fields=("path",),
        process=BACKGROUND,
        sample='could not read file "base/5/1259": No such file or directory',
    ),
    Message(
        id='could not write to file "%s": %m',
        event="data_sync_write",
        fields=("path",),
        process=BACKGROUND,
        sample='could not write to file "base/5/1259": No such file or directory',
    ),
)
