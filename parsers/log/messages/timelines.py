"""Timelines: histories, forks, the new one at the end."""

from __future__ import annotations

from typing import Final

from parsers.log.messages.event import Event
from parsers.log.messages.message import DETAIL, Message

# fmt: off
MESSAGES: Final = (
    Message("recovery target timeline %u does not exist", Event.TIMELINE_MISSING, ("timeline",), sample="recovery target timeline 1 does not exist"),
    Message("requested timeline %u is not a child of this server's history", Event.TIMELINE_NOT_CHILD, ("target_timeline",), sample="requested timeline 2 is not a child of this server's history"),
    Message("Latest checkpoint is at %X/%X on timeline %u, but in the history of the requested timeline, the server forked off from that timeline at %X/%X.", Event.TIMELINE_NOT_CHILD_DETAIL, ("checkpoint_lsn", "timeline", "fork_lsn"), majors=range(13, 18), part=DETAIL, sample="Latest checkpoint is at 0/3000028 on timeline 1, but in the history of the requested timeline, the server forked off from that timeline at 0/3000028."),
    Message('Latest checkpoint in file "%s" is at %X/%X on timeline %u, but in the history of the requested timeline, the server forked off from that timeline at %X/%X.', Event.TIMELINE_NOT_CHILD_DETAIL, ("file", "checkpoint_lsn", "timeline", "fork_lsn"), majors=range(18, 20), part=DETAIL, sample='Latest checkpoint in file "000000010000000000000003" is at 0/3000028 on timeline 1, but in the history of the requested timeline, the server forked off from that timeline at 0/3000028.'),
    Message("requested timeline %u does not contain minimum recovery point %X/%X on timeline %u", Event.TIMELINE_LACKS_MINRECOVERY, ("target_timeline", "lsn", "timeline"), sample="requested timeline 2 does not contain minimum recovery point 0/3000028 on timeline 1"),
    Message("requested timeline %u is not in this server's history", Event.TIMELINE_UNKNOWN, ("timeline",), sample="requested timeline 1 is not in this server's history"),
    Message("syntax error in history file: %s", Event.HISTORY_SYNTAX, ("content",), sample="syntax error in history file: x"),
    Message("invalid data in history file: %s", Event.HISTORY_ORDER, ("content",), sample="invalid data in history file: x"),
    Message('invalid data in history file "%s"', Event.HISTORY_SELF, ("path",), sample='invalid data in history file "base/5/1259"'),
    Message("new target timeline is %u", Event.TIMELINE_NEW_TARGET, ("timeline",), sample="new target timeline is 1"),
    Message("new timeline %u is not a child of database system timeline %u", Event.TIMELINE_NEW_NOT_CHILD, ("new_timeline", "timeline"), sample="new timeline 3 is not a child of database system timeline 1"),
    Message("new timeline %u forked off current database system timeline %u before current recovery point %X/%X", Event.TIMELINE_NEW_FORKED_BEFORE, ("new_timeline", "timeline", "lsn"), sample="new timeline 3 forked off current database system timeline 1 before current recovery point 0/3000028"),
    Message("selected new timeline ID: %u", Event.TIMELINE_SELECTED, ("timeline",), sample="selected new timeline ID: 1"),
    Message("unexpected previous timeline ID %u (current timeline ID %u) in checkpoint record", Event.CKPT_TLI_PREV_UNEXPECTED, ("previous_timeline", "timeline"), sample="unexpected previous timeline ID 3 (current timeline ID 1) in checkpoint record"),
    Message("unexpected timeline ID %u (after %u) in checkpoint record", Event.CKPT_TLI_UNEXPECTED, ("timeline", "previous_timeline"), sample="unexpected timeline ID 1 (after 3) in checkpoint record"),
    Message("unexpected timeline ID %u in checkpoint record, before reaching minimum recovery point %X/%X on timeline %u", Event.CKPT_TLI_BEFORE_MINRECOVERY, ("timeline", "lsn", "minimum_timeline"), sample="unexpected timeline ID 1 in checkpoint record, before reaching minimum recovery point 0/3000028 on timeline 3"),
    Message("unexpected timeline ID %u (should be %u) in checkpoint record", Event.CKPT_TLI_SHOULD_BE, ("timeline", "expected"), majors=range(13, 15), sample="unexpected timeline ID 1 (should be 24) in checkpoint record"),
    Message("unexpected timeline ID %u (should be %u) in shutdown checkpoint record", Event.CKPT_TLI_SHOULD_BE, ("timeline", "expected"), majors=range(15, 20), sample="unexpected timeline ID 1 (should be 24) in shutdown checkpoint record"),
    Message("unexpected timeline ID %u (should be %u) in online checkpoint record", Event.CKPT_TLI_SHOULD_BE, ("timeline", "expected"), majors=range(15, 20), sample="unexpected timeline ID 3 (should be 2) in online checkpoint record"),
    Message("unexpected timeline ID %u (should be %u) in end-of-recovery record", Event.CKPT_TLI_SHOULD_BE, ("timeline", "expected"), majors=range(15, 20), sample="unexpected timeline ID 3 (should be 2) in end-of-recovery record"),
    Message("according to history file, WAL location %X/%X belongs to timeline %u, but previous recovered WAL file came from timeline %u", Event.HISTORY_WRONG_TLI, ("lsn", "timeline", "file_timeline"), translated=False, sample="according to history file, WAL location 0/3000028 belongs to timeline 1, but previous recovered WAL file came from timeline 3"),
)
