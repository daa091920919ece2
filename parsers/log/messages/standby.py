"""Hot standby: parameters, conflicts, connections refused."""

from __future__ import annotations

from typing import Final

from parsers.log.messages.event import Event
from parsers.log.messages.message import ANYONE, DETAIL, Message

# fmt: off
MESSAGES: Final = (
    Message("hot standby is not possible because %s = %d is a lower setting than on the master server (its value was %d)", Event.PARAMS_SHORT, ("setting", "value", "primary_value"), majors=range(13, 14), sample="hot standby is not possible because max_connections = 50 is a lower setting than on the master server (its value was 100)"),
    Message("hot standby is not possible because of insufficient parameter settings", Event.PARAMS_SHORT, majors=range(14, 20), sample="hot standby is not possible because of insufficient parameter settings"),
    Message("%s = %d is a lower setting than on the primary server, where its value was %d.", Event.PARAMS_SHORT_DETAIL, ("setting", "value", "primary_value"), majors=range(14, 20), part=DETAIL, sample="max_connections = 50 is a lower setting than on the primary server, where its value was 100."),
    Message("promotion is not possible because of insufficient parameter settings", Event.PARAMS_PROMOTE, majors=range(14, 20), sample="promotion is not possible because of insufficient parameter settings"),
    Message("recovery aborted because of insufficient parameter settings", Event.PARAMS_ABORT, majors=range(14, 20), sample="recovery aborted because of insufficient parameter settings"),
    Message("recovery still waiting after %ld.%03d ms: %s", Event.CONFLICT_WAITING, ("waited_milliseconds", "reason"), majors=range(14, 20), sample="recovery still waiting after 1000.123 ms: recovery conflict on snapshot"),
    Message("recovery finished waiting after %ld.%03d ms: %s", Event.CONFLICT_WAITED, ("waited_milliseconds", "reason"), majors=range(14, 20), sample="recovery finished waiting after 1000.123 ms: recovery conflict on snapshot"),
    Message("canceling statement due to conflict with recovery", Event.CONFLICT_CANCEL, process=ANYONE, sample="canceling statement due to conflict with recovery"),
    Message("terminating connection due to conflict with recovery", Event.CONFLICT_TERMINATE, process=ANYONE, sample="terminating connection due to conflict with recovery"),
    Message("the database system is starting up", Event.CONN_STARTING, process=ANYONE, sample="the database system is starting up"),
    Message("the database system is not yet accepting connections", Event.CONN_NOT_YET, majors=range(14, 20), process=ANYONE, sample="the database system is not yet accepting connections"),
    Message("the database system is not accepting connections", Event.CONN_NOT_ACCEPTING, majors=range(14, 20), process=ANYONE, sample="the database system is not accepting connections"),
    Message("the database system is in recovery mode", Event.CONN_IN_RECOVERY, process=ANYONE, sample="the database system is in recovery mode"),
    Message("the database system is shutting down", Event.CONN_SHUTDOWN, process=ANYONE, sample="the database system is shutting down"),
    Message('logical replication slot "%s" exists, but wal_level < logical', Event.SLOT_WAL_LEVEL, ("slot",), majors=range(13, 17), process=ANYONE, sample='logical replication slot "logical_1" exists, but wal_level < logical'),
    Message('logical replication slot "%s" exists, but "wal_level" < "logical"', Event.SLOT_WAL_LEVEL, ("slot",), majors=range(17, 20), process=ANYONE, sample='logical replication slot "logical_1" exists, but "wal_level" < "logical"'),
    Message("too many replication slots active before shutdown", Event.TOO_MANY_SLOTS, process=ANYONE, sample="too many replication slots active before shutdown"),
)
