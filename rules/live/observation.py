"""One look at a server that recovers: SQL, its files, pg_control, its processes.

Field names follow the functions and views that they come from. None: could not be had, or does not
apply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime, tzinfo

from parsers.errors import ParseError
from parsers.files.pg_control import ControlFile
from parsers.segment import parse_segment_name
from parsers.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WalReceiver:
    """The row of pg_stat_wal_receiver. None: the role may not see it."""

    status: str | None  # starting, streaming, waiting, …
    sender: str | None  # host:port
    received_lsn: int | None  # flushed_lsn
    sent_lsn: int | None  # latest_end_lsn: the end of the sender's WAL, as last reported


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefetch:
    """The row of pg_stat_recovery_prefetch, of 15 and later."""

    wal_distance_bytes: int  # how far ahead of replay the WAL is read
    io_depth: int  # reads under way


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildCommand:
    """A process that the startup process has started: restore_command."""

    pid: int
    seconds: float  # since it was started
    words: str  # its command line


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was seen, at one instant."""

    # SQL; `sql_error` says why there is none
    in_recovery: bool | None = None
    replay_lsn: int | None = None
    replayed_at: datetime | None = None  # commit time of the last transaction replayed
    pause_state: str | None = None  # not paused, pause requested, paused
    timeline: int | None = None
    wait_event: str | None = None  # of the startup process
    receiver: WalReceiver | None = None
    prefetch: Prefetch | None = None
    settings: Mapping[str, str] = field(default_factory=dict)  # the target that the server has
    sql_error: str | None = None
    # files
    recovery_signal: bool | None = None
    standby_signal: bool | None = None
    label: bytes | None = None  # backup_label, which the server renames when it has read it
    old_label: bytes | None = None  # backup_label.old
    control: ControlFile | None = None
    mode: int | None = None  # permission bits of the data directory
    recovery_conf: bool = False
    # processes
    running: bool | None = None  # the postmaster of the data directory
    doing: str | None = None  # the startup process's title: "recovering", "waiting for"
    segment: str | None = None
    blocked: bool = False  # its title ends in "waiting": for a lock, or a query of a standby
    resting: str | None = None  # the startup process's state, as "disk-sleep"
    command: ChildCommand | None = None
    # configuration files: what the next start takes
    configured: Mapping[str, str] = field(default_factory=dict)
    configured_known: bool = True  # False: postgresql.conf lies elsewhere, and was not read
    absent_files: tuple[str, ...] = ()  # paths of configuration without which it does not start
    elsewhere: str | None = None  # its data_directory, where that is not this one
    complaint: str | None = None  # file and line of a syntax error
    absent_places: tuple[str, ...] = ()  # where restore_command copies from, and nothing is
    find_zone: Callable[[str], tzinfo | None] | None = None
    # over time
    still_seconds: float = 0.0  # since the position, or the segment, last changed

    @property
    def position_lsn(self) -> int | None:
        """Where replay is: by SQL, else the start of the segment that is being replayed."""
        if self.replay_lsn is not None:
            return self.replay_lsn
        if self.segment is None or self.control is None:
            return None
        size = self.control.wal_segment_size
        try:
            return parse_segment_name(self.segment, size)[1] * size
        except ParseError:
            return None  # a title of another server's segment size
