"""What kills recovery on its way: settings too low, wal_level minimal, timelines that contradict.

Follows CheckRequiredParameterValues (xlog.c), PrepareRedoAdd (twophase.c) and checkTimeLineSwitch
(xlogrecovery.c). What is not known of the server is not held against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from parsers.lsn import format_lsn
from parsers.pg_control import ControlFile
from parsers.wal_facts import (
    POSTGRES_EPOCH,
    CheckpointRecord,
    EndOfRecovery,
    Event,
    Facts,
    ParameterChange,
    Prepare,
    TransactionKind,
)
from rules import server_messages as messages
from rules.restore import PARAMETERS, Server
from rules.timelines import Fork


class Hazard(NamedTuple):
    """A record, or the start, at which the server gives up."""

    lsn: int  # 0: before any record
    fatal: str
    reason: str


def check_settings(
    server: Server, writer: ControlFile | ParameterChange, lsn: int = 0
) -> Hazard | None:
    """Judge the server's settings against what the WAL was written with."""
    minimal = writer.wal_level == 0 and (server.major >= 14 or server.hot_standby)
    if minimal:
        reason = "the WAL was written with wal_level = minimal for a while: take a new backup"
        return Hazard(lsn, messages.wal_minimal(server.major), reason)
    if not server.hot_standby:
        return None
    for name in PARAMETERS:
        value, least = server.parameters.get(name), getattr(writer, name)
        if value is not None and value < least:
            fatal = messages.parameter_short(server.major, name, value, least)
            reason = (
                f"{name} = {value} is lower than the {least} of the server that wrote the WAL:"
                f" raise it, or restore with hot_standby = off"
            )
            return Hazard(lsn, fatal, reason)
    return None


class Watch:
    """Follows the records that can kill recovery, in their order."""

    def __init__(
        self, server: Server, timeline: int, path: frozenset[int], forks: list[Fork]
    ) -> None:
        self._server = server
        self._timeline = timeline  # being replayed
        self._path = path
        self._prepared: set[int] = set()
        self._forks = forks  # passed so far: grows

    def first(self, facts: Facts, limit_lsn: int | None) -> Hazard | None:
        """The first hazard of a stretch; with a limit, only of what starts before it."""
        ended = _ended_prepared(facts)
        for event in facts.events:
            if limit_lsn is not None and event.lsn >= limit_lsn:
                break
            hazard = self._meet(event, ended)
            if hazard:
                return hazard
        self._prepared -= ended.keys()
        return None

    def _meet(self, event: Event, ended: Mapping[int, int]) -> Hazard | None:
        if isinstance(event, ParameterChange):
            return check_settings(self._server, event, event.lsn)
        if isinstance(event, Prepare):
            return self._meet_prepare(event, ended)
        if isinstance(event, EndOfRecovery) or (
            isinstance(event, CheckpointRecord) and event.shutdown
        ):
            return self._meet_switch(event)
        return None

    def _meet_prepare(self, event: Prepare, ended: Mapping[int, int]) -> Hazard | None:
        """Count those that are open. Older ones, in the backup's own pg_twophase, come on top."""
        open_now = {xid for xid in self._prepared if ended.get(xid, event.lsn) >= event.lsn}
        self._prepared = open_now | {event.xid}
        limit = self._server.parameters.get("max_prepared_transactions")
        if limit is None or len(self._prepared) <= limit:
            return None
        reason = f"{len(self._prepared)} prepared transactions are open at {format_lsn(event.lsn)}"
        return Hazard(event.lsn, messages.PREPARED_FULL, f"{reason}, {limit} are allowed")

    def _meet_switch(self, event: CheckpointRecord | EndOfRecovery) -> Hazard | None:
        if event.timeline == self._timeline:
            return None
        before, self._timeline = self._timeline, event.timeline
        self._forks.append(Fork(event.timeline, before, event.lsn, _time_us(event)))
        reason = f"the record at {format_lsn(event.lsn)} goes to timeline {event.timeline}"
        if event.previous_timeline != before:
            fatal = messages.unexpected_previous_timeline(event.previous_timeline, before)
            return Hazard(event.lsn, fatal, f"{reason} from {event.previous_timeline}")
        if event.timeline < before or event.timeline not in self._path:
            fatal = messages.unexpected_timeline(event.timeline, before)
            return Hazard(event.lsn, fatal, f"{reason}, which the target's history does not have")
        return None


def _time_us(event: CheckpointRecord | EndOfRecovery) -> int:
    """When a timeline began. A checkpoint says it in whole seconds of another epoch."""
    if isinstance(event, EndOfRecovery):
        return event.time_us
    return (event.time - int(POSTGRES_EPOCH.timestamp())) * 1_000_000


def _ended_prepared(facts: Facts) -> dict[int, int]:
    """xid of each prepared transaction that ends in the stretch -> where."""
    kinds = facts.transactions.kinds
    if TransactionKind.COMMIT_PREPARED not in kinds and TransactionKind.ABORT_PREPARED not in kinds:
        return {}
    return {
        transaction.xid: transaction.lsn
        for transaction in facts.transactions
        if transaction.kind >= TransactionKind.COMMIT_PREPARED
    }
