"""However a drill ends, nothing of it is left: SIGKILL at any moment, SIGTERM, two at once.

DRILL_KILLS=N adds N kills at random moments to those that are always tried.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from agent.drill import area as area_room
from agent.drill.area import PREFIX, scratch_area, sweep
from agent.postgres.account import Account
from tests.fix_check import Archived, pitr_check
from tests.fix_drill import DrillGround, start
from tests.fix_tools import PATIENCE_SECONDS
from tests.waiting import wait_until

GUARDIAN = "pitr-drill-guardian"
# In the order of a drill's life. Of one that is over before it is looked at the last ones hold too.
MOMENTS = {
    "the area is born": f"{PREFIX}*",
    "the backup is copied": f"{PREFIX}*/data/base/1/*",
    "the WAL service is there": f"{PREFIX}*/wal/ask.sh",
    "the server has begun": f"{PREFIX}*/data/postmaster.pid",
    "the server replays": f"{PREFIX}*/data/pg_wal/RECOVERYXLOG",
    "the server is open": f"{PREFIX}*/data/pg_wal/0*2.history",
}


def descendants(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that run; one that nobody has buried yet does not."""
    running = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                running.append(process)
    return running


def kill_when(
    moment: Callable[[], object], archived: Archived, ground: DrillGround
) -> list[psutil.Process]:
    """Kill a drill, and give what it had started."""
    drill = start(ground, archived)
    wait_until(lambda: moment() or drill.poll() is not None)
    started = descendants(drill.pid)
    drill.kill()
    drill.communicate()
    return started


def assert_nothing_left(ground: DrillGround, started: list[psutil.Process]) -> None:
    wait_until(
        lambda: not (ground.areas() or links_to(ground) or ground.processes() or alive(started))
    )
    assert shared_memory_of(started) == []


def shared_memory_of(processes: list[psutil.Process]) -> list[str]:
    """What they made of System V's, which nobody takes away by himself (proc(5))."""
    pids = {str(process.pid) for process in processes}
    _, *segments = Path("/proc/sysvipc/shm").read_text().splitlines()
    return [segment for segment in segments if segment.split()[4] in pids]


def links_to(ground: DrillGround) -> list[Path]:
    """What /var/tmp still says of the ground."""
    links = [path for path in Path("/var/tmp").glob(f"{PREFIX}*") if path.is_symlink()]
    return [link for link in links if link.readlink().parent == ground.directory]


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_sigkill_leaves_nothing(moment: str, pristine: Archived, ground: DrillGround) -> None:
    """Neither a process nor a file: the guardian sees to it."""
    started = kill_when(lambda: any(ground.directory.glob(moment)), pristine, ground)
    assert_nothing_left(ground, started)


def test_sigkill_while_a_tool_looks_leaves_nothing(pristine: Archived, ground: DrillGround) -> None:
    """A tool has no server that would take it along when that ends."""
    drill = start(ground, pristine)
    wait_until(lambda: [p for p in descendants(drill.pid) if name_of(p).startswith("pg_")])
    started = descendants(drill.pid)
    drill.kill()
    drill.communicate()
    assert_nothing_left(ground, started)


