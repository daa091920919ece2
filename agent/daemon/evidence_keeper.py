"""The agent's verdicts as signed statements: when one is due, and what becomes of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

from agent.config.evidence import EvidenceConfig
from agent.config.model import ResolvedCluster
from agent.deadline import DeadlinePassed, Worker
from agent.errors import UsageError
from agent.evidence.statement import draft_of
from agent.evidence.writer import CannotWriteEvidence, EvidenceWriter, Written
from agent.monitor.watched import WatchedCluster
from parsers.sentences import message_of, tr
from parsers.values import dataclass
from rules.case.observations import BackupsRead, SegmentsRead
from rules.model.evidence import SignedFacts
from rules.verdict.report import Report, report_of

log: Final = logging.getLogger("pitr.evidence")

_LOOK_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 60.0  # between two statements of a cluster, however often it changes
_WRITE_SECONDS: Final = 120.0
_PROGRAM: Final = "pitr-agent"

Standing = tuple[object, ...]  # what of a verdict is worth a statement when it changes


@dataclass(slots=True)
class _Kept:
    """The last statement of one cluster."""

    seen_at: float  # monotonic: when it was first looked at
    tried_at: float | None = None
    standing: Standing | None = None  # that was written; None: none was


class EvidenceKeeper:
    """Belongs to the event loop; what it writes is written beside it."""

    def __init__(
        self, clusters: Sequence[WatchedCluster], clock: Callable[[], float] = monotonic
    ) -> None:
        self._clusters = clusters
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._writers: dict[EvidenceConfig, EvidenceWriter] = {}
        self._worker = Worker("evidence")

    async def run(self) -> None:
        """Write what is due, until cancelled."""
        while True:
            for cluster in list(self._clusters):
                if cluster.config.evidence is not None and self._is_due(cluster):
                    await self._try_to_keep(cluster, cluster.config.evidence)
            await asyncio.sleep(_LOOK_SECONDS)

    def _is_due(self, cluster: WatchedCluster) -> bool:
        now, config = self._clock(), cluster.config
        assert config.evidence is not None
        kept = self._kept.setdefault(cluster.name, _Kept(seen_at=now))
        if cluster.judged_at is None or not _was_read(cluster, now - kept.seen_at):
            return False
        if kept.tried_at is None:
            return True
        since = now - kept.tried_at
        changed = kept.standing != _standing(cluster)
        return since >= (_PAUSE_SECONDS if changed else config.evidence.every)

    async def _try_to_keep(self, cluster: WatchedCluster, config: EvidenceConfig) -> None:
        """The boundary of a statement: what goes wrong is a finding, and ends nothing."""
        kept = self._kept[cluster.name]
        kept.tried_at = self._clock()
        try:
            standing, report = _standing(cluster), _report(cluster)
            blind = frozenset(check for check, known in cluster.known.items() if not known)
            written = await self._worker.run(
                _WRITE_SECONDS, lambda: self._write(config, cluster.config, report, blind)
            )
        except (CannotWriteEvidence, UsageError, DeadlinePassed) as error:
            self._tell(cluster, config, message_of(error))
        except Exception as error:
            log.exception("%s: unexpected", cluster.name)
            self._tell(cluster, config, tr("unexpected {error}", error=type(error).__name__))
        else:
            kept.standing = standing
            self._tell(cluster, config, None)
            _log(cluster.name, written)

    def _write(
        self,
        config: EvidenceConfig,
        cluster: ResolvedCluster,
        report: Report,
        blind: frozenset[str],
    ) -> Written:
        writer = self._writers.get(config)
        if writer is None:  # a key that was of no use may be now
            from agent.evidence.keys import read_signing_key

            key = read_signing_key(config.key)
            writer = EvidenceWriter(config.directory, key, limit_bytes=config.limit)
            self._writers[config] = writer
        draft = draft_of(report, _PROGRAM, cluster.name, _configuration(cluster), blind)
        return writer.write(draft)

    def _tell(self, cluster: WatchedCluster, config: EvidenceConfig, failure: str | None) -> None:
        said = SignedFacts(directory=str(config.directory), failure=failure)
        if cluster.fact(SignedFacts) != said:
            cluster.observe(SignedFacts, said)
            cluster.judge()


def _was_read(cluster: WatchedCluster, watched_seconds: float) -> bool:
    """Whether its files were read; a verdict is due all the same where they never are."""
    config = cluster.config
    if watched_seconds > 2 * config.scan:
        return True
    if config.has_archives and config.depth != "names":
        return cluster.fact(SegmentsRead) is not None
    return not config.has_backups or cluster.fact(BackupsRead) is not None


def _standing(cluster: WatchedCluster) -> Standing:
    """What is found, without the numbers that change at each look."""
    found = frozenset(name for name, findings in cluster.findings.items() if findings)
    blind = frozenset(name for name, known in cluster.known.items() if not known)
    return cluster.verdict, found - {"evidence_not_written"}, blind, cluster.config


def _report(cluster: WatchedCluster) -> Report:
    found = (finding for findings in cluster.findings.values() for finding in findings)
    return report_of(cluster.case, found, cluster.verdict, datetime.now(UTC))


def _configuration(cluster: ResolvedCluster) -> dict[str, Any]:
    drill = cluster.drill
    return {
        "backup_depth": cluster.backup_depth,
        "drill": {"schedule": drill.schedule, "timezone": drill.timezone, "at": drill.at}
        if drill
        else None,
    }


def _log(name: str, written: Written) -> None:
    """Whoever keeps the log can tell one day that the chain was not set back."""
    log.info("%s: statement %d, sha256 %s", name, written.sequence, written.digest)
    for file in written.dropped:
        log.warning("%s was removed: all statements are over the limit", file)
