"""A cluster's line of the fleet, drawn when it is judged: a scrape and the page find it there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic

from agent.config.model import ResolvedCluster
from rules.case.case import Case
from rules.fleet.line import FleetLine, line_of
from rules.model.findings import Verdict

__all__ = ["DrawnLine", "FleetLine"]


class DrawnLine:
    """No older than a poll; working its facts out takes about a millisecond."""

    def __init__(self, config: ResolvedCluster) -> None:
        self._config = config
        self._line: FleetLine | None = None
        self._of, self._made = 0, 0.0  # the cluster's changes_count, monotonic

    def give(self, case: Case, verdict: Verdict, changes: int, at: datetime | None) -> FleetLine:
        """Drawn again where something changed and a poll has passed."""
        is_old = self._of != changes and monotonic() - self._made >= self._config.poll
        if self._line is None or is_old:
            self._of, self._made = changes, monotonic()
            now, named = at or datetime.now(UTC), self._config.protection_class
            kept = self._config.says_of_backups
            self._line = line_of(case, self._config.name, named, verdict, now, has_backups=kept)
        if self._line.verdict is not verdict:
            self._line = replace(self._line, verdict=verdict)
        return self._line
