"""What a server's log says of its restores.

Whoever asks only whether somebody read a log imports nothing of how it is read.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from parsers.values import dataclass

if TYPE_CHECKING:
    from parsers.log.recovery_events import RecoveryEvent
    from rules.capacity.forecast import ReplayRate
    from rules.live.attempt import Attempt
    from rules.live.summary import Summary
    from rules.model.releases import ServerStart


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRestore:
    """The verdict of the last restore that came to something."""

    attempt: Attempt
    summary: Summary  # its outcome is one of OUTCOMES
    standby: bool
    at: datetime | None  # when the log says so; None: its stamps cannot be read
    known_since: datetime  # when it was read
    held_to_archive: bool = False  # a listing taken after `known_since` has been looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRecovery:
    """What one server's log says of recovery, as far as it has been read."""

    attempt: Attempt  # the one to judge
    summary: Summary  # of it
    current: Attempt  # the latest start of the server
    unreadable: RecoveryEvent | None = None  # a line in a language that cannot be read
    replayed_lsn: int | None = None  # the last position that the log names
    moved_at: datetime | None = None  # when the last line about a running recovery was read
    last: LastRestore | None = None  # None: no restore was seen
    replay_rate: ReplayRate | None = None  # of the last replay that was long enough to measure
    starts: tuple[ServerStart, ...] = ()  # with their release, oldest first

    @property
    def in_progress(self) -> bool | None:
        """None: neither the start nor the end of a recovery was seen."""
        return self.current.goes_on

    @property
    def paused(self) -> bool:
        return self.current.stands_still
