"""Checks that could not be asked, by the evidence that they lack, and why it is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agent.sources import SERVER, failing_sources
from agent.watched import WatchedCluster
from rules import evidence, exposure, facts, forecast, restore_facts
from rules.check import Check

# What each source brings, in words.
SOURCES: Final = {
    SERVER: "an answer of the server",
    "archive": "the listing of the archive",
    "backups": "the backups",
    "segments": "the content of the segments",
    "windows": "what the backups reach",
    "archiver": "pg_stat_archiver",
    "positions": "where the server writes",
    "control": "the server's control file",
    "settings": "the server's settings",
    "archive_status": "what waits for the archiver",
    "wal_directory": "the size of pg_wal",
    "wal_volume": "the volume of pg_wal",
    "log": "the server log",
}
# Evidence, and whose readings it is made of: the first of them that is not there is the cause.
MADE_OF: Final[dict[type, tuple[str, ...]]] = {
    facts.ArchiveFacts: ("archive",),
    facts.BackupsFacts: ("backups",),
    evidence.SequenceFacts: ("archive",),
    facts.ScanFacts: ("archive", "segments"),
    evidence.WalEventsFacts: ("archive", "segments"),
    evidence.WindowsFacts: ("archive", "backups", "segments", "windows"),
    facts.PositionFacts: ("positions",),
    facts.ControlFacts: ("control",),
    facts.SettingsFacts: ("settings",),
    facts.ArchiverFacts: ("archiver",),
    facts.ArchiveStatusFacts: ("archive_status",),
    facts.WalDirectoryFacts: ("wal_directory",),
    facts.WalVolumeFacts: ("wal_volume",),
    evidence.AbsentFacts: ("archive", "archiver", "archive_status"),
    exposure.ExposureFacts: ("positions", "archiver", "control"),
    forecast.WalFullFacts: ("wal_volume", "archive_status", "positions", "archiver"),
    forecast.RestoreEstimateFacts: ("backups", "windows"),
    restore_facts.LoggedRecovery: ("log",),
    restore_facts.RestoreFacts: ("log",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One kind of evidence that is not there."""

    what: str
    why: str | None  # the failed reading's words; None: it has not been read yet, or not all of it
    checks: tuple[Check, ...]


def missing_evidence(cluster: WatchedCluster) -> list[Missing]:
    """What is missing, and the checks that could therefore not be asked; each check once."""
    blind = [cluster.checks[name] for name, known in cluster.known.items() if not known]
    by_reason: dict[tuple[str, str | None], list[Check]] = {}
    for check in blind:
        by_reason.setdefault(_reason(cluster, check), []).append(check)
    return [
        Missing(what=what, why=why, checks=tuple(checks))
        for (what, why), checks in by_reason.items()
    ]


def _reason(cluster: WatchedCluster, check: Check) -> tuple[str, str | None]:
    absent = [need for need in MADE_OF if need in check.needs.values() and not _has(cluster, need)]
    wanted = [name for need in absent for name in MADE_OF[need]]
    for name in wanted:
        reading = cluster.readings.get(name)
        if reading is not None and reading.unreachable:
            return SOURCES[SERVER], failing_sources(cluster.readings)[SERVER]
        if reading is not None and reading.error:
            return SOURCES[name], reading.error
    unread = [name for name in wanted if name not in cluster.readings]
    return SOURCES[(unread or wanted)[0]] if wanted else "a look since the agent began", None


def _has(cluster: WatchedCluster, kind: type) -> bool:
    return cluster.fact(kind) is not None
