"""What a server lives through between backups: one function a kind, named as in `plan`.

Each is given the world, dice of its own, and its step; what it inserts into `seen` is told apart
later by the transaction, by the server's word.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import psycopg

from tests import histories
from tests.truth.backups import BACKING_UP
from tests.truth.circumstances import AROUND
from tests.truth.plan import Step
from tests.truth.world import World

Act = Callable[[World, random.Random, Step], None]
NAMES = ("alpha", "beta", "niño «ñ»", "it's", "a" * 63, " ", "100%", 'quo"te', "back\\slash")


def run(world: World, query: str, *parameters: Any) -> Any:
    cursor = world.connection.execute(query, parameters or None)  # type: ignore[arg-type]
    return cursor.fetchall() if cursor.description else None


def _as_in_histories(act: Callable[[histories.Life, histories.Connection], Any]) -> Act:
    def step(world: World, rng: random.Random, step: Step) -> None:
        world.life.rng = rng
        act(world.life, world.connection)

    return step


# -- transactions ----------------------------------------------------------------------------------


def subtransactions(world: World, rng: random.Random, step: Step) -> None:
    """More than the 64 that a snapshot has room for, some of them rolled back."""
    count = rng.choice((65, 200, 2000))
    with world.connection.transaction():
        world.life.insert(world.connection)
        run(world, f"""DO $$ BEGIN FOR i IN 1..{count} LOOP BEGIN
            INSERT INTO filled VALUES (i); IF i % 7 = 0 THEN RAISE EXCEPTION 'x'; END IF;
            EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END $$""")  # fmt: skip
        if rng.random() < 0.2:
            raise psycopg.Rollback


def prepare(world: World, rng: random.Random, step: Step) -> None:
    if len(_prepared(world)) >= 5:
        return
    if rng.random() < 0.3:
        _fill(world, rng)
    run(world, "BEGIN")
    world.life.insert(world.connection)
    world.prepared_rows[f"g{step.id}"] = list(world.life.rows)[-1]
    if rng.random() < 0.3:
        run(world, "DO $$ BEGIN FOR i IN 1..80 LOOP BEGIN INSERT INTO seen VALUES (0);"
            " EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$")  # fmt: skip
        run(world, "DELETE FROM seen WHERE n = 0")
    run(world, f"PREPARE TRANSACTION 'g{step.id}'")


def end_prepared(world: World, rng: random.Random, step: Step) -> None:
    prepared = _prepared(world)
    if not prepared:
        return prepare(world, rng, step)
    ending = rng.choice(("COMMIT", "COMMIT", "ROLLBACK"))
    run(world, f"{ending} PREPARED '{rng.choice(prepared)}'")
    return None


def _prepared(world: World) -> list[str]:
    return [row[0] for row in run(world, "SELECT gid FROM pg_prepared_xacts ORDER BY gid")]


def locks(world: World, rng: random.Random, step: Step) -> None:
    """AccessExclusiveLocks, which a standby replays."""
    with world.connection.transaction():
        world.life.insert(world.connection)
        run(world, "LOCK TABLE filled IN ACCESS EXCLUSIVE MODE")
        run(world, "SELECT pg_log_standby_snapshot()" if world.plan.major >= 16 else "SELECT 1")


def message(world: World, rng: random.Random, step: Step) -> None:
    """A record of no transaction or of one, now and then as long as pages or a segment."""
    size = rng.choice((1, 10, 100, 9_000, 400_000, 1_300_000))
    transactional = rng.random() < 0.3
    run(world, "SELECT pg_logical_emit_message(%s, 'p', repeat('x', %s))", transactional, size)


# -- places ----------------------------------------------------------------------------------------


def restore_point(world: World, rng: random.Random, step: Step) -> None:
    run(world, "SELECT pg_create_restore_point(%s)", rng.choice(NAMES))


def point_at_the_edge(world: World, rng: random.Random, step: Step) -> None:
    """A restore point that ends in the next segment, or just before it."""
    histories.fill_to(world.connection, rng.choice((8, 24, 64, 96, 104, 112, 120)))
    restore_point(world, rng, step)


def switch_at_the_edge(world: World, rng: random.Random, step: Step) -> None:
    """A switch that ends in the next segment, or on a page's last bytes."""
    histories.fill_to(world.connection, rng.choice((8, 16, 24, 32, 40, 64, 8200, 8216)))
    histories.switch_here(world.connection)


