"""One watched cluster: the jobs of the scheduler, its case, and what the checks say of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from agent.config.model import ResolvedCluster
from agent.ledger.store import Ledger
from agent.monitor.drawn_line import DrawnLine, FleetLine
from agent.monitor.jobs import JUDGE, LOG, SCAN, Jobs
from agent.monitor.over_time import OverTime
from agent.monitor.polling import Lane, Polling
from agent.monitor.readers import Readers
from agent.monitor.reading import Reading
from agent.monitor.verdicts import Verdicts
from agent.store.meter import StoreUsage
from rules.alerting.state import Alerts
from rules.case.case import Case
from rules.model.findings import Finding, Verdict
from rules.verdict.check import Check

T = TypeVar("T")

# Called with the cluster's name and its alerts before and after a judgement.
OnAlerts = Callable[[str, Alerts, Alerts], None]


class WatchedCluster:
    """The state of one cluster. Its coroutines are the scheduler's jobs, and never raise."""

    def __init__(
        self,
        config: ResolvedCluster,
        checks: Mapping[str, Check],
        *,
        alerts: Alerts | None = None,
        over_time: OverTime | None = None,
        on_alerts: OnAlerts = lambda name, before, after: None,
        ledger: Ledger | None = None,
    ) -> None:
        self.config = config
        self.name = config.name
        self.case = Case(context=config.context(datetime.now(UTC)), patient=False)
        self.changes_count = 0  # of all that others see
        self.over_time = over_time or OverTime(poll_seconds=config.poll)
        self.jobs = Jobs(config, self._lose)
        self._line = DrawnLine(config, self.case)
        self._on_alerts = on_alerts
        self._verdicts = Verdicts(config, checks, alerts or {})
        self._readers = Readers(self, self.jobs.rounds, ledger, self._changed)
        self.polling = Polling(config, self.jobs, self._readers, self.judge)

    # -- what others see -------------------------------------------------------------------------

    def fact(self, kind: type[T]) -> T | None:
        """The fact of this kind as it follows from the last readings; None: it is not known."""
        return self.case.get(kind)

    @property
    def checks(self) -> Mapping[str, Check]:
        return self._verdicts.checks

    @checks.setter
    def checks(self, checks: Mapping[str, Check]) -> None:
        self._verdicts.checks = checks

    @property
    def findings(self) -> Mapping[str, tuple[Finding, ...]]:
        """What stands, by check."""
        return self._verdicts.findings

    @property
    def known(self) -> Mapping[str, bool]:
        """Whether each check that applies could be asked."""
        return self._verdicts.known

    @property
    def alerts(self) -> Alerts:
        return self._verdicts.alerts

    @property
    def judged_at(self) -> datetime | None:
        return self._verdicts.judged_at

    @property
    def readings(self) -> Mapping[str, Reading]:
        """The last of each collector."""
        return self._readers.readings

    @property
    def store_usage(self) -> StoreUsage | None:
        """What was asked of object stores; None: nothing lies in one."""
        return self._readers.files.usage

    @property
    def events(self) -> Mapping[str, int]:
        """How often each recovery event came into the log since the agent did."""
        return self._readers.events

    @property
    def server_answers(self) -> bool | None:
        """None without a dsn, and before the first poll ended."""
        reading = self.readings.get("positions")
        return None if reading is None else reading.succeeded

    @property
    def verdict(self) -> Verdict:
        """The worst that is known; unknown while nothing was judged, or a check is blind."""
        worst = self._verdicts.worst
        return worst if worst is Verdict.CRITICAL or self.jobs.are_sound else Verdict.UNKNOWN

    @property
    def line(self) -> FleetLine:
        """This cluster against its goals, as of the last judgement."""
        return self._line.give(self.verdict)

    # -- jobs ------------------------------------------------------------------------------------

    async def run(self, job: str, work: Callable[[], Awaitable[None]]) -> None:
        await self.jobs.run(job, work)
        self.judge()

    async def poll(self) -> None:
        """Begin to ask the server and to read its log: see agent.monitor.polling."""
        self.polling.begin()

    async def poll_server(self, lane: Lane) -> None:
        """Ask the pollers of one lane, one after the other."""
        await self.run(lane.value, partial(self._readers.poll_server, lane))

    async def scan(self) -> None:
        """List the archives and the backups, judge them, and read the segments not read yet."""
        await self.run(SCAN, self._scan)

    async def _scan(self) -> None:
        await self._readers.files.list()
        self.judge()
        await self._readers.files.read()

    async def read_log(self) -> None:
        """Follow the server log: count its recovery events, keep what became of a restore."""
        await self.run(LOG, self._readers.read_log)

    def mind_the_clock(self) -> None:
        """Judge again when a job has become overdue, or is no more."""
        if self.jobs.are_late_anew():
            self.judge()

    def mute(self) -> None:
        """Say nothing more: another takes its place, or it is no longer watched."""
        self._on_alerts = lambda name, before, after: None

    def close(self) -> None:
        self._readers.close()

    # -- how ------------------------------------------------------------------------------------

    def observe(self, kind: type, observed: object | None) -> None:
        """Take a reading into the case; None: it failed, and what rests on it is not known."""
        self.case = self.case.having(observed) if observed is not None else self.case.without(kind)
        self.over_time.note(observed)
        self._changed()

    def _lose(self, kinds: tuple[type, ...]) -> None:
        self.case = self.case.without(*kinds)

    def _changed(self) -> None:
        self.changes_count += 1

    def judge(self) -> None:
        """Ask every check with what is known now; where that cannot be, nothing is known."""
        self.polling.judged()
        try:
            self._judge()
        except Exception as error:
            self.jobs.note_raised(JUDGE, error)
            self._verdicts.know_nothing(self.jobs.raised, self._tell)
            self._line.know_nothing()
        else:
            self.jobs.note_raised(JUDGE, None)
        self._changed()

    def _judge(self) -> None:
        now = datetime.now(UTC)
        troubles = self.jobs.facts(now)
        self.case = self.over_time.observe(self.case, self.readings, now).having(*troubles)
        expected = self.over_time.expected(self.case)
        self._verdicts.judge(self.case, self.readings, expected, self._tell)
        self.over_time.cuts = self._line.draw(self.case, self.verdict, self.over_time.cuts, now)

    def _tell(self, before: Alerts, after: Alerts) -> None:
        self._on_alerts(self.name, before, after)
