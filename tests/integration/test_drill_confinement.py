"""Whom the scratch server runs as, what it is kept in, and which libraries it loads."""

from __future__ import annotations

import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.drill.account import DYNAMIC
from tests.fix_check import Archived
from tests.fix_drill import DrillGround, drill_of, start
from tests.fix_place import new_place
from tests.fix_tools import PATIENCE_SECONDS, need_program
from tests.waiting import wait_until


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """Where bubblewrap shows nothing else."""
    path = new_place(under=Path("/tmp"))
    yield path
    shutil.rmtree(path)


def asleep(ground: DrillGround, archived: Archived, *options: object) -> subprocess.Popen[str]:
    """A drill that stays at its probe."""
    probe = "EXPLAIN ANALYZE SELECT pg_sleep(300)="  # nothing else that a drill asks is called so
    drill = start(ground, archived, "--probe", probe, *options)
    wait_until(
        lambda: drill.poll() is not None or any("EXPLAIN" in title for title in ground.titles())
    )
    assert drill.poll() is None, drill.communicate()
    return drill


@pytest.mark.needs("root")
def test_the_server_of_root_owns_nothing_else(archived: Archived, ground: DrillGround) -> None:
    drill = asleep(ground, archived, "--confine", "never")
    try:
        uids = {process.uids().real for process in ground.processes()}
        (uid,) = uids
        assert uid in DYNAMIC or pwd.getpwuid(uid).pw_name == "pitr-drill"
        assert all(area.stat().st_uid == uid for area in ground.areas())
    finally:
        drill.send_signal(signal.SIGKILL)
        drill.communicate()
    wait_until(lambda: not ground.areas() and not ground.processes())


@pytest.mark.needs("root")
def test_an_account_can_be_named(archived: Archived, ground: DrillGround) -> None:
    asked = "SELECT count(*) FROM t=6000"
    checked = ground.drill(
        archived.archive, archived.backup, "--drill-user", "nobody", "--probe", asked
    )
    assert drill_of(checked)["probes"][0]["holds"], checked.out
    for name, said in (("root", "does not run as root"), ("no_such", "useradd --system no_such")):
        checked = ground.drill(archived.archive, archived.backup, "--drill-user", name)
        assert (checked.status, drill_of(checked)["outcome"]) == (3, "not_run")
        assert said in drill_of(checked)["reason"]


def test_bubblewrap_keeps_the_server_in(archived: Archived, ground: DrillGround) -> None:
    need_program("bwrap")
    drill = asleep(ground, archived, "--confine", "always")
    try:
        (area,) = ground.areas()
        for process in ground.processes():
            for kind in ("net", "mnt", "ipc"):
                ours, its = (
                    Path(f"/proc/{pid}/ns/{kind}").readlink() for pid in ("self", process.pid)
                )
                assert ours != its, kind
            inside = Path(f"/proc/{process.pid}/root")
            assert list((inside / "run").iterdir()) == []
            shown = {path.name for path in (inside / "tmp").iterdir()}
            assert area.relative_to("/tmp").parts[0] in shown
            assert shown < {path.name for path in Path("/tmp").iterdir()}
            assert not (inside / archived.archive.relative_to("/")).exists()
    finally:
        drill.send_signal(signal.SIGTERM)
        drill.communicate(timeout=PATIENCE_SECONDS)
    assert not ground.processes()


def test_what_the_server_is_kept_in_is_said(
    archived: Archived, ground: DrillGround, short_directory: Path
) -> None:
    """On a machine without bubblewrap."""
    programs = short_directory / "programs"
    programs.mkdir()
    for open_to_the_server in (short_directory, programs):
        open_to_the_server.chmod(0o755)
    for name in ("find", "sleep", "rm", "mv", "cp"):
        (programs / name).symlink_to(shutil.which(name) or name)
    alone = ("env", f"PATH={programs}")
    for wanted, outcome in (("auto", "promoted"), ("always", "not_run")):
        options = ("--confine", wanted)
        found = drill_of(ground.drill(archived.archive, archived.backup, *options, prefix=alone))
        assert found["outcome"] == outcome, found["reason"]
        said = found["confinement"] if wanted == "auto" else found["reason"]
        assert "bubblewrap is not installed (apt-get install bubblewrap)" in said


def test_a_library_is_loaded_that_a_person_names(archived: Archived, ground: DrillGround) -> None:
    for name, said in (("./evil", "without a path"), ("absent", "no such library")):
        refused = drill_of(ground.drill(archived.archive, archived.backup, "--preload", name))
        assert refused["outcome"] == "not_run" and said in refused["reason"]
    drill = asleep(ground, archived, "--confine", "never", "--preload", "dict_snowball")
    try:
        maps = [Path(f"/proc/{each.pid}/maps").read_text() for each in ground.processes()]
        assert maps and all("dict_snowball" in each for each in maps)
    finally:
        drill.send_signal(signal.SIGTERM)
        drill.communicate(timeout=PATIENCE_SECONDS)