def _fill(world: World, rng: random.Random) -> None:
    size = rng.choice((50_000, 600_000))
    run(world, "SELECT pg_logical_emit_message(false, 'p', repeat('x', %s))", size)


# -- relations -------------------------------------------------------------------------------------


def _in_transaction(*queries: str) -> Act:
    def step(world: World, rng: random.Random, step: Step) -> None:
        with world.connection.transaction():
            world.life.insert(world.connection)
            for query in queries:
                run(world, query)

    return step


def vacuum_full(world: World, rng: random.Random, step: Step) -> None:
    run(world, rng.choice(("VACUUM FULL filled", "VACUUM FREEZE", "VACUUM filled")))


def reindex(world: World, rng: random.Random, step: Step) -> None:
    run(world, "CREATE INDEX IF NOT EXISTS filled_n ON filled (n)")
    run(world, "REINDEX TABLE CONCURRENTLY filled")


def indexes(world: World, rng: random.Random, step: Step) -> None:
    """A table with an index of every kind, and rows that reach all of them."""
    with world.connection.transaction():
        world.life.insert(world.connection)
        run(world, "DROP TABLE IF EXISTS kinds")
        run(world, "CREATE TABLE kinds (n int, words text[], place point)")
        for kind, column in (
            ("btree", "n"), ("hash", "n"), ("brin", "n"), ("gin", "words"), ("gist", "place"),
            ("spgist", "place"),
        ):  # fmt: skip
            run(world, f"CREATE INDEX ON kinds USING {kind} ({column})")
        run(world, "INSERT INTO kinds SELECT i, ARRAY['a', i::text], point(i, i)"
            " FROM generate_series(1, 200) i")  # fmt: skip
        run(world, "DELETE FROM kinds WHERE n % 3 = 0")


def create_database(world: World, rng: random.Random, step: Step) -> None:
    strategy = ""
    if world.plan.major >= 15:
        strategy = " STRATEGY " + rng.choice(("WAL_LOG", "FILE_COPY"))
    run(world, f"CREATE DATABASE d{step.id} TEMPLATE template0{strategy}")


def drop_database(world: World, rng: random.Random, step: Step) -> None:
    named = run(world, "SELECT datname FROM pg_database WHERE datname ~ '^d[0-9]' ORDER BY 1")
    if named:
        run(world, f"DROP DATABASE {rng.choice(named)[0]}")


def tablespace(world: World, rng: random.Random, step: Step) -> None:
    """Inside the data directory."""
    run(world, "SET allow_in_place_tablespaces = on")
    run(world, f"CREATE TABLESPACE s{step.id} LOCATION ''")
    run(world, f"CREATE TABLE in_space{step.id} TABLESPACE s{step.id} AS SELECT 1 AS n")
    if rng.random() < 0.4:
        run(world, f"DROP TABLE in_space{step.id}")
        run(world, f"DROP TABLESPACE s{step.id}")


# -- the server ------------------------------------------------------------------------------------


def idle(world: World, rng: random.Random, step: Step) -> None:
    time.sleep(0.03)


def step_clock(world: World, rng: random.Random, step: Step) -> None:
    """Some transactions of the end get an earlier time (`aims`)."""
    world.clock_steps.append(step.dice)


