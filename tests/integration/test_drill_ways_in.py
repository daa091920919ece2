"""Each way in which restored data could run something, with a file that betrays it.

The ways are laid in a real cluster, by whoever can lay them, and shown to work there; then a drill
of its backup asks, checks and dumps everything, and no file may appear.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from tests.fix_check import Checked
from tests.fix_drill import DrillGround, drill_of, results_of
from tests.fix_postgres import NewCluster, lack_part
from tests.fix_tools import need

OPEN = ("--confine", "never")  # bubblewrap would hide what is not kept out
EVERY_MAJOR = pytest.mark.pg(">= 13", npm=True)


@dataclass(frozen=True)
class Way:
    """A relation `<name>` that runs something when it is read."""

    name: str
    script: str  # of mallory, who owns the database and is nobody
    refused: str  # a part of what the drill's server says
    before: str = ""  # of the superuser, before and after that
    after: str = ""
    extension: str | None = None  # without which there is no such way


def plpgsql(name: str, body: str, options: str = "") -> str:
    return (
        f"CREATE FUNCTION f_{name}() RETURNS int LANGUAGE plpgsql {options} AS"
        f" $$BEGIN {body}; RETURN 1; END$$;"
    )


def view(name: str) -> str:
    return f"CREATE VIEW {name} AS SELECT f_{name}() AS n;"


RUN = "COPY (SELECT 1) TO PROGRAM 'cat > {canary}'"
RUN_LATE = "EXECUTE $q$" + RUN + "$q$"
TO_FILE = "COPY (SELECT 1) TO '{canary}'"
RUNS_PROGRAMS = "GRANT pg_execute_server_program TO mallory;"
OF_SUPERUSER = "RESET SESSION AUTHORIZATION;"
NOT_RUN = "not_run_by_a_drill"

WAYS = (
    Way("program", plpgsql("program", RUN) + view("program"), "permission denied to COPY|must be"),
    Way("file", plpgsql("file", TO_FILE) + view("file"), "permission denied to COPY|must be"),
    Way(
        "reset_session",
        plpgsql("reset_session", OF_SUPERUSER + RUN_LATE) + view("reset_session"),
        "permission denied to COPY|must be",
    ),
    Way(
        "reset_role", plpgsql("reset_role", "RESET ROLE; " + RUN_LATE) + view("reset_role"),
        "permission denied to COPY|must be",
    ),
    Way(
        "becomes_superuser",
        plpgsql("becomes_superuser", "SET SESSION AUTHORIZATION postgres; " + RUN_LATE)
        + view("becomes_superuser"),
        "permission denied to set session authorization",
    ),
    Way(
        "definer_superuser", view("definer_superuser"), "permission denied to COPY|must be",
        before=plpgsql("definer_superuser", RUN, "SECURITY DEFINER"),
    ),
    Way(
        "definer_granted",
        plpgsql("definer_granted", RUN, "SECURITY DEFINER") + view("definer_granted"),
        "permission denied to COPY|must be", before=RUNS_PROGRAMS,
    ),
    Way(
        "writes",
        plpgsql("writes", "SET LOCAL transaction_read_only = off; CREATE TABLE made (); " + TO_FILE)
        + view("writes"),
        "read-write mode",
    ),
    Way(
        "large_object",
        plpgsql("large_object", "PERFORM lo_export(42, '{canary}')", "SECURITY DEFINER")
        + view("large_object"),
        "permission denied for function lo_export",
        before="SELECT lo_from_bytea(42, 'x');"
        "GRANT EXECUTE ON FUNCTION lo_export(oid, text) TO mallory;"
        "GRANT SELECT ON LARGE OBJECT 42 TO mallory; GRANT pg_write_server_files TO mallory;",
    ),
    Way(
        "foreign_program",
        "CREATE FOREIGN TABLE foreign_program (n int) SERVER files"
        " OPTIONS (program 'touch {canary}; echo 1', format 'csv');",
        "has no handler",
        before=RUNS_PROGRAMS + "CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;"
        "GRANT USAGE ON FOREIGN SERVER files TO mallory;",
        extension="file_fdw",
    ),
    Way(
        "untrusted", view("untrusted"), NOT_RUN,
        before="CREATE FUNCTION f_untrusted() RETURNS int LANGUAGE pltclu AS"
        " $$exec touch {canary}; return 1$$;",
        extension="pltclu",
    ),
)  # fmt: skip


@dataclass
class Shop:
    """The cluster of the ways, and what betrays them."""

    cluster: Cluster
    outside: Path
    ways: list[Way] = field(default_factory=list)

    def run(self, script: str, *, role: str | None = None, **names: object) -> None:
        with self.connect() as connection:
            if role is not None:
                connection.execute(f"SET SESSION AUTHORIZATION {role}".encode())
            for name, value in names.items():
                script = script.replace("{" + name + "}", str(value))
            connection.execute(script.encode())

    def connect(self) -> psycopg.Connection[Any]:
        dsn = f"host={self.cluster.sockets} user=postgres dbname=shop"
        return psycopg.connect(dsn, autocommit=True)

    def canary(self, name: str) -> Path:
        return self.outside / name

    def betrayed(self) -> list[str]:
        return sorted(path.name for path in self.outside.iterdir())

    def lay(self, way: Way) -> bool:
        """Lay a way, and show that it works here; False where there is no such way."""
        if way.extension is not None:
            try:
                self.run(f"CREATE EXTENSION {way.extension}")
            except psycopg.Error:
                return False
        canary = self.canary(way.name)
        self.run(way.before or "SELECT", canary=canary)
        self.run(way.script, role="mallory", canary=canary)
        self.run(way.after or "SELECT", canary=canary)
        self.run(f"SELECT count(*) FROM {way.name}")
        assert canary.exists(), f"{way.name} does not work at all"
        canary.unlink(missing_ok=True)
        self.ways.append(way)
        return True

    def backup(self, program: Path) -> Path:
        place = self.cluster.account.make_directory(self.cluster.home / "backups") / "one"
        self.cluster.base_backup(place, program=program)
        return place


@pytest.fixture
def shop(pg: Installation, new_cluster: NewCluster, short_directory: Path) -> Shop:
    outside = short_directory / "outside"
    outside.mkdir()
    outside.chmod(0o777)
    cluster = new_cluster(pg, autovacuum=False)
    cluster.sql("CREATE ROLE mallory LOGIN")
    cluster.sql("CREATE DATABASE shop OWNER mallory")
    shop = Shop(cluster, outside)
    shop.run("GRANT ALL ON SCHEMA public TO mallory")
    return shop


@pytest.fixture
def programs(
    pg: Installation, installations: dict[int, Installation], short_directory: Path
) -> Path:
    """The server of this major, with the client programs of a later one where it has none."""
    place = short_directory / "bin"
    place.mkdir()
    for name in ("postgres", "pg_dump", "pg_dumpall", "pg_amcheck", "pg_checksums"):
        own, later = pg.program(name), installations[18].program(name)
        if own.exists() or name != "pg_checksums":
            (place / name).symlink_to(own if own.exists() else later)
    return place


Drill = Callable[..., Checked]


@pytest.fixture
def drill(shop: Shop, programs: Path, ground: DrillGround) -> Drill:
    """A drill of the shop as it stands."""

    def make(*options: object) -> Checked:
        backup = shop.backup(programs_of_backup(programs))
        return ground.drill(
            shop.cluster.home / "archive", backup, "--pg-bindir", programs, *OPEN, *options
        )

    return make


def programs_of_backup(programs: Path) -> Path:
    return (programs / "pg_dump").resolve().parent / "pg_basebackup"


def probes(*queries: str) -> Iterator[str]:
    for query in queries:
        yield from ("--probe", f"{query}=1")


@EVERY_MAJOR
def test_what_a_probe_reads_runs_nothing(shop: Shop, drill: Drill, tmp_path: Path) -> None:
    for way in WAYS:
        shop.lay(way)
    laid = {way.name for way in shop.ways}
    assert {way.name for way in WAYS if way.extension is None} <= laid
    file = tmp_path / "probes.yaml"
    file.write_text(
        "".join(
            f"- {{database: shop, sql: SELECT count(*) FROM {way.name}, expected: '1'}}\n"
            for way in shop.ways
        )
    )
    checked = drill("--probes", file)
    found = drill_of(checked)
    assert (found["outcome"], found["agrees"]) == ("promoted", True), checked.out
    assert shop.betrayed() == []
    answers = {
        way.name: probe["error"] for way, probe in zip(shop.ways, found["probes"], strict=True)
    }
    wrong = [
        (way.name, answers[way.name])
        for way in shop.ways
        if not any(part in (answers[way.name] or "") for part in way.refused.split("|"))
    ]
    assert wrong == []
    assert results_of(found)["dump"] == "passed", found["inspections"]


# -- pg_amcheck, which must be a superuser ---------------------------------------------------------

AT_DDL = """
CREATE FUNCTION fire() RETURNS event_trigger LANGUAGE plpgsql AS
  $$BEGIN COPY (SELECT 1) TO PROGRAM 'cat > {canary}'; END$$;
