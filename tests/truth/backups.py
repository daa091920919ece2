"""Steps that take backups, in every way, and those that lead the history onto another timeline."""

from __future__ import annotations

import contextlib
import random
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import psycopg

from agent.postgres.cluster import Cluster, ServerFailed
from parsers.lsn import parse_lsn
from tests import histories
from tests.fix_tools import PATIENCE_SECONDS
from tests.histories import copy_cluster
from tests.landmarks import read_landmarks
from tests.truth import spaces
from tests.truth.plan import Step
from tests.truth.world import World, copy, remove

# What the standby's restore_command says of a segment that is not in the archive.
_LACKED: Final = re.compile(r"cp: cannot stat '\S*/([0-9A-F]{24})'")


def backup(world: World, rng: random.Random, step: Step) -> None:
    """By hand, with life going on before and after the copy."""
    target = world.home / f"b{step.id}"
    life = world.life
    with life.cluster.connect() as session:
        life.start_backup(session)
        _meanwhile(world, rng)
        world.copy_data(target)
        _meanwhile(world, rng)
        life.stop_backup(session, target)
    if rng.random() < 0.2:
        (target / "postgresql.auto.conf").open("a").write("recovery_target_name = 'left'\n")
    world.backups[step.id] = target


def _meanwhile(world: World, rng: random.Random) -> None:
    """A few transactions, points and switches, while the backup is taken."""
    life = world.life
    life.rng = rng
    acts = (histories.commit, histories.abort, histories.restore_point, histories.switch,
            histories.checkpoint, histories.nest, histories.message)  # fmt: skip
    for act in rng.choices(acts, (6, 2, 2, 1, 1, 1, 1), k=rng.randrange(4)):
        act(life, world.connection)


def base_backup(world: World, rng: random.Random, step: Step) -> None:
    """By pg_basebackup: with or without its WAL, plain or tar, compressed, for a standby."""
    if world.pg_basebackup is None:
        return backup(world, rng, step)
    target = world.home / f"b{step.id}"
    options = ["-X", rng.choice(("none", "fetch", "stream"))]
    if rng.random() < 0.3:
        options.append("-R")
    kind = rng.choice(("plain", "plain", "tar", "tar.gz"))
    moves = spaces.new_places(world, step) if kind == "plain" else {}
    options += spaces.mapping(moves)
    if kind != "plain":
        options += ["-Ft"] + (["-z"] if kind == "tar.gz" else [])
    if rng.random() < 0.3:
        options.append("--no-manifest")
    world.cluster.base_backup(target, *options, program=world.pg_basebackup)
    spaces.keep(world, moves, target)
    world.backups[step.id] = target
    return None


def exclusive_backup(world: World, rng: random.Random, step: Step) -> None:
    """To 14, with the label in the data directory of the server itself."""
    if world.plan.major >= 15:
        return backup(world, rng, step)
    target = world.home / f"b{step.id}"
    world.connection.execute("SELECT pg_start_backup('exclusive', true)")
    _meanwhile(world, rng)
    world.copy_data(target)
    _meanwhile(world, rng)
    world.connection.execute("SELECT pg_stop_backup()")
    world.backups[step.id] = target
    return None


def incremental_backup(world: World, rng: random.Random, step: Step) -> None:
    """A full one and an increment, combined; where the programs for that are here."""
    programs = world.installation
    if world.plan.major < 17 or not programs.has("pg_combinebackup"):
        return base_backup(world, rng, step)
    full, increment = (world.home / f"{name}{step.id}" for name in ("full", "increment"))
    of_full, of_increment = (spaces.new_places(world, step, kind) for kind in ("f", "i"))
    world.cluster.base_backup(full, "-X", "none", *spaces.mapping(of_full))
    _meanwhile(world, rng)
    world.cluster.base_backup(
        increment, "-X", "none", f"--incremental={full}/backup_manifest",
        *spaces.mapping(of_increment),
    )  # fmt: skip
    target = world.home / f"b{step.id}"
    moves = dict(zip(of_increment.values(), spaces.new_places(world, step).values(), strict=True))
    world.cluster.run(
        "pg_combinebackup", str(full), str(increment), "-o", str(target), "--no-sync",
        *spaces.mapping(moves),
    )  # fmt: skip
    spaces.keep(world, moves, target)
    for each in (full, increment, *of_full.values(), *of_increment.values()):
        remove(each)
    world.backups[step.id] = target
    return None


