"""A cluster's server log, followed for the agent: recovery events, and the last restore's verdict.

The newest file is read from its start, so that a restore that ended before the agent came is known;
what it counts begins where the log ended then. The state outlives rotation and the server.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from agent.config.model import ResolvedCluster
from agent.live.error_log import ErrorLog
from agent.live.logtail import LogTail
from agent.live.message_catalogues import find_languages
from parsers.log.recovery_events import RecoveryEvent
from parsers.log.stream import LogStream, StreamItem
from parsers.log.times import Zone
from parsers.sentences import tr
from rules.live.facts import RestoreRecord, take_facts
from rules.live.logged import LoggedRecovery
from rules.live.summary import outcome_of
from rules.verdict.live import explain

_SETTLE_SECONDS: Final = 0.1


class UnreadableLog(Exception):
    """There are lines, and nothing here can read them. The message says what to do."""


class RecoveryLog:
    """One log. `read` is called from one thread at a time."""

    def __init__(self, config: ResolvedCluster) -> None:
        assert config.log is not None
        zone = Zone(log_timezone=ZoneInfo(config.log_timezone) if config.log_timezone else None)
        new_stream = partial(
            LogStream,
            prefix=config.log_line_prefix,
            zone=zone,
            find_languages=partial(find_languages, None),
        )
        self.events: Mapping[str, int] = {}  # proven ones since the agent came, by name
        self._record = RestoreRecord()
        self._logged: LoggedRecovery | None = None
        self._tail = LogTail(config.log, new_stream)
        self._companion = ErrorLog(new_stream)
        self._budget_seconds = config.timeout / 2
        self._caught_up = False

    def read(self) -> LoggedRecovery:
        """Read what is new, for half of the cluster's timeout at most; the rest comes next time.

        Raises OSError and UnreadableLog.
        """
        until = time.monotonic() + self._budget_seconds
        self._step()
        while self._has_more and time.monotonic() < until:
            if self._at_end:
                time.sleep(_SETTLE_SECONDS)
            self._step()
        self._caught_up = self._caught_up or self._at_end
        self._check_readable()
        logged = self._record.snapshot()
        if self._logged is None or logged != self._logged:
            self._logged = logged
        return self._logged  # the same object while nothing came that matters

    @property
    def _at_end(self) -> bool:
        return self._tail.at_end and self._companion.at_end

    @property
    def _has_more(self) -> bool:
        """The first time also what is held: it is of the past, and not to be counted later."""
        return not self._at_end or (not self._caught_up and self._tail.stream.holds)

    def _step(self) -> None:
        items: list[StreamItem] = self._tail.read_new()
        items += self._companion.read_new(self._tail)
        self._record.apply_all(items, datetime.now(UTC))
        if self._caught_up:
            self.events = Counter(self.events) + Counter(
                item.name for item in items if isinstance(item, RecoveryEvent) and item.proven
            )

    def _check_readable(self) -> None:
        if self._tail.unreadable:
            raise UnreadableLog(
                tr(
                    "{path}: not a log of PostgreSQL, or its prefix was not detected: "
                    "give log_line_prefix in the configuration",
                    path=self._tail.path,
                )
            )
        if outcome_of(self._record) is None:
            why = explain(take_facts(self._record.snapshot(), None, None, None))
            raise UnreadableLog(tr("{path}: {why}", path=self._tail.path, why=why.cause))
