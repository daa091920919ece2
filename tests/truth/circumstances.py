"""Steps that act on what is around a server: its clock, its configuration files, its other users.

The clock is libfaketime's (the Debian package of the name); where it is not here, time just passes.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import psycopg

from tests import histories
from tests.truth import spaces
from tests.truth.plan import Step
from tests.truth.world import World, remove


def clock(world: World, rng: random.Random, step: Step) -> None:
    """Commits while it stands still, jumps, or steps back each time; now and then it stays so."""
    if world.clock is None:
        return
    kind = rng.choice(("frozen", "jumping", "stepping"))
    for number in range(rng.randrange(2, 6)):
        if kind == "frozen":
            if not number:
                world.clock.write_text(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}")
        elif kind == "jumping":
            world.clock.write_text(rng.choice(("-3600", "+3600", "-0.5", "+86400", "+0")))
        else:
            world.clock.write_text(f"-{number * 0.25}")
        act = rng.choice((histories.commit, histories.commit, histories.abort))
        act(world.life, world.connection)
    if rng.random() < 0.7:
        world.clock.write_text("+0")


def included_setting(world: World, rng: random.Random, step: Step) -> None:
    """One that a hot standby must not have lower, from a file that postgresql.conf includes."""
    name, values = rng.choice((
        ("max_connections", (30, 80, 120)), ("max_worker_processes", (6, 10, 16)),
        ("max_locks_per_transaction", (48, 80, 128)),
    ))  # fmt: skip
    data = world.cluster.data
    directory = data / f"more{step.id}.d"
    if not directory.exists():
        world.account.make_directory(directory)
    file = directory / "of_it.conf"
    file.write_text(f"{name} = {rng.choice(values)}\n")
    world.account.own(file)
    line = rng.choice((
        f"include '{directory.name}/{file.name}'", f"include_dir = '{directory.name}'",
        f"include_if_exists = '{file}'",
    ))  # fmt: skip
    with (data / "postgresql.conf").open("a") as conf:
        conf.write(f"{line}\ninclude_if_exists 'is_not_there.conf'\n")
    world.restart()


def tablespace_outside(world: World, rng: random.Random, step: Step) -> None:
    """Outside the data directory: a restore finds its location as `World.lay_out` leaves it."""
    name = f"o{step.id}"
    place = world.account.make_directory(world.spaces / name)
    world.space_names.append(name)
    for query in (
        f"CREATE TABLESPACE {name} LOCATION '{place}'",
        f"CREATE TABLE in_{name} TABLESPACE {name} AS SELECT generate_series(1, 500) AS n",
        f"UPDATE in_{name} SET n = n + 1 WHERE n % 5 = 0",
        *((f"DROP TABLE in_{name}", f"DROP TABLESPACE {name}") if rng.random() < 0.3 else ()),
    ):
        world.connection.execute(query)  # type: ignore[call-overload]


def backup_under_load(world: World, rng: random.Random, step: Step) -> None:
    """By hand or by pg_basebackup, while another session writes without a pause."""
    target, life = world.home / f"b{step.id}", world.life
    with _writing(world):
        if world.pg_basebackup is not None and rng.random() < 0.5:
            options = ["-X", rng.choice(("none", "fetch", "stream"))]
            moves = spaces.new_places(world, step)
            options += spaces.mapping(moves)
            life.cluster.base_backup(target, *options, program=world.pg_basebackup)
            spaces.keep(world, moves, target)
        else:
            with life.cluster.connect() as session:
                life.start_backup(session)
                world.copy_data(target)
                life.stop_backup(session, target)
    world.backups[step.id] = target


@contextlib.contextmanager
def _writing(world: World) -> Iterator[None]:
    done, life = threading.Event(), world.life
    life.rng = random.Random(0)

    def write() -> None:
        acts = (histories.commit, histories.abort, histories.nest, histories.restore_point)
        with contextlib.suppress(psycopg.Error), life.cluster.connect() as connection:
            while not done.is_set():
                life.rng.choice(acts)(life, connection)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join()


def promotion(world: World, rng: random.Random, step: Step) -> None:
    """A standby that follows the archive is promoted by hand: with an end-of-recovery record."""
    plain = [path for path in world.backups.values() if (path / "backup_label").exists()]
    if not plain:
        return
    with world.laid_down():
        cluster = world.new_cluster(f"p{step.id}")
        if not world.succeed(cluster, rng.choice(plain), {"hot_standby": True}, follows=True):
            remove(cluster.data)


AROUND: dict[str, Callable[[World, random.Random, Step], None]] = {
    act.__name__: act
    for act in (clock, included_setting, tablespace_outside, backup_under_load, promotion)
}
