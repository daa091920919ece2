"""A drill can harm nobody: hostile configuration, a primary beside it, SIGKILL, a full disk."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from agent.drill import area as area_room
from agent.drill.area import scratch_area, sweep
from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from tests.fix_check import Archived
from tests.fix_drill import DrillGround, inspections_by, start
from tests.fix_postgres import NewCluster
from tests.fix_tools import PATIENCE_SECONDS, need
from tests.waiting import wait_until


def fingerprint(directory: Path) -> dict[str, str]:
    """Every file of a directory by its content."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file()
    }


# -- a backup that wants to do harm ----------------------------------------------------------------

HOSTILE = """
archive_mode = on
archive_command = 'touch {outside}/archive_command'
archive_library = '{outside}/evil'
restore_command = 'touch {outside}/restore_command; cp {archive}/%f %p'
recovery_end_command = 'touch {outside}/recovery_end_command'
archive_cleanup_command = 'touch {outside}/archive_cleanup_command'
primary_conninfo = 'host=127.0.0.1 port={port} user=nobody'
primary_slot_name = 'stolen'
listen_addresses = '127.0.0.1'
unix_socket_directories = '{outside}'
external_pid_file = '{outside}/external_pid_file'
logging_collector = on
log_directory = '{outside}'
log_destination = 'csvlog,jsonlog'
ssl = on
ssl_cert_file = '{outside}/server.crt'
ssl_key_file = '{outside}/server.key'
ssl_passphrase_command = 'touch {outside}/ssl_passphrase_command'
krb_server_keyfile = '{outside}/keytab'
shared_preload_libraries = '{outside}/evil, absent_library, pg_cron'
session_preload_libraries = 'absent_too'
local_preload_libraries = 'absent_as_well'
dynamic_library_path = '{outside}'
jit_provider = '{outside}/evil'
hba_file = '{outside}/pg_hba.conf'
ident_file = '{outside}/pg_ident.conf'
data_directory = '{outside}/data'
hot_standby = off
wal_sync_method = open_datasync
ignore_checksum_failure = on
zero_damaged_pages = on
recovery_target_name = 'never'
recovery_target_action = 'shutdown'
include '{includes}/endless'
include '/dev/zero'
include_if_exists '{includes}/absent'
include_dir '{includes}'
"""


def make_hostile(backup: Path, **places: object) -> None:
    settings = HOSTILE.format(**places)
    for name in ("postgresql.conf", "postgresql.auto.conf"):
        with (backup / name).open("a") as file:
            file.write(settings)
    (backup / "standby.signal").touch()
    (backup / "pg_replslot" / "stolen").mkdir()
    (backup / "pg_replslot" / "stolen" / "state").write_bytes(b"nothing that can be read")
    (backup / "log").symlink_to(str(places["outside"]))
    shutil.rmtree(backup / "pg_stat")
    (backup / "pg_stat").symlink_to(str(places["outside"]))  # written to at a shutdown


@pytest.fixture
def outside(short_directory: Path) -> Path:
    """A directory that everybody may write to, and nobody should."""
    directory = short_directory / "outside"
    directory.mkdir()
    directory.chmod(0o777)
    return directory


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port that nobody should connect to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_a_hostile_configuration_in_the_backup_does_nothing(
    archived: Archived, ground: DrillGround, tmp_path: Path, outside: Path, listener: socket.socket
) -> None:
    includes = tmp_path / "includes"
    includes.mkdir()
    os.mkfifo(includes / "endless")
    os.mkfifo(includes / "endless.conf")
    port = listener.getsockname()[1]
    make_hostile(
        archived.backup, archive=archived.archive, outside=outside, includes=includes, port=port
    )
    before = fingerprint(archived.archive)
    options = (
        "--backup-depth",
        "label",
        "--probe",
        "SELECT count(*) FROM t=6000",
        "--confine",
        "never",
    )
    checked = ground.drill(archived.archive, archived.backup, *options)
    drill = checked.json["drill"]
    assert (drill["outcome"], drill["agrees"]) == ("promoted", True), checked.out
    assert [probe["holds"] for probe in drill["probes"]] == [True]
    assert list(outside.iterdir()) == []
    assert fingerprint(archived.archive) == before
    assert "drill_left_out" in checked.findings
    notes = " ".join(drill["notes"])
    for word in (f"{outside}/evil", "absent_library", "pg_cron", "absent_too", "absent_as_well"):
        assert word in notes
    assert "log, pg_stat" in notes


