"""A cluster's line of the fleet, drawn when it is judged: a scrape and the page find it there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from agent.config.model import ResolvedCluster
from rules.case.case import Case
from rules.fleet.cuts import WindowCuts
from rules.fleet.line import FleetLine, follow_breaches, line_of
from rules.model.findings import Verdict

__all__ = ["DrawnLine", "FleetLine"]


class DrawnLine:
    """As of the last judgement, but for the verdict. Working its facts out takes a millisecond."""

    def __init__(self, config: ResolvedCluster, case: Case) -> None:
        """`case`: as it is before anything is read."""
        self._config = config
        self._blank = self._line = self._drawn(case, Verdict.UNKNOWN, datetime.now(UTC))

    def draw(self, case: Case, verdict: Verdict, cuts: WindowCuts, now: datetime) -> WindowCuts:
        """Draw it anew, and give the cuts with what it shows of goals that are broken."""
        self._line = self._drawn(case, verdict, now)
        after = follow_breaches(cuts, self._line, now)
        if after is not cuts:
            self._line = self._drawn(case.having(after), verdict, now)
        return after

    def give(self, verdict: Verdict) -> FleetLine:
        if self._line.verdict is not verdict:
            self._line = replace(self._line, verdict=verdict)
        return self._line

    def know_nothing(self) -> None:
        """Nothing could be judged."""
        self._line = self._blank

    def _drawn(self, case: Case, verdict: Verdict, now: datetime) -> FleetLine:
        named, kept = self._config.protection_class, self._config.says_of_backups
        return line_of(case, self._config.name, named, verdict, now, has_backups=kept)
