"""The jobs of a watched cluster: what each reads, how often it is due, and what becomes of it.

What one of them did not foresee ends nothing: it is remembered, and what that job reads is not
known until it ends well again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from agent.config.model import ResolvedCluster
from agent.monitor.rounds import Rounds
from agent.pollers.registry import POLLERS, POLLERS_OF, Lane
from parsers.sentences import tr
from rules.case.observations import ArchiveListings, BackupsRead, SaidBefore, SegmentsRead
from rules.live.logged import LoggedRecovery
from rules.model.evidence import OverdueFacts, RaisedFacts
from rules.model.repository import RepositoriesRead
from rules.verdict.check import where

log: Final = logging.getLogger("pitr.cluster")

# The jobs besides the lanes of the server, and what goes wrong as if it were one.
SCAN, LOG, JUDGE = "scan", "log", "judge"
# Whose readings a collector's are: of the others, the scan's.
JOB_OF: Final = {**{poller.name: poller.lane.value for poller in POLLERS}, "log": LOG}
# What is not known when a job failed or is overdue.
READ_BY: Final[Mapping[str, tuple[type, ...]]] = {
    **{lane.value: tuple(p.facts for p in pollers) for lane, pollers in POLLERS_OF.items()},
    SCAN: (ArchiveListings, SaidBefore, BackupsRead, RepositoriesRead, SegmentsRead),
    LOG: (LoggedRecovery,),
}


def intervals(config: ResolvedCluster) -> dict[str, float]:
    """The jobs that this cluster has, and how often each is due."""
    due = {lane.value: config.poll for lane in Lane if config.dsn}
    if config.has_archives or config.has_backups:
        due[SCAN] = config.scan
    if config.log:
        due[LOG] = config.poll
    return due


class Jobs:
    """How the jobs of one cluster do. `lose` forgets observations of these kinds."""

    def __init__(self, config: ResolvedCluster, lose: Callable[[tuple[type, ...]], None]) -> None:
        self.rounds = Rounds(intervals(config), config.timeout)
        self._cluster = config.name
        self._lose = lose
        self._raised: dict[str, str] = {}  # by job: what its last round ended in, one line
        self._overdue: frozenset[str] = frozenset()  # when it was last asked

    async def run(self, job: str, work: Callable[[], Awaitable[None]]) -> None:
        """The boundary of a job: what it raises is a finding, and its facts are not known."""
        with self.rounds.round(job):
            try:
                await work()
            except Exception as error:
                self.note_raised(job, error)
                self._lose(READ_BY.get(job, ()))
            else:
                self._raised.pop(job, None)

    def note_raised(self, job: str, error: Exception | None) -> bool:
        """Remember what a job ended in, None: well. Gives whether that is new."""
        said = where(error) if error else None
        if said == self._raised.get(job):
            return False
        if said is None:
            self._raised.pop(job, None)
        else:
            log.error("%s: %s: unexpected", self._cluster, job, exc_info=error)
            self._raised[job] = said
        return True

    def are_late_anew(self) -> bool:
        """Whether a job has become overdue since `facts` were taken, or is no more."""
        return self._overdue != self.rounds.overdue().keys()

    def facts(self, now: datetime) -> tuple[RaisedFacts, OverdueFacts]:
        """What ended in an error, and what is overdue; what an overdue job read is forgotten."""
        overdue = self.rounds.overdue()
        for job in overdue.keys() - self._overdue:  # what comes later is new, though the job is not
            self._lose(READ_BY.get(job, ()))
        self._overdue = frozenset(overdue)
        raised = {job: said for job, said in self._raised.items() if job != JUDGE}
        late = {job: now - timedelta(seconds=ago) for job, ago in overdue.items()}
        return RaisedFacts(errors={}, jobs=raised), OverdueFacts(jobs=late)

    @property
    def raised(self) -> Mapping[str, str]:
        """What each job's last round ended in, of those that ended in an error."""
        return self._raised

    @property
    def are_sound(self) -> bool:
        return not self._raised and not self.rounds.overdue()

    def trouble_of(self, collector: str) -> str | None:
        """Why what this collector read does not count, though the reading itself went well."""
        job = JOB_OF.get(collector, SCAN)
        if job in self._raised:
            return tr("the job {job} ended in an error: {error}", job=job, error=self._raised[job])
        return tr("{job} is overdue", job=job) if job in self.rounds.overdue() else None

    @property
    def trouble_of_judging(self) -> str | None:
        """Why no check could be asked; None: they could."""
        said = self._raised.get(JUDGE)
        return tr("judging ended in an error: {error}", error=said) if said else None