# What roles and databases set for themselves, and what is in the data, no configuration file has.
IN_THE_DATA = """
CREATE SCHEMA evil;
CREATE FUNCTION evil.touch() RETURNS int LANGUAGE plpgsql AS
  $$BEGIN COPY (SELECT 1) TO '{outside}/function'; RETURN 1; END$$;
CREATE FUNCTION evil.still(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN PERFORM evil.touch(); RETURN n; END$$;
CREATE FUNCTION evil.lower(word text) RETURNS text LANGUAGE plpgsql AS
  $$BEGIN PERFORM evil.touch(); RETURN 'evil'; END$$;
CREATE TABLE bait (
  n int DEFAULT evil.touch(), CHECK (evil.touch() = 1),
  m int GENERATED ALWAYS AS (evil.still(1)) STORED
);
INSERT INTO bait VALUES (1);
CREATE INDEX ON bait (evil.still(n));
ALTER TABLE bait ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY trap ON bait USING (evil.touch() = 1);
CREATE VIEW seen AS SELECT evil.touch();
CREATE MATERIALIZED VIEW kept AS SELECT evil.touch();
CREATE ROLE powerless;
CREATE SUBSCRIPTION theirs CONNECTION 'host=127.0.0.1 port={port}' PUBLICATION p
  WITH (connect = false, slot_name = 'theirs');
ALTER SUBSCRIPTION theirs ENABLE;
ALTER DATABASE postgres SET search_path = evil, pg_catalog, public;
ALTER DATABASE postgres SET dynamic_library_path = '{outside}';
ALTER DATABASE postgres SET jit = on;
ALTER ROLE postgres SET role = powerless;
ALTER ROLE postgres SET default_transaction_read_only = on;
ALTER ROLE ALL SET statement_timeout = 1;
ALTER ROLE postgres IN DATABASE postgres SET local_preload_libraries = 'absent';
"""
# Its own functions, and a server that is small, alone, and no smaller than recovery allows.
PROBES = (
    "SELECT lower('A')=a",
    "SELECT setting FROM pg_settings WHERE name IN ('archive_mode', 'listen_addresses',"
    " 'max_connections', 'max_locks_per_transaction', 'shared_buffers', 'work_mem')"
    " ORDER BY name=off\n\n123\n99\n16384\n4096",
)
AT_LOGIN = """
CREATE FUNCTION evil.fire() RETURNS event_trigger LANGUAGE plpgsql AS
  $$BEGIN PERFORM evil.touch(); END$$;
CREATE EVENT TRIGGER at_login ON login EXECUTE FUNCTION evil.fire();
ALTER EVENT TRIGGER at_login ENABLE ALWAYS;
ALTER DATABASE postgres SET event_triggers = on;
ALTER DATABASE postgres SET session_preload_libraries = 'absent';
"""


