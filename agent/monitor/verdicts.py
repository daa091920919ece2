"""What the checks say of one cluster, judgement after judgement: findings, and alerts over time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from agent.config.model import ResolvedCluster
from agent.monitor.clock import clock_step
from agent.monitor.expected import expected_facts
from agent.monitor.reading import Reading
from agent.monitor.restored import RestoredAlerts
from rules.alerting.state import Alerts, advance, shift
from rules.case.case import Case
from rules.case.context import NO_OBJECTIVES
from rules.model.evidence import Evidence, RaisedFacts
from rules.model.findings import Finding, Severity, verdict_of
from rules.verdict.check import Answers, Check, Judgement, judge, where
from rules.verdict.judgement import judge_case

log: Final = logging.getLogger("pitr.cluster")

# How loud a finding is in the log.
_LEVELS: Final = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.UNKNOWN: logging.WARNING,
    Severity.CRITICAL: logging.ERROR,
}


class Verdicts:
    """The last judgement. A check that was blind keeps what it found before."""

    def __init__(
        self, config: ResolvedCluster, checks: Mapping[str, Check], alerts: Alerts
    ) -> None:
        self.checks = checks
        self.findings: dict[str, tuple[Finding, ...]] = {}
        self.known: Mapping[str, bool] = {}
        self.worst = verdict_of((), blind=True)
        self.alerts = alerts
        self.judged_at: datetime | None = None
        self.judged_monotonic: float | None = None  # the same instant, of a clock that never steps
        self._cluster = config.name
        self._expected = expected_facts(config)
        self._answers: Answers = {}
        self._restored = RestoredAlerts(alerts, checks, config)

    def judge(
        self,
        case: Case,
        readings: Mapping[str, Reading],
        expected: set[type],
        on_alerts: Callable[[Alerts, Alerts], None],
    ) -> None:
        """Ask every check with what is known now; `expected` is, beside what the sources give."""
        now = datetime.now(UTC)
        judgement = judge_case(
            case, self.checks, now, expected=self._expected | expected, answers=self._answers
        )
        heard = self._restored.blind(judgement, readings, case)
        self._take(judgement, heard, now, on_alerts)

    def know_nothing(
        self, raised: Mapping[str, str], on_alerts: Callable[[Alerts, Alerts], None]
    ) -> None:
        """The judgement when none could be made: every check is blind, and one finding says why."""
        now = datetime.now(UTC)
        told = {name: check for name, check in self.checks.items() if name == "check_raised"}
        facts: dict[type, object] = {RaisedFacts: RaisedFacts(errors={}, jobs=dict(raised))}
        only = judge(Evidence(now=now, objectives=NO_OBJECTIVES, facts=facts), told)
        blind = dict.fromkeys(self.known.keys() | self.findings.keys(), False)
        judgement = replace(only, known={**blind, **only.known})
        try:
            self._take(judgement, judgement, now, on_alerts)
        except Exception as error:  # whom to tell is then not known either; the verdict is
            log.error("%s: notification failed: %s", self._cluster, where(error))

    def _take(
        self,
        judgement: Judgement,
        heard: Judgement,
        now: datetime,
        on_alerts: Callable[[Alerts, Alerts], None],
    ) -> None:
        stepped = clock_step(now, self.judged_at, self.judged_monotonic)
        self.known = judgement.known
        self.judged_at, self.judged_monotonic = now, monotonic()
        found: dict[str, list[Finding]] = {}
        for finding in judgement.findings:
            found.setdefault(finding.id, []).append(finding)
        for check, known in judgement.known.items():
            if known:
                self._report(check, found.get(check, ()))
        for check in self.findings.keys() - judgement.known.keys():
            self._report(check, ())  # it does not apply any more
        standing = (each for findings in self.findings.values() for each in findings)
        self.worst = verdict_of(standing, blind=not all(self.known.values()))
        before = shift(self.alerts, stepped)
        self.alerts = advance(before, heard, self.checks, now)
        on_alerts(before, self.alerts)

    def _report(self, check: str, findings: Sequence[Finding]) -> None:
        before = self.findings.get(check, ())
        if findings and not before:
            for finding in findings:
                level = _LEVELS[finding.severity]
                log.log(level, "%s: %s: %s", self._cluster, check, finding.summary)
        elif before and not findings:
            log.info("%s: %s: resolved", self._cluster, check)
        self.findings[check] = tuple(findings)
