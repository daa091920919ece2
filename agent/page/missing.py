"""Checks that could not run, by the evidence that they lack, and why it is not there."""

from __future__ import annotations

from typing import Final

from agent.monitor.sources import SERVER, failing_sources
from agent.monitor.watched import WatchedCluster
from parsers.sentences import tr, trn
from parsers.values import dataclass
from rules.capacity import base_backups, exposure, forecast, held_wal
from rules.live.facts import LiveRestore
from rules.live.logged import LoggedRecovery
from rules.model import evidence, facts
from rules.verdict.check import Check

# What each source brings, in words.
SOURCES: Final = {
    SERVER: tr("server state"),
    "archive": tr("archive listing"),
    "backups": tr("backups"),
    "segments": tr("segment contents"),
    "windows": tr("reach of the backups"),
    "archiver": "pg_stat_archiver",
    "positions": tr("WAL position of the server"),
    "control": tr("control file of the server"),
    "settings": tr("settings of the server"),
    "slots": tr("replication slots"),
    "base_backups": tr("running base backups"),
    "archive_status": "archive_status",
    "wal_directory": tr("size of pg_wal"),
    "wal_volume": tr("volume of pg_wal"),
    "log": tr("server log"),
}
_OF_WAL_FULL: Final = (
    "wal_volume", "wal_directory", "slots", "archive_status", "positions", "archiver",
)  # fmt: skip
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
    facts.SlotsFacts: ("slots",),
    facts.RunningBackupsFacts: ("base_backups",),
    base_backups.BaseBackupsFacts: ("base_backups",),
    held_wal.HeldWalFacts: ("positions", "slots", "settings", "wal_directory"),
    evidence.AbsentFacts: ("archive", "archiver", "archive_status"),
    exposure.ExposureFacts: ("positions", "archiver", "control"),
    forecast.WalFullFacts: _OF_WAL_FULL,
    forecast.RestoreEstimateFacts: ("backups", "windows"),
    LoggedRecovery: ("log",),
    LiveRestore: ("log",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One kind of evidence that is not there."""

    what: str
    why: str | None  # the failed reading's words; None: it has not been read yet, or not all of it
    checks: tuple[Check, ...]

    @property
    def in_words(self) -> str:
        return could_not_run(len(self.checks), self.what)


def could_not_run(count: int, what: str) -> str:
    """How many checks lack this evidence."""
    return trn(
        "{n} check could not run: {what} not read",
        "{n} checks could not run: {what} not read",
        count,
        what=what,
    )


def missing_evidence(cluster: WatchedCluster) -> list[Missing]:
    """What is missing, and the checks that could therefore not run; each check once."""
    blind = [cluster.checks[name] for name, known in cluster.known.items() if not known]
    by_reason: dict[tuple[str, str | None], list[Check]] = {}
    for check in blind:
        by_reason.setdefault(_reason(cluster, check), []).append(check)
    return [
        Missing(what=what, why=why, checks=tuple(checks))
        for (what, why), checks in by_reason.items()
    ]


def _reason(cluster: WatchedCluster, check: Check) -> tuple[str, str | None]:
    if why := cluster.jobs.trouble_of_judging:
        return tr("verdict"), why
    absent = [need for need in MADE_OF if need in check.needs.values() and not _has(cluster, need)]
    wanted = [name for need in absent for name in MADE_OF[need]]
    for name in wanted:
        reading = cluster.readings.get(name)
        failing = failing_sources(cluster.readings)
        if reading is not None and reading.unreachable and name not in failing:
            return SOURCES[SERVER], failing[SERVER]
        if reading is not None and reading.error:
            return SOURCES[name], reading.error
        if why := cluster.jobs.trouble_of(name):
            return SOURCES[name], why
    unread = [name for name in wanted if name not in cluster.readings]
    return SOURCES[(unread or wanted)[0]] if wanted else tr("evidence"), None


def _has(cluster: WatchedCluster, kind: type) -> bool:
    return cluster.fact(kind) is not None
