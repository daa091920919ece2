"""One restore predicted as pitr-check does, run by a real server, and the two compared."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from agent.errors import CannotCheck
from agent.inputs.gather import ReadingOptions, gather
from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.guardian import Guardian
from rules.case.context import Context
from rules.model.goal import Goal, read_goal
from rules.model.outcome import Outcome
from rules.model.restore_inputs import RestoreInputs, RestoreInputsFacts
from rules.model.target import Target
from rules.recovery.predictor import simulate
from rules.recovery.settings_block import settings_block
from rules.recovery.unsignalled import without_signal
from tests.landmarks import Landmarks, expected_rows
from tests.restoring import Observed, disagreements, read_log
from tests.truth.aims import take_aim
from tests.truth.damages import damage_archive
from tests.truth.faces import ask_everybody, watched_restore
from tests.truth.plan import Trial
from tests.truth.world import World, copy, remove, spaces_of

Predict = Callable[[RestoreInputs, Goal], Outcome]
_PAUSED = "pausing at the end of recovery"
_READY = re.compile(r"system is ready to accept connections")
_READ_ONLY = re.compile(r"system is ready to accept read.only connections")
_READING = ReadingOptions(workers=1)
_LOW = {
    "max_connections": 10, "max_worker_processes": 2, "max_wal_senders": 1,
    "max_prepared_transactions": 1, "max_locks_per_transaction": 10,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of one trial."""

    trial: Trial
    target: Target
    outcome: Outcome
    wrong: tuple[str, ...] = ()  # fields that differ
    log: str = field(default="", repr=False)

    @property
    def said(self) -> bool:
        """The prediction says something: unknown is neither right nor wrong."""
        return self.outcome.outcome != "unknown"


class Judge:
    """Tries one history's trials. Of `faces` of each kind, whoever can answer is asked."""

    def __init__(
        self, world: World, landmarks: Landmarks, faces: int = 0, predict: Predict = simulate
    ) -> None:
        self._world, self._landmarks = world, landmarks
        self._faces, self._predict = faces, predict
        self._count = 0
        self._asked = Counter[tuple[str, bool, bool]]()
        self._undamaged = functools.cache(self._read)

    def try_out(self, trial: Trial) -> Tried | None:
        """None where the history lacks what the trial refers to."""
        target = take_aim(trial, self._world, self._landmarks)
        if target is None:
            return None
        self._count += 1
        broken = self._world.home / f"broken{self._count}"
        archive = damage_archive(trial, self._world, broken)
        try:
            return self._try(trial, target, archive) if archive is not None else None
        finally:
            remove(broken)

    def _try(self, trial: Trial, target: Target, archive: Path) -> Tried | None:
        read = self._undamaged if archive == self._world.archive else self._read
        backup = self._world.backups[trial.backup]
        absent = trial.dice % 5 == 0 and spaces_of(backup).exists()
        self._world.lay_out(backup, absent=absent)
        given = read(archive, backup)
        if given is None:
            return None
        goal = read_goal(target)
        wrong: list[str] = []
        watching = None
        if self._asks_everybody(trial):  # they take hot_standby as the backup has it
            if trial.signals:
                wrong += ask_everybody(self._world, given, archive, target, goal)
                self._world.lay_out(backup, absent=absent)  # a drill was here
            watching = functools.partial(watched_restore, wrong=wrong)
        else:
            server = dataclasses.replace(given.server, hot_standby=trial.hot_standby)
            if trial.lowered is not None:
                parameters = {**server.parameters, trial.lowered: _LOW[trial.lowered]}
                server = dataclasses.replace(server, parameters=parameters, adjustable=False)
            given = dataclasses.replace(given, server=server)
        server = dataclasses.replace(given.server, signalled=bool(trial.signals))
        given = dataclasses.replace(given, server=server)
        outcome = self._predict(given, goal)
        needs = {"hot_standby": "on" if given.server.hot_standby else "off", **outcome.needs}
        if not given.server.adjustable:
            needs |= {name: str(value) for name, value in given.server.parameters.items()}
        block = settings_block(goal, f"cp {archive}/%f %p", needs, given.backup)
        stops = outcome.outcome == "opens" and goal.type != "none" and watching is None
        signals = trial.signals if stops or not trial.signals else ("recovery",)
        cluster = prepare(self._world, self._count, Path(given.backup.url), block, signals)
        try:
            with watching(cluster, outcome) if watching else contextlib.nullcontext():
                observed = restore(cluster)
        finally:
            remove(cluster.home)
        wrong += disagreements(outcome, observed) if outcome.outcome != "unknown" else []
        if observed.rows is not None and outcome.outcome == "opens":
            # What the backup already holds came along histories that were whole then.
            whole = self._undamaged(self._world.archive, Path(given.backup.url)) or given
            lived = given if trial.signals else without_signal(given)
            lived = dataclasses.replace(lived, histories=whole.histories)
            rows = expected_rows(lived, outcome, self._landmarks)
            if rows != observed.rows:
                wrong.append(f"rows: predicted {rows}, were {observed.rows}")
        return Tried(
            trial=trial, target=target, outcome=outcome, wrong=tuple(wrong), log=observed.log
        )

    def _asks_everybody(self, trial: Trial) -> bool:
        """The first `faces` of each kind of backup, with tablespaces outside and without."""
        made = next(step.kind for step in self._world.plan.steps if step.id == trial.backup)
        kind = (made, bool(self._world.space_names), bool(trial.signals))
        self._asked[kind] += 1
        return self._asked[kind] <= self._faces

    def _read(self, archive: Path, backup: Path) -> RestoreInputs | None:
        """As pitr-check reads it."""
        context = Context(depth="records", on_this_machine=True)
        try:
            case = gather(
                [str(archive)], [str(backup)], None, context=context, backup_depth="files",
                reading=_READING,
            )  # fmt: skip
        except CannotCheck:
            return None
        made = case.get(RestoreInputsFacts)
        return made.by_backup.get(str(backup)) if made else None