def compression(world: World, rng: random.Random, step: Step) -> None:
    kinds = ["off", "on", "pglz", "lz4", "zstd"] if world.plan.major >= 15 else ["off", "on"]
    run(world, f"ALTER SYSTEM SET wal_compression = '{rng.choice(kinds)}'")
    run(world, "SELECT pg_reload_conf()")
    world.disconnect()
    with world.connection.transaction():
        world.life.insert(world.connection)
        run(world, "INSERT INTO filled SELECT i, repeat('a', 400) FROM generate_series(1, 300) i")
    run(world, "CHECKPOINT")
    run(world, "UPDATE filled SET t = 'b' WHERE n % 9 = 0")


def full_pages(world: World, rng: random.Random, step: Step) -> None:
    run(world, "ALTER SYSTEM SET full_page_writes = off")
    run(world, "SELECT pg_reload_conf()")
    run(world, "CHECKPOINT")
    run(world, "ALTER SYSTEM SET full_page_writes = on")
    run(world, "SELECT pg_reload_conf()")


def crash(world: World, rng: random.Random, step: Step) -> None:
    """Ended at once, now and then amid a transaction or right after a long record."""
    if rng.random() < 0.4:
        run(world, "BEGIN")
        run(world, "INSERT INTO filled SELECT i, repeat('c', 500) FROM generate_series(1, 3000) i")
    if rng.random() < 0.4:
        run(world, "SELECT pg_logical_emit_message(false, 'p', repeat('x', 700000))")
    world.restart("immediate")


def restart(world: World, rng: random.Random, step: Step) -> None:
    world.restart("fast")


def settings(world: World, rng: random.Random, step: Step) -> None:
    """Those that a hot standby must not have lower, raised and lowered."""
    name, values = rng.choice((
        ("max_connections", (20, 60, 110)), ("max_prepared_transactions", (20, 24, 30)),
        ("max_worker_processes", (4, 8, 12)), ("max_locks_per_transaction", (32, 64, 96)),
        ("max_wal_senders", (5, 10, 14)),
    ))  # fmt: skip
    world.restart(rng.choice(("fast", "fast", "immediate")), **{name: rng.choice(values)})


def wal_level(world: World, rng: random.Random, step: Step) -> None:
    """To logical and back, or through minimal, where nothing is archived for a while."""
    if rng.random() < 0.6:
        world.restart(wal_level="logical")
        run(world, "SELECT pg_log_standby_snapshot()" if world.plan.major >= 16 else "SELECT 1")
    else:
        off: dict[str, str | int | bool] = {"archive_mode": "off", "max_wal_senders": 0}
        if world.plan.major >= 17:
            off["summarize_wal"] = False
        world.restart(wal_level="minimal", **off)
        with world.connection.transaction():
            world.life.insert(world.connection)
            run(world, "CREATE TABLE IF NOT EXISTS skipped AS SELECT 1 AS n")
        if rng.random() < 0.3:
            run(world, "SELECT pg_switch_wal()")
    world.restart(wal_level="replica", archive_mode="on", max_wal_senders=10)
    world.note_rows()


STEPS: dict[str, Act] = {
    **{
        name: _as_in_histories(getattr(histories, name))
        for name in ("commit", "abort", "nest", "ddl", "switch", "checkpoint",
                     "commit_over_a_boundary")
    },
    "truncate": _in_transaction("INSERT INTO filled VALUES (1)", "TRUNCATE filled"),
    "large_object": _in_transaction("SELECT lo_from_bytea(0, decode(repeat('ab', 5000), 'hex'))"),
    "unlogged": _in_transaction(
        "CREATE UNLOGGED TABLE IF NOT EXISTS quick (n int)", "INSERT INTO quick VALUES (1)"
    ),
    "sequence": _in_transaction(
        "CREATE SEQUENCE IF NOT EXISTS numbers", "SELECT nextval('numbers')"
    ),
    **{
        act.__name__: act
        for act in (
            subtransactions, prepare, end_prepared, locks, message, restore_point,
            point_at_the_edge, switch_at_the_edge, vacuum_full, reindex, indexes, create_database,
            drop_database, tablespace, idle, step_clock, compression, full_pages, crash, restart,
            settings, wal_level,
        )
    },
    **BACKING_UP,
    **AROUND,
}  # fmt: skip
