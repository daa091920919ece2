"""The facts that a cluster's configured sources should give: what lacks of them is *unknown*."""

from __future__ import annotations

from agent.config.model import ResolvedCluster
from agent.pollers.registry import POLLERS
from rules.capacity.base_backups import BaseBackupsFacts
from rules.live.facts import LiveRestore
from rules.live.logged import LoggedRecovery
from rules.model.evidence import (
    AbsentFacts,
    AloneFacts,
    SequenceFacts,
    WalEventsFacts,
    WindowsFacts,
)
from rules.model.facts import ArchiveFacts, BackupsFacts, ScanFacts


def expected_facts(config: ResolvedCluster) -> frozenset[type]:
    """All that do not hang on what the sources said before."""
    expected: set[type] = set()
    if config.dsn:
        expected |= {poller.facts for poller in POLLERS} | {BaseBackupsFacts}
    if config.has_archives:
        expected |= {ArchiveFacts, SequenceFacts}
        if config.dsn:
            expected.add(AbsentFacts)
        if config.depth != "names":
            expected.add(ScanFacts)
        if config.depth == "records":
            expected.add(WalEventsFacts)
    if config.has_backups:
        expected.add(BackupsFacts)
        if config.has_archives and config.depth == "records":
            expected.add(WindowsFacts)
            if len(config.archives) + len(config.repositories) > 1:
                expected.add(AloneFacts)
    if config.log:
        expected |= {LoggedRecovery, LiveRestore}
    return frozenset(expected)
