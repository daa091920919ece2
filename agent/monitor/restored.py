"""Alerts from before a restart: an agent that has not looked yet must not call them over.

Right after the start some sources were not read yet, and what is worked out over time (exposure)
starts from nothing. A check that finds nothing then proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agent.config.model import ResolvedCluster
from agent.monitor.reading import Reading
from agent.pollers.registry import POLLERS
from rules.alerting.state import Alerts
from rules.capacity.exposure import ExposureFacts
from rules.capacity.forecast import WalFullFacts
from rules.case.case import Case
from rules.verdict.check import Check, Judgement


class RestoredAlerts:
    """The alerts that a cluster began with, until each was really looked at again."""

    def __init__(
        self, alerts: Alerts, checks: Mapping[str, Check], config: ResolvedCluster
    ) -> None:
        self._unheard = set(alerts)
        self._over_time = {
            check.id
            for check in checks.values()
            if {ExposureFacts, WalFullFacts} & set(check.needs.values())
        }
        self._silent = _sources(config)

    def blind(self, judgement: Judgement, readings: Mapping[str, Reading], case: Case) -> Judgement:
        """The judgement, with what it cannot know yet about these alerts marked as not known."""
        if not self._unheard:
            return judgement
        self._silent -= {name for name, reading in readings.items() if reading.succeeded}
        found = {finding.id for finding in judgement.findings}
        exposed = case.get(ExposureFacts)
        too_young = exposed is None or exposed.at_least
        for check in list(self._unheard):
            silent = bool(self._silent) and check not in judgement.known
            young = too_young and check in self._over_time
            if check in found or not (silent or young):
                self._unheard.discard(check)
        return replace(judgement, known={**judgement.known, **dict.fromkeys(self._unheard, False)})


def _sources(config: ResolvedCluster) -> set[str]:
    """The collectors that read what is configured."""
    sources = {poller.name for poller in POLLERS} if config.dsn else set()
    has = {"archive": config.has_archives, "backups": config.has_backups, "log": config.log}
    return sources | {name for name, configured in has.items() if configured}
