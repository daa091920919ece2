"""What a cluster's sources are read by: its server, its files, its log, each into the case."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.ledger.store import Ledger
from agent.monitor.collectors import Collectors
from agent.monitor.file_scan import CaseHolder, FileScan
from agent.monitor.reading import Reading
from agent.monitor.recovery_log import RecoveryLog
from agent.monitor.rounds import Rounds
from agent.pollers.registry import Lane
from rules.live.logged import LoggedRecovery


class Readers:
    """Each coroutine is what one job reads in a round; the cluster observes it as it comes."""

    def __init__(
        self,
        cluster: CaseHolder,
        rounds: Rounds,
        ledger: Ledger | None,
        on_change: Callable[[], None],
    ) -> None:
        config = cluster.config
        self._cluster = cluster
        self._collectors = Collectors(config, rounds, on_change)
        self._log = RecoveryLog(config) if config.log else None
        self.files = FileScan(cluster, self._collectors, ledger)

    @property
    def readings(self) -> Mapping[str, Reading]:
        """The last of each collector."""
        return self._collectors.readings

    @property
    def events(self) -> Mapping[str, int]:
        """How often each recovery event came into the log since the agent did."""
        return self._log.events if self._log is not None else {}

    async def poll_server(self, lane: Lane) -> None:
        """Ask the pollers of one lane, one after the other."""
        for poller, facts in await self._collectors.poll(lane):
            self._cluster.observe(poller.facts, facts)

    async def read_log(self) -> None:
        """Follow the server log: count its recovery events, keep what became of a restore."""
        assert self._log is not None
        logged = await self._collectors.read("log", self._log.read)
        self._cluster.observe(LoggedRecovery, logged)

    def close(self) -> None:
        self._collectors.close()
        self.files.close()
