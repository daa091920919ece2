"""The scan of one cluster: backups, archives, segments, and what takes long to work out of them."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Final, Protocol

from agent.archive.directory import list_archive
from agent.archive.limits import Limits
from agent.archive.occupied import occupied_name
from agent.archive.remote import WatchedPrefix
from agent.archive.room import room_of
from agent.archive.scanner import (
    READER_SPARE_SECONDS,
    SegmentReader,
    files_of,
    segments_to_read,
)
from agent.archive.workers import Workers
from agent.backups.find import read_backups
from agent.backups.memory import BackupMemory
from agent.backups.restore_inputs import segments_read
from agent.config.model import ResolvedCluster
from agent.ledger.store import Ledger
from agent.monitor.collectors import Collectors
from agent.monitor.emptied import Emptied
from agent.monitor.jobs import SCAN
from agent.monitor.known_backups import KnownBackups
from agent.monitor.repositories import WatchedRepositories
from agent.store.meter import StoreUsage, counting
from agent.store.urls import is_remote
from rules.case.case import Case
from rules.case.derived.goal_space import GoalSpace
from rules.case.derived.listing import Identity
from rules.case.derived.restores import ListedReaches
from rules.case.derived.segments import WalIdentity, WalkedWal
from rules.case.observations import (
    ArchiveListings,
    ArchiveRoom,
    BackupsRead,
    SaidBefore,
    SegmentsRead,
    SettledSegments,
)
from rules.drill.coverage import ReadTimes
from rules.model.evidence import AloneFacts, CarriedWalFacts, OccupiedName, WindowsFacts
from rules.model.facts import (
    ArchiveFacts,
    ArchiverFacts,
    ArchiveStatusFacts,
    BackupsFacts,
    ScanFacts,
    WalVolumeFacts,
)
from rules.model.repository import RepositoriesRead
from rules.model.restore_inputs import RestoreInputsFacts
from rules.model.target import TargetFacts

log: Final = logging.getLogger("pitr.archive")

# How long a backup's last segment may be on its way where no server tells what waits for it.
_ARRIVAL: Final = timedelta(seconds=60)

# What may take seconds on a large archive, by the collector that answers for it.
_OF_SEGMENTS: Final = (SettledSegments, ScanFacts, WalIdentity, WalkedWal, ReadTimes)
_OF_RESTORES: Final = (
    RestoreInputsFacts,
    ListedReaches,
    WindowsFacts,
    TargetFacts,
    CarriedWalFacts,
    AloneFacts,
    GoalSpace,
)


class CaseHolder(Protocol):
    """Whose case it is: others replace observations in it meanwhile."""

    config: ResolvedCluster
    case: Case

    def observe(self, kind: type, observed: object | None) -> None: ...


class FileScan:
    """Reads what lies in files, in the order in which one reading can know of another."""

    def __init__(self, cluster: CaseHolder, collectors: Collectors, ledger: Ledger | None) -> None:
        config = cluster.config
        self._cluster = cluster
        self._collectors = collectors
        limits = Limits(bytes_per_second=config.io_limit, reverify_seconds=config.reverify)
        signed = config.evidence is not None
        self._reader = SegmentReader(
            ledger=ledger, limits=limits, digests=signed, on=_workers_of(config)
        )
        self._emptied = Emptied(ledger)
        self._known_backups = KnownBackups()
        self._repositories = WatchedRepositories(config)
        self._backup_memory = BackupMemory(config.reverify)
        self._watched = {
            archive.url: WatchedPrefix(archive.url, config.relist)
            for archive in config.archives
            if is_remote(archive.url)
        }
        self._usage = {
            "backups": StoreUsage(),
            "archive": StoreUsage(),
            "segments": self._reader.usage,
        }

    @property
    def usage(self) -> StoreUsage | None:
        """What was asked of stores since the agent began; None: nothing lies in one."""
        if not self._cluster.config.is_remote:
            return None
        total = StoreUsage()
        for each in self._usage.values():
            total.add(each)
        return total

    async def list(self) -> None:
        """Backups first: what they need must have been there to be listed."""
        cluster = self._cluster
        (read, tools), said = await self._read_backups(), self._said_before()
        listed = None
        if cluster.config.has_archives:
            remote = any(is_remote(archive.url) for archive in cluster.config.archives)
            takes_long = remote or cluster.config.repositories
            listed = await self._collectors.read(
                "archive",
                self._list_archives,
                deadline_seconds=cluster.config.scan if takes_long else None,
            )
        # Not before: what is judged meanwhile rests on the listing that there was.
        cluster.observe(BackupsRead, read)
        cluster.observe(RepositoriesRead, tools)
        cluster.observe(SaidBefore, said)
        wal, room, occupied = listed or (None, None, None)
        cluster.observe(ArchiveListings, wal)
        cluster.observe(ArchiveRoom, room)
        cluster.observe(OccupiedName, occupied)

    async def _read_backups(self) -> tuple[BackupsRead | None, RepositoriesRead | None]:
        config = self._cluster.config
        if not config.has_backups:
            return None, None
        # As long as reading segments may take.
        takes_long = config.backup_depth in ("checksums", "pages") or config.repositories
        if config.backups is not None and is_remote(config.backups.url):
            takes_long = True
        read = await self._collectors.read(
            "backups",
            self._find_backups,
            deadline_seconds=config.scan if takes_long else None,
        )
        found, tools = read or (None, None)
        dated = self._known_backups.date(found) if found is not None else None
        return BackupsRead(found=dated) if dated is not None else None, tools

    def _find_backups(self) -> tuple[BackupsFacts | None, RepositoriesRead | None]:
        plain = self._cluster.config.backups
        with counting(self._usage["backups"]):
            found = None
            if plain is not None:
                found = read_backups(plain.url, plain.depth, self._backup_memory.read)
            return self._repositories.read_backups(found)

    def _said_before(self) -> SaidBefore:
        status, begun = self._cluster.case.get(ArchiveStatusFacts), self._collectors.begun
        arrival = timedelta(seconds=monotonic() - begun["archive_status"]) if status else _ARRIVAL
        archiver = self._cluster.case.get(ArchiverFacts)
        return SaidBefore(archiver=archiver, status=status, arrival=arrival)

    def _list_archives(
        self,
    ) -> tuple[ArchiveListings, ArchiveRoom | None, OccupiedName | None]:
        urls = [archive.url for archive in self._cluster.config.archives]
        with counting(self._usage["archive"]):
            listed = tuple(
                self._emptied.look(url, partial(list_archive, url, self._watched.get(url)))
                for url in urls
            )
            further = self._repositories.list_archives()
            case = self._cluster.case
            volume = case.get(WalVolumeFacts)
            seen_from_here = volume is not None and volume.free_bytes is not None
            pg_wal = volume.directory if volume and seen_from_here else None
            occupied = occupied_name(listed, case.get(ArchiverFacts), pg_wal)
        return ArchiveListings(archives=(*listed, *further)), room_of(urls), occupied

    async def read(self) -> None:
        """Read what the listing names and no earlier round has read; then what follows of it."""
        cluster, case = self._cluster, self._cluster.case
        archive, identity = case.get(ArchiveFacts), case.get(Identity)
        if archive is None or identity is None:
            cluster.observe(SegmentsRead, None)
            return
        depth, size = cluster.config.depth, identity.segment_size_bytes
        budget = cluster.config.scan
        if depth != "names" and size is not None:
            found = case.get(BackupsFacts)
            files = segments_to_read(archive, found.backups if found else ())
            self._reader.read_one = self._repositories.read_segment
            with self._collectors.reading(SCAN, budget + READER_SPARE_SECONDS):
                readings = await self._reader.read(
                    archive, files, size, depth, budget_seconds=budget
                )
                await self._reader.forget_all_but(files_of(archive))
            cluster.observe(SegmentsRead, segments_read(readings, depth))
        else:
            cluster.observe(SegmentsRead, None)
        await self._work_out("segments", _OF_SEGMENTS)
        await self._work_out("windows", _OF_RESTORES)

    async def _work_out(self, collector: str, kinds: tuple[type, ...]) -> None:
        """Worked out, not read: it may take as long as there is until the next scan."""
        waiting = self._cluster.case.waiting()
        facts = await self._collectors.read(
            collector,
            lambda: waiting.facts(kinds),
            source="derived",
            deadline_seconds=self._cluster.config.scan,
        )
        if facts is None:
            for kind in kinds:
                waiting.drop(kind)

    def close(self) -> None:
        self._reader.close()


def _workers_of(config: ResolvedCluster) -> Workers | None:
    """Those of a Dask cluster, where one is named."""
    if config.scan_on is None:
        return None
    from agent.dask_scan.workers import DaskWorkers

    return DaskWorkers(config.scan_on, log.warning, waits=False)
