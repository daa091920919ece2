"""Timelines: histories, forks, the new one at the end."""

from __future__ import annotations

from typing import Final

from parsers.messages.message import DETAIL, Message

MESSAGES: Final = (
    Message(
        id="recovery target timeline %u does not exist",
        event="timeline_missing",
        fields=("timeline",),
        sample="recovery target timeline 1 does not exist",
    ),
    Message(
        id="requested timeline %u is not a child of this server's history",
        event="timeline_not_child",
        fields=("target_timeline",),
        sample="requested timeline 2 is not a child of this server's history",
    ),
    Message(
        id="Latest checkpoint is at %X/%X on timeline %u, but in the history of the requested timeline, the server forked off from that timeline at %X/%X.",
        event="timeline_not_child_detail",
        fields=("checkpoint_lsn", "timeline", "fork_lsn"),
        majors=range(13, 18),
        part=DETAIL,
        sample="Latest checkpoint is at 0/3000028 on timeline 1, but in the history of the requested timeline, the server forked off from that timeline at 0/3000028.",
    ),
    Message(
        id='Latest checkpoint in file "%s" is at %X/%X on timeline %u, but in the history of the requested timeline, the server forked off from that timeline at %X/%X.',
        event="timeline_not_child_detail",
        fields=("file", "checkpoint_lsn", "timeline", "fork_lsn"),
        majors=range(18, 19),
        part=DETAIL,
        sample='Latest checkpoint in file "000000010000000000000003" is at 0/3000028 on timeline 1, but in the history of the requested timeline, the server forked off from that timeline at 0/3000028.',
    ),
    Message(
        id="requested timeline %u does not contain minimum recovery point %X/%X on timeline %u",
        event="timeline_lacks_minrecovery",
        fields=("target_timeline", "lsn", "timeline"),
        sample="requested timeline 2 does not contain minimum recovery point 0/3000028 on timeline 1",
    ),
    Message(
        id="requested timeline %u is not in this server's history",
        event="timeline_unknown",
        fields=("timeline",),
        sample="requested timeline 1 is not in this server's history",
    ),
    Message(
        id="syntax error in history file: %s",
        event="history_syntax",
        fields=("content",),
        sample="syntax error in history file: x",
    ),
    Message(
        id="invalid data in history file: %s",
        event="history_order",
        fields=("content",),
        sample="invalid data in history file: x",
    ),
    Message(
        id='invalid data in history file "%s"',
        event="history_self",
        fields=("path",),
        sample='invalid data in history file "base/5/1259"',
    ),
    Message(
        id="new target timeline is %u",
        event="timeline_new_target",
        fields=("timeline",),
        sample="new target timeline is 1",
    ),
    Message(
        id="new timeline %u is not a child of database system timeline %u",
        event="timeline_new_not_child",
        fields=("new_timeline", "timeline"),
        sample="new timeline 3 is not a child of database system timeline 1",
    ),
    Message(
        id="new timeline %u forked off current database system timeline %u before current recovery point %X/%X",
        event="timeline_new_forked_before",
        fields=("new_timeline", "timeline", "lsn"),
        sample="new timeline 3 forked off current database system timeline 1 before current recovery point 0/3000028",
    ),
    Message(
        id="selected new timeline ID: %u",
        event="timeline_selected",
        fields=("timeline",),
        sample="selected new timeline ID: 1",
    ),
    Message(
        id="unexpected previous timeline ID %u (current timeline ID %u) in checkpoint record",
        event="ckpt_tli_prev_unexpected",
        fields=("previous_timeline", "timeline"),
        sample="unexpected previous timeline ID 3 (current timeline ID 1) in checkpoint record",
    ),
    Message(
        id="unexpected timeline ID %u (after %u) in checkpoint record",
        event="ckpt_tli_unexpected",
        fields=("timeline", "previous_timeline"),
        sample="unexpected timeline ID 1 (after 3) in checkpoint record",
    ),
    Message(
        id="unexpected timeline ID %u in checkpoint record, before reaching minimum recovery point %X/%X on timeline %u",
        event="ckpt_tli_before_minrecovery",
        fields=("timeline", "lsn", "minimum_timeline"),
        sample="unexpected timeline ID 1 in checkpoint record, before reaching minimum recovery point 0/3000028 on timeline 3",
    ),
    Message(
        id="unexpected timeline ID %u (should be %u) in checkpoint record",
        event="ckpt_tli_should_be",
        fields=("timeline", "expected"),
        majors=range(13, 15),
        sample="unexpected timeline ID 1 (should be 24) in checkpoint record",
    ),
    Message(
        id="unexpected timeline ID %u (should be %u) in shutdown checkpoint record",
        event="ckpt_tli_should_be",
        fields=("timeline", "expected"),
        majors=range(15, 19),
        sample="unexpected timeline ID 1 (should be 24) in shutdown checkpoint record",
    ),
    Message(
        id="unexpected timeline ID %u (should be %u) in online checkpoint record",
        event="ckpt_tli_should_be",
        fields=("timeline", "expected"),
        majors=range(15, 19),
        sample="unexpected timeline ID 3 (should be 2) in online checkpoint record",
    ),
    Message(
        id="unexpected timeline ID %u (should be %u) in end-of-recovery record",
        event="ckpt_tli_should_be",
        fields=("timeline", "expected"),
        majors=range(15, 19),
        sample="unexpected timeline ID 3 (should be 2) in end-of-recovery record",
    ),
    Message(
        id="according to history file, WAL location %X/%X belongs to timeline %u, but previous recovered WAL file came from timeline %u",
        event="history_wrong_tli",
        fields=("lsn", "timeline", "file_timeline"),
        translated=False,
        sample="according to history file, WAL location 0/3000028 belongs to timeline 1, but previous recovered WAL file came from timeline 3",
    ),
)