def words_of(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def name_of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return process.name()
    return ""


@pytest.mark.needs("DRILL_KILLS")
@pytest.mark.parametrize("number", range(int(os.environ.get("DRILL_KILLS", "1"))))
def test_sigkill_at_random_leaves_nothing(
    number: int, pristine: Archived, ground: DrillGround
) -> None:
    rng = random.Random(number)
    begun: list[float] = []

    def moment() -> bool:
        if not begun and any(ground.directory.glob(f"{PREFIX}*")):
            begun.append(time.monotonic() + rng.uniform(0, 2))
        return bool(begun) and time.monotonic() >= begun[0]

    assert_nothing_left(ground, kill_when(moment, pristine, ground))


def test_what_a_control_group_killed_is_found_from_anywhere(
    pristine: Archived, ground: DrillGround
) -> None:
    """The guardian dies first, then the drill: server and area stay behind."""
    drill = start(ground, pristine)
    wait_until(lambda: any(ground.directory.glob(MOMENTS["the server has begun"])))
    (guardian,) = [p for p in descendants(drill.pid) if GUARDIAN in words_of(p)]
    guardian.kill()
    started = descendants(drill.pid)
    drill.kill()
    drill.communicate()
    cleaned = pitr_check("clean-drills")  # or another test's drill, that looks for remains too
    assert cleaned.status == 0, cleaned.out + cleaned.err
    assert_nothing_left(ground, started)
    assert pitr_check("clean-drills", "/nowhere").status == 64


@pytest.fixture
def own_links(short_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of /var/tmp, where other drills may run."""
    links = short_directory / "links"
    links.mkdir()
    monkeypatch.setattr(area_room, "_LINKS", links)
    monkeypatch.setenv("TMPDIR", str(links))
    return links


def test_remains_are_found_by_their_link(
    account: Account, ground: DrillGround, own_links: Path, tmp_path: Path
) -> None:
    with scratch_area(ground.directory, account) as area:
        (link,) = own_links.iterdir()
        assert link.readlink() == area.path
        assert sweep(tmp_path, account) == [], "it lives"
        lock = os.open(area.path / "lock", os.O_RDWR)
        area.guardian.dismiss()
        release_the_lock_of(area.path)
        assert sweep(tmp_path, account) == [area.path]
        os.close(lock)
    assert list(own_links.iterdir()) == []


def release_the_lock_of(area: Path) -> None:
    """As the kernel does at the end of a process: of all descriptors of the file."""
    for descriptor in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(OSError):
            if descriptor.readlink() == area / "lock":
                fcntl.flock(int(descriptor.name), fcntl.LOCK_UN)


@pytest.mark.needs("root")  # it makes what is a stranger's
def test_what_a_stranger_made_is_not_touched(
    account: Account, ground: DrillGround, own_links: Path
) -> None:
    """Directories, links, and links to directories of ours that are no areas."""
    stranger = ground.directory / "pitr-drill-stranger"
    stranger.mkdir()
    os.chown(stranger, 12345, 12345)
    link = ground.directory / "pitr-drill-link"
    link.symlink_to("/etc")
    mine = ground.directory / "mine"
    mine.mkdir()
    for name, target, owner in (
        ("pitr-drill-etc", Path("/etc"), 0),
        ("pitr-drill-mine", mine, 0),
        ("pitr-drill-stranger", stranger, 12345),
    ):
        (own_links / name).symlink_to(target)
        os.lchown(own_links / name, owner, owner)
    assert sweep(ground.directory, account) == []
    assert stranger.is_dir() and link.is_symlink() and mine.is_dir()
    link.unlink()
    stranger.rmdir()
    mine.rmdir()


@pytest.mark.parametrize("held", ["another's report", ".pitr-drill-new-x7"])
def test_what_is_only_called_like_an_area_is_not_touched(
    held: str, account: Account, ground: DrillGround, own_links: Path
) -> None:
    """A person's directory, or one that drills were told to work in."""
    kept = ground.directory / f"{PREFIX}kept1234"
    kept.mkdir(mode=0o700)
    (kept / "data").mkdir()
    (kept / held).mkdir()
    try:
        assert sweep(ground.directory, account) == []
        assert (kept / held).is_dir()
        (kept / held).rmdir()
        assert sweep(ground.directory, account) == [kept]
    finally:
        shutil.rmtree(kept, ignore_errors=True)


WORK_THERE = 'cd "$1" && echo here && exec sleep 600'
LOOK_THERE = 'exec <"$2"; ' + WORK_THERE  # who leads a session gets the terminal that it opens


def test_the_guardian_knows_whom_to_end(
    account: Account, ground: DrillGround, own_links: Path
) -> None:
    """By a path that says something else to shells and patterns, and leads over a link."""
    base = ground.directory / "it's [a] \\ *path\nwith ends"
    base.mkdir()
    link = own_links / "by link"
    link.symlink_to(base)
    _, terminal = pty.openpty()
    os.fchown(terminal, account.uid, -1)
    options = {**account.popen_options(), "stdout": subprocess.PIPE}
    with contextlib.ExitStack() as stack:
        with scratch_area(link, account) as area:
            assert area.path.parent == base.resolve()
            data = str(account.make_directory(area.data))
            work = ["/bin/sh", "-c", WORK_THERE, "sh", data]
            look = ["/bin/sh", "-c", LOOK_THERE, "sh", data, os.ttyname(terminal)]
            server = area.guardian.start("server", work, options=options)
            backend, person = (subprocess.Popen(each, **options) for each in (work, look))
            for process in (server, backend, person):
                stack.callback(process.communicate)
                stack.callback(process.kill)
                assert process.stdout is not None and process.stdout.readline() == b"here\n"
            area.guardian._pipe.close()  # as the drill's end does
            assert server.wait(PATIENCE_SECONDS) == -signal.SIGQUIT
            assert backend.wait(PATIENCE_SECONDS) == -signal.SIGKILL, "after a hundred looks at it"
            wait_until(lambda: not area.path.exists())
        assert person.poll() is None
    shutil.rmtree(base)


def test_a_drill_that_is_told_to_stop_leaves_nothing(
    archived: Archived, ground: DrillGround
) -> None:
    drill = start(ground, archived)
    wait_until(lambda: any(ground.directory.glob("pitr-drill-*/data/postmaster.pid")))
    drill.send_signal(signal.SIGTERM)
    out, said = drill.communicate(timeout=PATIENCE_SECONDS)
    assert drill.returncode == 3 and "interrupted" in said
    assert json.loads(out)["verdict"] == "unknown", "a program gets its document all the same"
    assert ground.areas() == []


def hurry(drill: subprocess.Popen[str]) -> None:
    """Let it give way no more, as root may: on a busy machine its turn would come too seldom."""
    with contextlib.suppress(psutil.Error):
        for process in (psutil.Process(drill.pid), *descendants(drill.pid)):
            process.nice(0)
            process.ionice(psutil.IOPRIO_CLASS_NONE)


def test_two_drills_at_once(archived: Archived, ground: DrillGround) -> None:
    """One of them gives way to everybody, of CPU and disk."""
    both = [start(ground, archived, "--nice"), start(ground, archived)]
    ours = psutil.Process()  # the tests themselves may have been started by nice
    wanted = {(19, psutil.IOPRIO_CLASS_IDLE), (ours.nice(), ours.ionice().ioclass)}
    ways: set[tuple[int, int]] = set()
    while any(drill.poll() is None for drill in both):
        for each in ground.processes():
            with contextlib.suppress(psutil.Error):
                ways.add((each.nice(), each.ionice().ioclass))
        time.sleep(0.02)  # a look without a pause would take what is left to the one that gives way
        if ways >= wanted:
            for drill in both:
                hurry(drill)
            time.sleep(0.5)
    assert ways >= wanted
    for drill in both:
        out, _ = drill.communicate(timeout=PATIENCE_SECONDS)
        assert json.loads(out)["drill"]["agrees"] is True