def prepare(
    world: World, number: int, backup: Path, block: str, signals: tuple[str, ...]
) -> Cluster:
    """As a person does: the backup's files, the block pasted, a signal file."""
    cluster = Cluster(world.installation, world.home / f"r{number}", world.account)
    unpack(backup, cluster)
    for name in ("standby.signal", "recovery.signal"):
        (cluster.data / name).unlink(missing_ok=True)
    with (cluster.data / "postgresql.auto.conf").open("a") as file:
        file.write(block)
    cluster.configure(
        listen_addresses="", unix_socket_directories=str(cluster.sockets), fsync=False,
        timezone="UTC", log_timezone="UTC", logging_collector=False, shared_buffers="8MB",
        autovacuum=False, restart_after_crash=False,
        **({"summarize_wal": False} if cluster.installation.major >= 17 else {}),
    )  # fmt: skip
    for signal_file in signals:
        cluster.signal(f"{signal_file}.signal")
    return cluster


def restore(cluster: Cluster) -> Observed:
    """Start it, and see where recovery leads; it is down afterwards."""
    rows = _run(cluster)
    return dataclasses.replace(read_log(cluster.log.read_text(errors="replace")), rows=rows)


def unpack(backup: Path, cluster: Cluster) -> None:
    """A plain backup's copy, or a tar's content."""
    tar = next((each for each in backup.glob("base.tar*")), None)
    if tar is None:
        return copy(backup, cluster.data)
    cluster.account.make_directory(cluster.data)
    _untar(tar, cluster.data, cluster.account)
    for each in backup.glob("[0-9]*.tar*"):
        _unpack_tablespace(each, cluster)
    wal = next((each for each in backup.glob("pg_wal.tar*")), None)
    if wal is not None:
        _untar(wal, cluster.data / "pg_wal", cluster.account)
    cluster.data.chmod(0o700)
    return None


def _unpack_tablespace(tar: Path, cluster: Cluster) -> None:
    """Into the location that the map names, which is there and empty; else it is one in place."""
    oid, places = tar.name.partition(".")[0], cluster.data / "tablespace_map"
    lines = places.read_text().splitlines() if places.exists() else []
    named = [line.split(" ", 1)[1] for line in lines if line.startswith(f"{oid} ")]
    place = Path(named[0]) if named else cluster.data / "pg_tblspc" / oid
    if not place.exists():
        cluster.account.make_directory(place)
    _untar(tar, place, cluster.account)


def _untar(tar: Path, place: Path, account: Account) -> None:
    """Its times may be those of a clock that was ahead.

    WAL of pg_basebackup's tars belongs to `postgres`, and to root where there is no such account.
    """
    subprocess.run(["tar", "--warning=no-timestamp", "-xf", tar, "-C", place], check=True)
    for path in place.rglob("*"):
        account.own(path)


def _run(cluster: Cluster, seconds: float = 300) -> list[int] | None:
    """Start, and see recovery end: the rows of `seen`, or None where it does not open.

    The server is ours alone, without pg_ctl: it looks every 100 ms.
    """
    options = cluster.account.popen_options()
    with cluster.log.open("ab") as log:
        server = subprocess.Popen(
            [cluster.installation.program("postgres"), "-D", cluster.data],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}, **options,
        )  # fmt: skip
    guardian = Guardian(server.pid, signal.SIGQUIT)
    deadline, resumed = time.monotonic() + seconds, False
    try:
        while server.poll() is None:
            text = cluster.log.read_text(errors="replace")
            if _READY.search(text) or (_PAUSED in text and _READ_ONLY.search(text)):
                return sorted(row[0] for row in cluster.sql("SELECT n FROM seen"))
            if "recovery has paused" in text and not resumed and _PAUSED not in text:
                resumed = True
                cluster.sql("SELECT pg_wal_replay_resume()")
            if time.monotonic() > deadline:
                raise TimeoutError(f"recovery did not end:\n{text}")
            time.sleep(0.01)
    except psycopg.OperationalError:
        pass  # it is about to go
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGQUIT)
        server.wait()
        guardian.dismiss()
    return None