@pytest.mark.pg(">= 15")
def test_what_the_data_bring_along_does_nothing(
    pg: Installation,
    new_cluster: NewCluster,
    ground: DrillGround,
    outside: Path,
    listener: socket.socket,
) -> None:
    """Beside a primary that archives: its archive stays as it is."""
    cluster = new_cluster(
        pg, max_logical_replication_workers=0, autovacuum=False, max_connections=123,
        max_locks_per_transaction=99, shared_buffers="200MB", work_mem="70MB",
    )  # fmt: skip
    backup = cluster.account.make_directory(cluster.home / "backups") / "one"
    archive = cluster.home / "archive"
    with cluster.connect() as connection:  # nobody gets in after it
        script = IN_THE_DATA + (AT_LOGIN if pg.major >= 17 else "")
        port = listener.getsockname()[1]
        connection.execute(script.format(outside=outside, port=port).encode())
        assert (outside / "function").exists(), "what is laid out works"
        (outside / "function").unlink()
        cluster.run(
            "pg_basebackup", "-D", str(backup), "-h", str(cluster.sockets), "-U", "postgres",
            "-c", "fast", "--no-sync",
        )  # fmt: skip
        wait_until(lambda: _archived_everything(cluster))
        before = fingerprint(archive)
        outside.joinpath("function").unlink(missing_ok=True)
        probes = [word for probe in PROBES for word in ("--probe", probe)]
        options = ("--pg-bindir", pg.bindir, "--confine", "never")
        checked = ground.drill(archive, backup, *options, *probes)
    drill = checked.json["drill"]
    assert (drill["outcome"], drill["agrees"]) == ("promoted", True), checked.out
    assert [probe["holds"] for probe in drill["probes"]] == [True, True], drill["probes"]
    assert {each["name"]: each["result"] for each in drill["inspections"]} == inspections_by(pg)
    assert checked.status == 0, checked.out
    assert list(outside.iterdir()) == []
    assert fingerprint(archive) == before
    assert cluster.is_running()


def _archived_everything(cluster: Cluster) -> bool:
    """The archiver has nothing before it, the backup's history file included."""
    return not list((cluster.data / "pg_wal" / "archive_status").glob("*.ready"))


def test_wal_that_creates_a_tablespace_is_refused(
    ground: DrillGround, new_cluster: NewCluster
) -> None:
    cluster = new_cluster(16)
    backup = cluster.account.make_directory(cluster.home / "backups") / "one"
    cluster.base_backup(backup)
    space = cluster.account.make_directory(cluster.home / "space")
    cluster.sql(f"CREATE TABLESPACE space LOCATION '{space}'")  # type: ignore[arg-type]
    cluster.sql("CREATE TABLE elsewhere TABLESPACE space AS SELECT generate_series(1, 99) n")
    cluster.sql("SELECT pg_switch_wal()")
    wait_until(lambda: _archived_everything(cluster))
    before = fingerprint(space)
    checked = ground.drill(cluster.home / "archive", backup)
    drill = checked.json["drill"]
    assert (checked.status, drill["outcome"]) == (3, "not_run"), checked.out
    assert str(space) in drill["reason"] and "drill_not_run" in checked.findings
    assert fingerprint(space) == before
    before_it = ground.drill(cluster.home / "archive", backup, "--target-immediate")
    assert before_it.json["drill"]["agrees"] is True, before_it.out


# -- places that do not do -------------------------------------------------------------------------


@pytest.fixture
def small_disk(short_directory: Path) -> Iterator[Callable[[int], DrillGround]]:
    """A file system of so many MiB, in memory."""
    mounted: list[Path] = []

    def mount(size_mib: int) -> DrillGround:
        place = short_directory / f"disk{size_mib}"
        place.mkdir(mode=0o755)
        options = f"size={size_mib}m,mode=0755"
        need("mount")
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
        mounted.append(place)
        return DrillGround(place)

    yield mount
    for place in mounted:
        subprocess.run(["umount", place], check=True)


def test_a_disk_that_is_too_small_is_refused_beforehand(
    archived: Archived, small_disk: Callable[[int], DrillGround]
) -> None:
    ground = small_disk(40)
    checked = ground.drill(archived.archive, archived.backup)
    assert checked.status == 3
    assert "not enough room" in checked.json["drill"]["reason"]
    assert ground.areas() == []


def stopped_while_it_copies(ground: DrillGround, archived: Archived) -> subprocess.Popen[str]:
    """A drill that will look at the disk again: it goes on when it is told."""
    for _ in range(20):
        drill = start(ground, archived)
        if is_halted_copying(drill, ground):
            return drill
        drill.send_signal(signal.SIGCONT)  # too late: another
        drill.communicate()
    raise AssertionError("no drill was caught")


