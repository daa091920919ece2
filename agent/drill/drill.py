"""One drill from beginning to end: choose, copy, restore, compare, look inside, remove."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

from agent.backups.describe import NotABackup
from agent.backups.layers import BackupLayer, BackupPlace
from agent.drill.account import company_of, drill_account
from agent.drill.area import Area, scratch_area, sweep
from agent.drill.by_tool import ToolOrder, ToolRestore, restore_by_tool
from agent.drill.confinement import Confine, confine
from agent.drill.copy import Copied, backup_bytes, copy_backup
from agent.drill.deadline import Deadline, OutOfTime
from agent.drill.errors import CannotDrill
from agent.drill.look import LookInside, phase
from agent.drill.server import ScratchServer
from agent.drill.settings import configure
from agent.drill.space import Room, needed_bytes, room_in
from agent.drill.wal_service import WalService
from agent.postgres.installation import (
    Installation,
    InstallationFor,
    NoInstallation,
    find_installation,
    read_installation,
)
from agent.postgres.interruption import Interruption
from agent.repositories.repository import NotRead
from agent.repositories.sources import NO_REPOSITORIES, RepositorySources
from agent.store.paths import any_path
from parsers.lsn import format_lsn
from parsers.sentences import joined, message_of, tr
from parsers.values import dataclass
from parsers.wal.facts import ParameterChange
from parsers.wal.scan import SegmentScan
from rules.drill.comparison import DrillFacts, Probe, disagreements
from rules.live.facts import watch_restore
from rules.live.outcomes import PAUSED, PROMOTED, SHUT_DOWN
from rules.live.summary import Summary, refused_summary
from rules.model.counted import all_of
from rules.recovery.settings_block import restore_settings
from rules.verdict.drill_target import DrillPlan
from rules.verdict.live import explain

DEFAULT_TIMEOUT_SECONDS: Final = 12 * 3600.0
_NO_LIBRARY: Final = "resource manager with ID"  # GetRmgr in src/backend/access/transam/rmgr.c
_OPENED: Final = frozenset({PROMOTED, PAUSED, SHUT_DOWN})

# What a server says of the backup and its WAL: recovery has begun, or the files forbid it.
_OF_THE_BACKUP: Final = frozenset({
    "archive_recovery_started", "recovery_target_set", "file_restored", "backup_recovery_started",
    "redo_started", "files_incompatible", "control_bad_crc",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person chose for a drill."""

    base: Path  # where the scratch area goes
    bindir: Path | None = None  # None: the first installation of the right major
    probes: tuple[Probe, ...] = ()
    nice: bool = False
    preload: tuple[str, ...] = ()  # libraries that the scratch server loads
    user: str | None = None  # whom the server runs as; None: see agent.drill.account
    confine: Confine = "auto"
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    clock: Callable[[], float] = time.monotonic
    announce: Callable[[str], None] = lambda line: None  # told how to watch it


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a drill restores from."""

    plan: DrillPlan
    roots: Sequence[str]  # the archives, as fetch-wal takes them
    scans: Mapping[str, SegmentScan]
    repositories: RepositorySources = NO_REPOSITORIES  # of backup tools
    by_tool: ToolOrder | None = None  # the tool restores; None: our own reader

    def layers(self) -> list[BackupLayer]:
        """The backup as it is restored. Raises CannotDrill."""
        backup = self.plan.restore.backup
        if backup.stored is None:
            return [BackupLayer(name=backup.url, places=(BackupPlace(any_path(backup.url)),))]
        try:
            return self.repositories.layers(backup.stored)
        except (NotABackup, NotRead) as error:
            raise CannotDrill(message_of(error)) from None


def run_drill(order: Order, material: Material) -> DrillFacts:
    """Restore, and say how it went. A drill that cannot be made says why: `not_run`."""
    last = material.plan.outcome.last_transaction
    facts = DrillFacts(
        backup=material.plan.restore.backup.url,
        target=material.plan.target,
        timeline=material.plan.outcome.timeline,
        instant=last.time if last else None,
        instant_lsn=last.lsn if last else None,
        predicted=material.plan.outcome,
        timeout_seconds=order.timeout_seconds,
    )
    deadline = Deadline(order.timeout_seconds, order.clock)
    try:
        account = drill_account(order.user)
        left = sweep(order.base, account)
        _refuse_tablespaces(material.plan)
        with contextlib.ExitStack() as stack:
            stack.enter_context(Interruption(once=True))
            if order.nice:
                stack.enter_context(_lower_priority())
            found = _installation(order, material)
            area = stack.enter_context(scratch_area(order.base, account))
            # Where the account cannot run it, a copy goes into the area, and away with it.
            usable = InstallationFor(found, account, under=area.path)
            installation = stack.enter_context(usable)
            facts = _Drill(order, material, installation, area, deadline).run(facts)
    except OutOfTime as error:
        why = message_of(error)
        return replace(facts, not_run=why, timed_out=why)
    except (CannotDrill, NoInstallation) as error:
        return replace(facts, summary=None, not_run=message_of(error))
    notes = tuple(tr("removed what a killed drill had left: {path}", path=path) for path in left)
    return replace(facts, notes=(*notes, *facts.notes))


def _installation(order: Order, material: Material) -> Installation:
    major = material.plan.restore.server.major
    if order.bindir is None:
        return find_installation(major)
    installation = read_installation(order.bindir)
    if installation.major != major:
        raise CannotDrill(
            tr(
                "{bindir} is PostgreSQL {version}, the backup is of {major}: "
                "name a directory with the programs of {major} with --pg-bindir",
                bindir=order.bindir,
                version=installation.version,
                major=major,
            )
        )
    return installation


def _refuse_tablespaces(plan: DrillPlan) -> None:
    """Refuse WAL that makes tablespaces: replaying it writes to their original paths.

    create_tablespace_directories in src/backend/commands/tablespace.c makes the directory where the
    record says, and nothing on the server's side redirects it.
    """
    for needed in plan.outcome.directories:
        if needed.lsn is not None:
            raise CannotDrill(
                tr(
                    "the WAL creates a tablespace in {location} at {lsn}: replaying that writes "
                    "there, outside of the scratch area. Drill a backup that was taken later, or a "
                    "target before it",
                    location=needed.location,
                    lsn=format_lsn(needed.lsn),
                )
            )


@contextlib.contextmanager
def _lower_priority() -> Iterator[None]:
    """Give way to everybody: what we start inherits it. Only root can take it back."""
    me = psutil.Process()
    niceness, io = me.nice(), me.ionice()
    with contextlib.suppress(psutil.Error, OSError):  # a service manager may forbid it
        me.nice(19)
        me.ionice(psutil.IOPRIO_CLASS_IDLE)
    try:
        yield
    finally:
        with contextlib.suppress(psutil.Error, OSError):
            me.ionice(io.ioclass, io.value)
            me.nice(niceness)


@dataclass(slots=True)
class _Drill:
    """The state of one drill."""

    order: Order
    material: Material
    installation: Installation
    area: Area
    deadline: Deadline
    phases: dict[str, float] = field(default_factory=dict)

    def run(self, facts: DrillFacts) -> DrillFacts:
        plan = self.material.plan
        room = room_in(self.area.path)
        company = company_of(self.area.account)
        confinement = confine(
            self.order.confine, self.area, self.installation,
            by_tool=self.material.by_tool is not None,
        )  # fmt: skip
        facts = replace(facts, confinement=joined("; ", filter(None, (confinement.said, company))))
        copied, tool = Copied(), ToolRestore()
        with phase(self.phases, "copy"):
            if self.material.by_tool is not None:
                tool = restore_by_tool(self.material.by_tool, self.area, self.deadline)
            else:
                self.deadline.run(lambda: self._copy(room, copied), copied.doing, copied.abandon)
        if tool.refusal is not None:
            return self._refused(facts, tool.refusal)
        look = LookInside(self.order.probes, self.phases)
        size = plan.restore.wal.segment_size
        archives = self.material.roots, self.material.repositories
        with WalService(self.area, *archives, size) as wal:
            recovery = self._recovery(wal.restore_command)
            if self.material.by_tool is not None:
                recovery = {"hot_standby": recovery["hot_standby"], **plan.outcome.needs,
                            **tool.settings}  # fmt: skip
            configuration = configure(
                self.area, self.installation, recovery,
                plan.restore.control, self._parameter_changes(), recovers=tool.recovers,
                preload=self.order.preload,
            )  # fmt: skip
            server = ScratchServer(
                self.installation, self.area, configuration.settings, tool.environment,
                confinement.prefix,
            )  # fmt: skip
            self.order.announce(
                tr("to watch the drill: pitr-watch --pgdata {path}", path=self.area.data)
            )
            with server:
                summary = self._recover(server, room, wal)
                if not tool.recovers and server.restore.attempt.opened:
                    summary = replace(summary, outcome=PROMOTED)  # as far as opening goes
                self._require_recovery(server, summary)
                facts = self._with_recovery(facts, server, summary, wal, recovers=tool.recovers)
                if summary.outcome in _OPENED:
                    control = plan.restore.control
                    look.inside(server, self.installation, self.area, control, self.deadline)
        notes = (*configuration.notes, *look.notes)
        if copied.left_out:
            links = ", ".join(copied.left_out[:5])
            notes += (tr("links that were left out: {links}", links=links),)
        return replace(
            facts, server=self.installation.version, phases=self.phases, notes=notes,
            copied_bytes=copied.bytes, inspections=tuple(look.inspections), probes=look.probes,
            timed_out=look.timed_out,
        )  # fmt: skip

    def _refused(self, facts: DrillFacts, message: str) -> DrillFacts:
        """The tool did not restore: what was predicted, or not."""
        predicted = self.material.plan.outcome
        said = tr(
            "outcome: predicted {outcome}, the tool refused: {message}",
            outcome=predicted.outcome,
            message=message,
        )
        return replace(
            facts,
            summary=refused_summary(message),
            cause=tr("the tool refused: {message}", message=message),
            disagreements=() if self.material.plan.refused else (said,),
            server=self.installation.version,
            phases=self.phases,
        )

    def _copy(self, room: Room, copied: Copied) -> None:
        restore, outcome = self.material.plan.restore, self.material.plan.outcome
        layers, size = self.material.layers(), restore.wal.segment_size
        needed = needed_bytes(backup_bytes(layers), outcome.bytes_needed, size)
        room.require(needed, tr("the restore takes about"))
        copy_backup(layers, self.area, room, copied)

    def _recovery(self, restore_command: str) -> dict[str, str]:
        plan = self.material.plan
        hot_standby = "on" if plan.restore.server.hot_standby else "off"
        return {
            "hot_standby": hot_standby,
            **dict(restore_settings(plan.goal, restore_command, plan.outcome.needs)),
        }

    def _parameter_changes(self) -> Iterator[ParameterChange]:
        for name in self.material.plan.outcome.segments_needed:
            scan = self.material.scans.get(name)
            if scan is not None:
                yield from scan.facts.parameter_changes

    # -- recovery --------------------------------------------------------------------------------

    def _require_recovery(self, server: ScratchServer, summary: Summary) -> None:
        """A server that this machine does not let start says nothing about the backup.

        Nor does one that lacks a library, whose records in the WAL it cannot replay.
        """
        if _NO_LIBRARY in (summary.fatal_message or ""):
            raise CannotDrill(
                tr("{fatal}: name the library with --preload", fatal=summary.fatal_message)
            )
        if server.logged.keys() & _OF_THE_BACKUP or self.material.plan.outcome.outcome == "fails":
            return
        said = summary.fatal_message or _last_lines(self.area.log)
        raise CannotDrill(tr("the scratch server did not reach recovery: {said}", said=said))

    def _recover(self, server: ScratchServer, room: Room, wal: WalService) -> Summary:
        def doing() -> str:
            if wal.asked:
                places = all_of(wal.places)
                return tr("while fetching {file} from {places}", file=wal.asked, places=places)
            return tr("while the server recovered: {said}", said=_last_lines(self.area.log))

        def watch() -> None:
            self.deadline.require(doing)
            room.require(0, tr("the restore continues and needs"))

        begun = datetime.now(UTC)
        summary = server.wait_for_recovery(watch)
        ended = datetime.now(UTC)
        if summary.outcome not in _OPENED:  # a full disk says nothing about the backup
            room.require(0, tr("the restore takes"))
        redo = server.logged.get("redo_started", ended)
        done = server.logged.get("redo_done") or server.logged.get("paused_at_target") or ended
        self.phases["start"] = _seconds(begun, redo)
        self.phases["replay"] = _seconds(redo, done)
        self.phases["open"] = _seconds(done, ended)
        return summary

    def _with_recovery(
        self,
        facts: DrillFacts,
        server: ScratchServer,
        summary: Summary,
        wal: WalService,
        *,
        recovers: bool,
    ) -> DrillFacts:
        end = summary.redo_done_lsn or summary.stop.lsn
        replayed = None
        if end is not None and summary.redo_start_lsn is not None:
            replayed = max(end - summary.redo_start_lsn, 0)
        return replace(
            facts,
            summary=summary,
            cause=None if summary.outcome in _OPENED else self._cause(server, summary, wal.refused),
            disagreements=self._disagreements(summary, wal, recovers=recovers),
            replayed_bytes=replayed,
            replay_seconds=self.phases["replay"],
            segments_fetched=wal.served,
        )

    def _disagreements(
        self, summary: Summary, wal: WalService, *, recovers: bool
    ) -> tuple[str, ...]:
        """A tool of another version may leave it to the server to refuse.

        Outside of archive recovery the server does not say which transaction was the last.
        """
        if self.material.plan.refused and summary.outcome not in _OPENED:
            return ()
        predicted = self.material.plan.outcome
        if not recovers:
            predicted = replace(predicted, last_transaction=None)
        return disagreements(predicted, summary, wal.refused)

    def _cause(self, server: ScratchServer, summary: Summary, refused: Mapping[str, str]) -> str:
        """Why it failed, and in which file."""
        if refused:
            each = (tr("{name}: {why}", name=name, why=why) for name, why in refused.items())
            return tr("fetch-wal refused {files}", files=joined("; ", each))
        why = explain(watch_restore(server.restore, summary, None))
        cause = why.cause or summary.fatal_message
        if cause is None:
            said = _last_lines(self.area.log)
            return tr("the server ended, with no log of recovery: {said}", said=said)
        obstacle = self.material.plan.outcome.obstacle
        if obstacle is None:
            return cause
        segment = "" if obstacle.segment in obstacle.detail else f"{obstacle.segment}: "
        return tr(
            "{cause}. The WAL ends: {segment}{detail}",
            cause=cause,
            segment=segment,
            detail=obstacle.detail,
        )


def _seconds(begin: datetime, end: datetime) -> float:
    """By the wall clock, as the log's times are; to the millisecond, and one at least."""
    return max((end - begin).total_seconds(), 0.001)


def _last_lines(log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace").strip()
    return " / ".join(text.splitlines()[-3:]) or tr("its log is empty")