"""
IMPOSTOR = """
CREATE FUNCTION public.bt_index_check(index oid, heapallindexed boolean) RETURNS void
  LANGUAGE plpgsql AS $$BEGIN COPY (SELECT 1) TO PROGRAM 'cat > {canary}'; END$$;
"""


@pytest.mark.pg(">= 14", npm=True)
def test_pg_amcheck_runs_nothing_of_theirs(
    shop: Shop, drill: Drill, programs: Path, pg: Installation
) -> None:
    """In one database an event trigger lies in wait, in the other a function of amcheck's name."""
    try:
        shop.run("CREATE EXTENSION amcheck SCHEMA public")
    except psycopg.Error:
        lack_part(pg, "amcheck")
    shop.run("CREATE DATABASE traps OWNER mallory")
    shop.run(IMPOSTOR, role="mallory", canary=shop.canary("impostor"))
    traps = f"host={shop.cluster.sockets} user=postgres dbname=traps"
    with psycopg.connect(traps, autocommit=True) as connection:
        connection.execute("SET SESSION AUTHORIZATION mallory")
        connection.execute(AT_DDL.replace("{canary}", str(shop.canary("trigger"))).encode())
        connection.execute("RESET SESSION AUTHORIZATION")
        connection.execute("CREATE EVENT TRIGGER trap ON ddl_command_start EXECUTE FUNCTION fire()")
        connection.execute("CREATE TABLE fires ()")
    shop.cluster.run(str(programs / "pg_amcheck"), "-h", str(shop.cluster.sockets),
                     "-U", "postgres", "-d", "shop")  # fmt: skip
    assert shop.betrayed() == ["impostor", "trigger"], "both are open there"
    for name in shop.betrayed():
        shop.canary(name).unlink()
    found = drill_of(drill())
    assert shop.betrayed() == []
    (amcheck,) = [each for each in found["inspections"] if each["name"] == "amcheck"]
    assert amcheck["result"] == "not_done", amcheck
    assert "database shop: public.bt_index_check(oid,boolean) would be called" in amcheck["detail"]
    fires = "database traps: CREATE EXTENSION amcheck would fire the event trigger trap"
    assert (fires in amcheck["detail"]) == (pg.major < 17), amcheck
    assert "pg_amcheck found the other databases sound" in amcheck["detail"], amcheck
    assert results_of(found)["dump"] == "passed", found["inspections"]