def standby_backup(world: World, rng: random.Random, step: Step) -> None:
    """Of a standby that has replayed what is archived by now."""
    source = world.backups.get(max(world.backups, default=0))
    if source is None or not (source / "backup_label").exists():
        return
    if not spaces.follow_alone(world, source):
        return
    world.life.archive_now(world.connection)
    standby = world.new_cluster(f"s{step.id}")
    copy(source, standby.data)
    histories.forget_target(standby.data)
    (standby.data / "recovery.signal").unlink(missing_ok=True)
    moves = spaces.move_in(world, step, source, standby.data)
    world.configure(
        standby, restore_command=f"cp {world.archive}/%f %p", hot_standby=True, archive_mode="off",
        max_connections=200, max_worker_processes=20, max_prepared_transactions=40,
        max_locks_per_transaction=128, max_wal_senders=20,
    )  # fmt: skip
    standby.signal("standby.signal")
    target = world.home / f"b{step.id}"
    try:
        _open(standby)
        _follow(standby, world.lsn())
        standby.sql("CHECKPOINT")
        with standby.connect() as session:
            world.life.start_backup(session)
            _meanwhile(world, rng)
            world.life.archive_now(world.connection)
            _follow(standby, world.lsn())
            copy_cluster(standby.data, target)
            spaces.keep(world, moves, target)
            control = target / "global/pg_control"
            control.unlink()
            subprocess.run(["cp", "-a", str(standby.data / "global/pg_control"), str(control)],
                           check=True)  # fmt: skip
            world.life.stop_backup(session, target)
    finally:
        standby.stop("immediate")
    remove(standby.data)
    world.backups[step.id] = target


def _open(standby: Cluster) -> None:
    """Start it, and wait until it lets somebody in. Raises ServerFailed where it never will.

    A snapshot of too many subtransactions opens no standby (ProcArrayApplyRecoveryInfo): it has
    replayed all that is archived, asks for the same segment again and again, and refuses still.
    """
    with contextlib.suppress(ServerFailed):
        standby.start(timeout_seconds=1)
    standby._guard()  # pg_ctl may not have waited for it
    while standby.is_running():
        asked = Counter(_LACKED.findall(standby.log.read_text(errors="replace")))
        ended = max(asked.values(), default=0) > 3  # before it is tried: it would be open by then
        with contextlib.suppress(psycopg.OperationalError):
            standby.sql("SELECT 1")
            return
        if ended:
            break
        time.sleep(0.1)
    raise ServerFailed("the standby lets nobody in")


def _follow(standby, lsn: int, seconds: float = PATIENCE_SECONDS) -> None:  # type: ignore[no-untyped-def]
    """Wait until the standby has replayed the archive, whose last segment begins before `lsn`."""
    deadline = time.monotonic() + seconds
    while True:
        replayed = standby.sql("SELECT pg_last_wal_replay_lsn()::text")[0][0]
        if replayed and parse_lsn(replayed) + (1 << 20) >= lsn:
            return
        if time.monotonic() > deadline:
            raise ServerFailed("the standby does not follow")
        time.sleep(0.05)


def abandoned_backup(world: World, rng: random.Random, step: Step) -> None:
    """Begun, never ended."""
    with world.cluster.connect() as session:
        world.life.start_backup(session)
        _meanwhile(world, rng)


def crash_in_a_backup(world: World, rng: random.Random, step: Step) -> None:
    """The server is ended while a backup runs."""
    with contextlib.suppress(psycopg.Error), world.cluster.connect() as session:
        world.life.start_backup(session)
        _meanwhile(world, rng)
        world.restart(rng.choice(("immediate", "fast")))


def fork(world: World, rng: random.Random, step: Step) -> None:
    """Restore a backup up to a commit, anywhere after it, and live on where that leads."""
    plain = {number: path for number, path in world.backups.items()
             if (path / "backup_label").exists()}  # fmt: skip
    if not plain:
        return
    source = plain[rng.choice(sorted(plain))]
    with world.laid_down():
        for attempt in range(3):
            block = _fork_target(world, rng) if attempt < 2 else {"recovery_target": "immediate"}
            cluster = world.new_cluster(f"f{step.id}-{attempt}")
            if world.succeed(cluster, source, block):
                return
            remove(cluster.data)


def _fork_target(world: World, rng: random.Random) -> dict[str, str | int | bool]:
    """Some transaction's, on some timeline, along that or another one."""
    landmarks = read_landmarks(world.archive, world.lives)
    timeline = rng.choice(sorted(landmarks.transactions))
    some = landmarks.transactions[timeline]
    along = rng.choice(("latest", "current", str(timeline), str(len(world.lives))))
    block: dict[str, str | int | bool] = {"recovery_target_timeline": along}
    if some:
        pick = rng.choice(some)
        block["recovery_target_xid"] = str(pick.xid)
        block["recovery_target_inclusive"] = rng.random() < 0.5
    return block


BACKING_UP: dict[str, Callable[[World, random.Random, Step], None]] = {
    act.__name__: act
    for act in (
        backup, base_backup, exclusive_backup, incremental_backup, standby_backup,
        abandoned_backup, crash_in_a_backup, fork,
    )
}  # fmt: skip
