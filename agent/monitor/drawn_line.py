"""A cluster's line of the fleet, drawn when it is judged: a scrape and the page find it there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from agent.config.model import ResolvedCluster
from rules.case.case import Case
from rules.fleet.line import FleetLine, line_of
from rules.model.findings import Verdict

__all__ = ["DrawnLine", "FleetLine"]


class DrawnLine:
    """As of the last judgement, but for the verdict. Working its facts out takes a millisecond."""

    def __init__(self, config: ResolvedCluster, case: Case, now: datetime) -> None:
        """`case`: as it is before anything is read."""
        self._config = config
        self._blank = self._line = self.draw(case, Verdict.UNKNOWN, now)

    def draw(self, case: Case, verdict: Verdict, now: datetime) -> FleetLine:
        """Draw it anew, and give it."""
        named, kept = self._config.protection_class, self._config.says_of_backups
        self._line = line_of(case, self._config.name, named, verdict, now, has_backups=kept)
        return self._line

    def give(self, verdict: Verdict) -> FleetLine:
        if self._line.verdict is not verdict:
            self._line = replace(self._line, verdict=verdict)
        return self._line

    def know_nothing(self) -> None:
        """Nothing could be judged."""
        self._line = self._blank