# -- libraries -------------------------------------------------------------------------------------

LIBRARY = """
#include <fcntl.h>
__attribute__((constructor)) static void betray(void) {{ creat("{canary}", 0666); }}
"""
IN_CONFIGURATION = """
shared_preload_libraries = '{library}'
session_preload_libraries = '{library}'
local_preload_libraries = '{library}'
archive_mode = on
archive_library = '{library}'
jit_provider = '{library}'
dynamic_library_path = '{directory}'
"""


@pytest.mark.pg(">= 13", npm=True)
def test_libraries_are_loaded_by_nobody(
    shop: Shop, drill: Drill, ground: DrillGround, programs: Path
) -> None:
    """Named by the configuration, by roles and databases, by a function; it lies in the backup."""
    need("a C compiler")
    library = shop.cluster.data / "evil.so"  # goes into the backup
    source = shop.outside / "evil.c"
    source.write_text(LIBRARY.format(canary=shop.canary("loaded")))
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    library.chmod(0o755)
    source.unlink()
    shop.run(
        "CREATE FUNCTION f_library() RETURNS int LANGUAGE c AS '$libdir/dict_snowball',"
        " 'dsnowball_init'; UPDATE pg_proc SET probin = './evil.so' WHERE proname = 'f_library';"
        "CREATE VIEW library AS SELECT f_library() AS n"
    )
    with pytest.raises(psycopg.Error):
        shop.run("SELECT * FROM library")
    assert shop.betrayed() == ["loaded"]
    shop.canary("loaded").unlink()
    for whom in ("DATABASE shop", "ROLE postgres", "ROLE ALL"):
        shop.cluster.sql(f"ALTER {whom} SET session_preload_libraries = '{library}'")  # type: ignore[arg-type]
        with pytest.raises(psycopg.Error):
            shop.run("SELECT 1")
        assert shop.betrayed() == ["loaded"]
        shop.canary("loaded").unlink()
        own = f"ALTER {whom} RESET session_preload_libraries"
        options = "-c session_preload_libraries="
        with psycopg.connect(
            f"host={shop.cluster.sockets} user=postgres", options=options
        ) as open_:
            open_.execute(own.encode())
    options = "-c session_preload_libraries= -c local_preload_libraries="
    with psycopg.connect(
        f"host={shop.cluster.sockets} user=postgres", options=options, autocommit=True
    ) as connection:
        for whom in ("DATABASE shop", "DATABASE template1", "ROLE postgres", "ROLE ALL"):
            for name in ("session_preload_libraries", "local_preload_libraries"):
                connection.execute(f"ALTER {whom} SET {name} = '{library}'".encode())
            connection.execute(f"ALTER {whom} SET default_transaction_read_only = off".encode())
        backup = shop.backup(programs_of_backup(programs))
    if shop.betrayed():
        shop.canary("loaded").unlink()
    with (backup / "postgresql.auto.conf").open("a") as file:
        file.write(IN_CONFIGURATION.format(library="./evil.so", directory=backup))
    checked = ground.drill(
        shop.cluster.home / "archive", backup, "--pg-bindir", programs, *OPEN,
        "--backup-depth", "label",
        "--probe", "SHOW transaction_read_only=on",
    )  # fmt: skip
    found = drill_of(checked)
    assert shop.betrayed() == []
    assert [each["holds"] for each in found["probes"]] == [True], found["probes"]
    assert any("./evil.so was left out" in note for note in found["notes"]), found["notes"]
