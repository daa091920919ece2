"""Hot standby: parameters, conflicts, connections refused."""

from __future__ import annotations

from typing import Final

from parsers.messages.message import ANYONE, DETAIL, Message

MESSAGES: Final = (
    Message(
        id="hot standby is not possible because %s = %d is a lower setting than on the master server (its value was %d)",
        event="params_short",
        fields=("setting", "value", "primary_value"),
        majors=range(13, 14),
        sample="hot standby is not possible because max_connections = 50 is a lower setting than on the master server (its value was 100)",
    ),
    Message(
        id="hot standby is not possible because of insufficient parameter settings",
        event="params_short",
        majors=range(14, 19),
        sample="hot standby is not possible because of insufficient parameter settings",
    ),
    Message(
        id="%s = %d is a lower setting than on the primary server, where its value was %d.",
        event="params_short_detail",
        fields=("setting", "value", "primary_value"),
        majors=range(14, 19),
        part=DETAIL,
        sample="max_connections = 50 is a lower setting than on the primary server, where its value was 100.",
    ),
    Message(
        id="promotion is not possible because of insufficient parameter settings",
        event="params_promote",
        majors=range(14, 19),
        sample="promotion is not possible because of insufficient parameter settings",
    ),
    Message(
        id="recovery aborted because of insufficient parameter settings",
        event="params_abort",
        majors=range(14, 19),
        sample="recovery aborted because of insufficient parameter settings",
    ),
    Message(
        id="recovery still waiting after %ld.%03d ms: %s",
        event="conflict_waiting",
        fields=("waited_milliseconds", "reason"),
        majors=range(14, 19),
        sample="recovery still waiting after 1000.123 ms: recovery conflict on snapshot",
    ),
    Message(
        id="recovery finished waiting after %ld.%03d ms: %s",
        event="conflict_waited",
        fields=("waited_milliseconds", "reason"),
        majors=range(14, 19),
        sample="recovery finished waiting after 1000.123 ms: recovery conflict on snapshot",
    ),
    Message(
        id="canceling statement due to conflict with recovery",
        event="conflict_cancel",
        process=ANYONE,
        sample="canceling statement due to conflict with recovery",
    ),
    Message(
        id="terminating connection due to conflict with recovery",
        event="conflict_terminate",
        process=ANYONE,
        sample="terminating connection due to conflict with recovery",
    ),
    Message(
        id="the database system is starting up",
        event="conn_starting",
        process=ANYONE,
        sample="the database system is starting up",
    ),
    Message(
        id="the database system is not yet accepting connections",
        event="conn_not_yet",
        majors=range(14, 19),
        process=ANYONE,
        sample="the database system is not yet accepting connections",
    ),
    Message(
        id="the database system is not accepting connections",
        event="conn_not_accepting",
        majors=range(14, 19),
        process=ANYONE,
        sample="the database system is not accepting connections",
    ),
    Message(
        id="the database system is in recovery mode",
        event="conn_in_recovery",
        process=ANYONE,
        sample="the database system is in recovery mode",
    ),
    Message(
        id="the database system is shutting down",
        event="conn_shutdown",
        process=ANYONE,
        sample="the database system is shutting down",
    ),
    Message(
        id='logical replication slot "%s" exists, but wal_level < logical',
        event="slot_wal_level",
        fields=("slot",),
        majors=range(13, 17),
        process=ANYONE,
        sample='logical replication slot "logical_1" exists, but wal_level < logical',
    ),
    Message(
        id='logical replication slot "%s" exists, but "wal_level" < "logical"',
        event="slot_wal_level",
        fields=("slot",),
        majors=range(17, 19),
        process=ANYONE,
        sample='logical replication slot "logical_1" exists, but "wal_level" < "logical"',
    ),
    Message(
        id="too many replication slots active before shutdown",
        event="too_many_slots",
        process=ANYONE,
        sample="too many replication slots active before shutdown",
    ),
)
