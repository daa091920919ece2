"""The facts that a cluster's configured sources should give: what lacks of them is *unknown*."""

from __future__ import annotations

from agent.config import ClusterConfig
from agent.pollers.registry import POLLERS
from rules.evidence import AbsentFacts, SequenceFacts, WalEventsFacts, WindowsFacts
from rules.facts import ArchiveFacts, BackupsFacts, ScanFacts
from rules.restore_facts import LoggedRecovery, RestoreFacts


def expected_facts(config: ClusterConfig) -> frozenset[type]:
    """All that do not hang on what the sources said before."""
    expected: set[type] = set()
    if config.dsn:
        expected |= {poller.facts for poller in POLLERS}
    if config.archives:
        expected |= {ArchiveFacts, SequenceFacts}
        if config.dsn:
            expected.add(AbsentFacts)
        if config.depth != "names":
            expected.add(ScanFacts)
        if config.depth == "records":
            expected.add(WalEventsFacts)
    if config.backups:
        expected.add(BackupsFacts)
        if config.archives and config.depth == "records":
            expected.add(WindowsFacts)
    if config.log:
        expected |= {LoggedRecovery, RestoreFacts}
    return frozenset(expected)
