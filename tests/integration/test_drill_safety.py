"""A drill can harm nobody: hostile configuration, a primary beside it, SIGKILL, a full disk."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agent.drill import area as area_room
from agent.drill.area import scratch_area, sweep
from agent.postgres.account import Account
from tests.fix_check import Archived
from tests.fix_drill import DrillGround
from tests.fix_postgres import NewCluster

PROGRAM = Path(sys.executable).parent / "pitr-check"


def fingerprint(directory: Path) -> dict[str, str]:
    """Every file of a directory by its content."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file()
    }


def wait_for(what: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# -- a backup that wants to do harm ----------------------------------------------------------------

HOSTILE = """
archive_mode = on
archive_command = 'touch {outside}/archive_command'
restore_command = 'touch {outside}/restore_command; cp {archive}/%f %p'
recovery_end_command = 'touch {outside}/recovery_end_command'
archive_cleanup_command = 'touch {outside}/archive_cleanup_command'
primary_conninfo = 'host={outside} user=nobody'
primary_slot_name = 'stolen'
listen_addresses = '127.0.0.1'
unix_socket_directories = '{outside}'
external_pid_file = '{outside}/external_pid_file'
logging_collector = on
log_directory = '{outside}'
ssl = on
shared_preload_libraries = '{outside}/evil, absent_library, pg_cron'
session_preload_libraries = 'absent_too'
hba_file = '{outside}/pg_hba.conf'
data_directory = '{outside}/data'
recovery_target_name = 'never'
recovery_target_action = 'shutdown'
"""


def make_hostile(backup: Path, archive: Path, outside: Path) -> None:
    settings = HOSTILE.format(outside=outside, archive=archive)
    for name in ("postgresql.conf", "postgresql.auto.conf"):
        with (backup / name).open("a") as file:
            file.write(settings)
    (backup / "standby.signal").touch()
    (backup / "pg_replslot" / "stolen").mkdir()
    (backup / "pg_replslot" / "stolen" / "state").write_bytes(b"nothing that can be read")
    (backup / "log").symlink_to(outside)
    shutil.rmtree(backup / "pg_stat")
    (backup / "pg_stat").symlink_to(outside)  # a server writes there when it shuts down


def test_a_hostile_configuration_in_the_backup_does_nothing(
    archived: Archived, ground: DrillGround, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    outside.chmod(0o777)
    make_hostile(archived.backup, archived.archive, outside)
    options = ("--backup-depth", "label", "--probe", "SELECT count(*) FROM t=6000")
    checked = ground.drill(archived.archive, archived.backup, *options)
    drill = checked.json["drill"]
    assert (drill["outcome"], drill["agrees"]) == ("promoted", True), checked.out
    assert [probe["holds"] for probe in drill["probes"]] == [True]
    assert list(outside.iterdir()) == []
    notes = " ".join(drill["notes"])
    for word in (f"{outside}/evil", "absent_library", "pg_cron", "absent_too", "log, pg_stat"):
        assert word in notes


def test_settings_of_the_databases_themselves_do_nothing(
    new_cluster: NewCluster, ground: DrillGround
) -> None:
    """ALTER DATABASE and an event trigger are in the data: no configuration file has them."""
    cluster = new_cluster(18)
    cluster.sql("CREATE TABLE fired (n int)")
    cluster.sql(
        "CREATE FUNCTION fire() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$BEGIN INSERT INTO fired VALUES (1); END$$"
    )
    cluster.sql("CREATE EVENT TRIGGER at_login ON login EXECUTE FUNCTION fire()")
    cluster.sql("ALTER EVENT TRIGGER at_login ENABLE ALWAYS")
    backup = cluster.account.make_directory(cluster.home / "backups") / "one"
    archive = cluster.home / "archive"
    with cluster.connect() as connection:  # nobody gets in after it
        rows = connection.execute("SELECT count(*) FROM fired").fetchone()
        assert rows == (2,), "the trigger works: two connections since have fired it"
        connection.execute("ALTER DATABASE postgres SET session_preload_libraries = 'absent'")
        cluster.base_backup(backup)
        wait_for(lambda: _archived_all(connection))
        before = fingerprint(archive)
        checked = ground.drill(archive, backup, "--probe", "SELECT count(*) FROM fired=2")
    assert checked.json["drill"]["outcome"] == "promoted", checked.out
    assert [probe["error"] for probe in checked.json["drill"]["probes"]] == [None]
    assert checked.status == 0, checked.out
    assert fingerprint(archive) == before, "the archive of a primary that runs beside"
    assert cluster.is_running()


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
    with cluster.connect() as connection:
        wait_for(lambda: _archived_all(connection))
    before = fingerprint(space)
    checked = ground.drill(cluster.home / "archive", backup)
    drill = checked.json["drill"]
    assert (checked.status, drill["outcome"]) == (3, "not_run"), checked.out
    assert str(space) in drill["reason"] and "drill_not_run" in checked.findings
    assert fingerprint(space) == before
    before_it = ground.drill(cluster.home / "archive", backup, "--target-immediate")
    assert before_it.json["drill"]["agrees"] is True, before_it.out


def _archived_all(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute(
        "SELECT last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1)"
        " FROM pg_stat_archiver"
    ).fetchone()
    return bool(row and row[0])


# -- whatever ends the drill -----------------------------------------------------------------------


def start(ground: DrillGround, archived: Archived, *options: object) -> subprocess.Popen[str]:
    command = ground.command(archived.archive, archived.backup, *options)
    return subprocess.Popen(
        [str(PROGRAM), *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


MOMENTS = ("pitr-drill-*", "pitr-drill-*/data", "pitr-drill-*/data/postmaster.pid")


def test_after_sigkill_the_server_ends_and_the_next_drill_cleans_up(
    archived: Archived, ground: DrillGround
) -> None:
    """At the area's birth, during the copy, during the recovery: the next one is killed later."""
    rng = random.Random(9)
    for moment in MOMENTS:
        before = set(ground.directory.glob(moment))
        drill = start(ground, archived)
        wait_for(partial(_is_new, ground.directory, moment, before))
        time.sleep(rng.uniform(0, 0.2))
        drill.kill()
        drill.communicate()
        (left,) = ground.areas()
        wait_for(lambda: not [p for p in ground.processes() if p.name() == "postgres"])
    checked = ground.drill(archived.archive, archived.backup)
    assert (checked.status, checked.json["drill"]["outcome"]) == (0, "promoted"), checked.out
    assert any(str(left) in note for note in checked.json["drill"]["notes"])


def _is_new(directory: Path, pattern: str, before: set[Path]) -> bool:
    return bool(set(directory.glob(pattern)) - before)


def test_a_drill_that_is_told_to_stop_leaves_nothing(
    archived: Archived, ground: DrillGround
) -> None:
    drill = start(ground, archived)
    wait_for(lambda: any(ground.directory.glob("pitr-drill-*/data/postmaster.pid")))
    drill.send_signal(signal.SIGTERM)
    _, said = drill.communicate(timeout=60)
    assert drill.returncode == 3 and "interrupted" in said
    assert ground.areas() == []


def test_two_drills_at_once(archived: Archived, ground: DrillGround) -> None:
    both = [start(ground, archived, "--nice"), start(ground, archived)]
    for drill in both:
        out, _ = drill.communicate(timeout=120)
        assert json.loads(out)["drill"]["agrees"] is True


# -- places that do not do -------------------------------------------------------------------------


@pytest.fixture
def small_disk(short_directory: Path) -> Iterator[Callable[[int], DrillGround]]:
    """A file system of so many MiB, in memory."""
    mounted: list[Path] = []

    def mount(size_mib: int) -> DrillGround:
        place = short_directory / f"disk{size_mib}"
        place.mkdir(mode=0o755)
        options = f"size={size_mib}m,mode=0755"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=False)
        if done.returncode:
            pytest.skip("a tmpfs cannot be mounted here (root only)")
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


def test_a_disk_that_fills_up_stops_the_drill(
    archived: Archived, small_disk: Callable[[int], DrillGround]
) -> None:
    ground = small_disk(200)
    drill = start(ground, archived)
    wait_for(lambda: any(ground.directory.glob("pitr-drill-*/data")))
    free = shutil.disk_usage(ground.directory).free
    with (ground.directory / "others").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - (30 << 20))
    out, _ = drill.communicate(timeout=60)
    found = json.loads(out)["drill"]
    assert (drill.returncode, found["outcome"]) == (3, "not_run"), out
    assert "not enough room" in found["reason"]
    assert [path.name for path in ground.areas()] == ["others"]


def test_a_place_with_a_long_name(archived: Archived, ground: DrillGround) -> None:
    """The socket's path would not fit into sun_path."""
    place = ground.directory / ("long" * 25)
    place.mkdir()
    checked = DrillGround(place).drill(archived.archive, archived.backup)
    assert checked.status == 0, checked.out
    assert list(place.iterdir()) == [] and list(Path("/tmp").glob("pitr-drill-*")) == []
    place.rmdir()


def test_a_socket_directory_that_is_there_already(
    account: Account, ground: DrillGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made by somebody to be in the way: it is not used, and not removed."""
    place = ground.directory / ("long" * 25)
    place.mkdir()
    taken = Path("/tmp/pitr-drill-taken")
    taken.mkdir()
    try:
        names = iter(["taken", "free"])
        monkeypatch.setattr(area_room.tempfile, "mkdtemp", partial(_make, names))
        with scratch_area(place, account) as area:
            assert area.sockets == Path("/tmp/pitr-drill-free") and area.sockets.is_dir()
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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what is a stranger's")
def test_what_a_stranger_made_is_not_touched(account: Account, ground: DrillGround) -> None:
    stranger = ground.directory / "pitr-drill-stranger"
    stranger.mkdir()
    os.chown(stranger, 12345, 12345)
    link = ground.directory / "pitr-drill-link"
    link.symlink_to("/etc")
    assert sweep(ground.directory, account) == []
    assert stranger.is_dir() and link.is_symlink()
    link.unlink()
    stranger.rmdir()