def is_halted_copying(drill: subprocess.Popen[str], ground: DrillGround) -> bool:
    wait_until(lambda: any(ground.directory.glob("*/data")) or drill.poll() is not None)
    drill.send_signal(signal.SIGSTOP)
    wait_until(lambda: drill.poll() is not None or status_of(drill) == psutil.STATUS_STOPPED)
    copies = any(ground.directory.glob("*/data")) and not any(ground.directory.glob("*/wal/ask.sh"))
    return copies and drill.poll() is None


def status_of(process: subprocess.Popen[str]) -> str:
    return str(psutil.Process(process.pid).status())


def test_a_disk_that_fills_up_stops_the_drill(
    archived: Archived, small_disk: Callable[[int], DrillGround]
) -> None:
    ground = small_disk(200)
    drill = stopped_while_it_copies(ground, archived)
    free = shutil.disk_usage(ground.directory).free
    with (ground.directory / "others").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - (30 << 20))
    drill.send_signal(signal.SIGCONT)
    out, _ = drill.communicate(timeout=PATIENCE_SECONDS)
    found = json.loads(out)["drill"]
    assert (drill.returncode, found["outcome"]) == (3, "not_run"), out
    assert "not enough room" in found["reason"]
    assert [path.name for path in ground.areas()] == ["others"]


def test_a_server_that_this_machine_cannot_start_proves_nothing(
    archived: Archived, ground: DrillGround, installations: dict[int, Installation]
) -> None:
    """The real server, without the memory that it needs."""
    programs = ground.directory / "bin"
    programs.mkdir(mode=0o755)
    script = programs / "postgres"
    limit = "case $1 in --version) ;; *) ulimit -v 80000 ;; esac"
    script.write_text(f'#!/bin/sh\n{limit}\nexec {installations[16].program("postgres")} "$@"\n')
    script.chmod(0o755)
    options = ("--pg-bindir", programs, "--confine", "never")
    checked = ground.drill(archived.archive, archived.backup, *options)
    shutil.rmtree(programs)
    drill = checked.json["drill"]
    assert (checked.status, drill["outcome"], drill["agrees"]) == (3, "not_run", None), checked.out
    assert "memory" in drill["reason"]


def test_a_place_with_a_long_name(archived: Archived, ground: DrillGround) -> None:
    """The socket's path would not fit into sun_path."""
    place = ground.directory / ("long" * 25)
    place.mkdir()
    checked = DrillGround(place).drill(archived.archive, archived.backup)
    assert checked.status == 0, checked.out
    (area,) = re.findall(r"pitr-watch --pgdata \S+/pitr-drill-(\w+)/data", checked.err)
    assert list(place.iterdir()) == [] and not Path(f"/tmp/pitr-sockets-{area}").exists()
    place.rmdir()


def test_a_socket_directory_that_is_there_already(
    account: Account, ground: DrillGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made by somebody to be in the way: it is not used, and not removed."""
    place = ground.directory / ("long" * 25)
    place.mkdir()
    names = [f"{name}{os.getpid()}" for name in ("taken", "free")]
    taken, free = (Path(f"/tmp/pitr-sockets-{name}") for name in names)
    taken.mkdir()
    try:
        monkeypatch.setattr(area_room.tempfile, "mkdtemp", partial(_make, iter(names)))
        with scratch_area(place, account) as area:
            assert area.sockets == free and free.is_dir()
            assert oct(area.path.stat().st_mode & 0o777) == oct(0o700)
            assert sweep(place, account) == [], "it lives"
        assert taken.is_dir() and not area.sockets.exists()
    finally:
        taken.rmdir()
        place.rmdir()


def _make(names: Iterator[str], *, prefix: str, dir: Path) -> str:  # noqa: A002 - mkdtemp's own
    path = dir / f"{prefix}{next(names)}"
    path.mkdir(mode=0o700)
    return str(path)
