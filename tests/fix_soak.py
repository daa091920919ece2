"""A primary, a server restored from it, and the agent over both: what the soak breaks and mends.

The agent has no right that root has over files of others, so that a mode keeps it out; its clock is
one that a test sets; the archive lies on a file system that is small enough to be filled.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from agent.lab.metrics_page import MetricsPage
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from tests.fix_agent import WatchedAgent
from tests.fix_check import WITHOUT_ROOTS_EYES
from tests.fix_postgres import NewCluster
from tests.fix_tools import faketime, need
from tests.waiting import wait_until

PATIENCE_SECONDS: Final = 240
# What a real fault may raise while it lasts; anything else that is critical is a false verdict.
STANDING: Final = frozenset({"archiving_off", "recovery_target_left"})  # of a restored server
NO_ARCHIVE: Final = frozenset({"archiver_failing"})
FULL: Final = NO_ARCHIVE | {"wal_damaged"}  # what cp leaves behind when there is no room
# Seven ask each server; the primary's archive, segments, backups, windows and log are read besides.
_COLLECTORS: Final = 2 * 9 + 5
_SEGMENTS_MAX: Final = 40
_Says = Callable[[MetricsPage], Any]


# libfaketime makes clock_nanosleep() to a monotonic instant fail, which is Python's time.sleep().
_AWAKE: Final = """
import faulthandler, runpy, select, signal, sys, time
faulthandler.register(signal.SIGUSR1, all_threads=True)
time.sleep = lambda seconds: select.select([], [], [], max(0, seconds))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Clock:
    """The agent's wall clock, which a test sets (libfaketime, of the Debian package of the name).

    Monotonic time and the times of files stay what they are.
    """

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self.seconds = 0
        self.set(0)

    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(faketime()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, seconds: int) -> None:
        """So far from the true time it is from now on."""
        self.seconds = seconds
        self._file.write_text(f"{seconds:+d}")


class Soak:
    """What happens, and the waits that hold every page on the way to what it may say."""

    def __init__(self, primary: Cluster, restored: Cluster, directory: Path) -> None:
        self.primary, self.restored = primary, restored
        self.store = primary.home / "store"
        self.archive = self.store / "archive"
        self.told = directory / "told"
        self.clock = Clock(directory)
        gid = str(primary.account.gid)
        group = ("setpriv", "--regid", gid, "--clear-groups") if primary.account.drop else ()
        self.agent = WatchedAgent(
            directory,
            prefix=(*group, *WITHOUT_ROOTS_EYES, sys.executable, "-c", _AWAKE),
            environment=self.clock.environment(),
        )
        self._backups = 1
        self._recoveries = 0  # that the log told since the agent came

    def config(self) -> dict[str, Any]:
        sources = {
            "dsn": self.primary.dsn,
            "archives": [{"url": str(self.archive)}],
            "backups": {"url": str(self.primary.home / "backups")},
            "log": str(self.primary.log),
        }
        objectives = {"rpo": "1h"}
        return {
            "clusters": [
                {"name": "primary", "objectives": objectives, **sources},
                {"name": "restored", "objectives": objectives, "dsn": self.restored.dsn},
            ],
            "defaults": {"poll": "1s", "scan": "3s", "timeout": "30s"},
            "alerts": {
                "hold": "1s",
                "notify": [{"command": ["/bin/sh", "-c", f"(cat; echo) >> {self.told}"]}],
            },
            "ledger": str(self.agent.config.with_name("ledger.sqlite")),
        }  # fmt: skip

    # -- waits -----------------------------------------------------------------------------------

    def wait(self, what: _Says, allowed: frozenset[str] = frozenset()) -> MetricsPage:
        """Wait for it; a page on the way that says something else critical is a false verdict."""

        def seen(page: MetricsPage) -> bool:
            assert page.findings("critical") <= allowed, page.findings("critical")
            return bool(what(page))

        return self.agent.wait_for(seen, seconds=PATIENCE_SECONDS)

    def wait_well(self, allowed: frozenset[str] = frozenset()) -> None:
        """All sources of both are read again, nothing is found, and no event was lost."""
        now = time.time() + self.clock.seconds

        def well(page: MetricsPage) -> bool:
            judged = list(page.select("pitr_verdict_timestamp_seconds"))
            recoveries = page.total("pitr_recovery_events_total", event="redo_started") or 0
            assert recoveries <= self._recoveries, "an event was counted twice"
            return (
                len(judged) == 2
                and all(now < sample.value < now + 1800 for sample in judged)
                and page.total("pitr_collector_success") == _COLLECTORS
                and page.total("pitr_up") == 2
                and recoveries == self._recoveries
                and page.findings("critical", "warning", "unknown") <= STANDING
            )

        self.wait(well, allowed)

    def wait_told(self, alert: str, status: str, times: int) -> None:
        """At least so often; a crash may duplicate a notification but never lose one."""
        said = f'"status": "{status}", "labels": {{"alertname": "{alert}"'
        wait_until(
            lambda: self.told.is_file() and self.told.read_text().count(said) >= times,
            f"{alert} {status} is told {times} times",
        )

    def count_told(self, alert: str, status: str) -> int:
        said = f'"status": "{status}", "labels": {{"alertname": "{alert}"'
        return self.told.read_text().count(said) if self.told.is_file() else 0

    def archive_failed(self, page: MetricsPage) -> bool:
        return page.total("pitr_collector_success", cluster="primary", collector="archive") == 0

    # -- what happens ----------------------------------------------------------------------------

    def write(self) -> None:
        self.primary.sql("INSERT INTO t VALUES (1)")
        self.primary.sql("SELECT pg_switch_wal()")
        if len(list(self.archive.glob("*"))) > _SEGMENTS_MAX:
            self.wait_well(NO_ARCHIVE)
            self.take_another_backup()

    def kill_the_agent(self) -> None:
        assert self.agent.pid is not None
        os.kill(self.agent.pid, signal.SIGKILL)
        self.agent.stop()
        self.agent.start(self.config())
        self._recoveries = 0

    def restart_the_server(self) -> None:
        self.primary.stop("immediate")
        self.wait(lambda page: page.total("pitr_up", cluster="primary") == 0)
        self.primary.start()
        self._recoveries += 1

    def take_the_archive_away(self) -> None:
        away = self.store / "away"
        self.archive.rename(away)
        self.wait(self.archive_failed, NO_ARCHIVE)
        away.rename(self.archive)

    def put_a_file_in_its_place(self) -> None:
        away = self.store / "away"
        self.archive.rename(away)
        self.archive.write_text("not a directory")
        self.wait(self.archive_failed, NO_ARCHIVE)
        self.archive.unlink()
        away.rename(self.archive)

    def make_the_archive_unreadable(self) -> None:
        mode = self.archive.stat().st_mode & 0o777
        self.archive.chmod(0)
        self.wait(
            lambda page: (
                self.archive_failed(page)
                and page.total("pitr_check_known", cluster="primary", id="wal_gap") == 0
            ),
            NO_ARCHIVE,
        )
        assert "Permission denied" in self.agent.log.read_text()
        self.archive.chmod(mode)

    def fill_the_archive(self) -> None:
        """No room is left; the agent is killed in between, and both ends of it are told."""
        fired, over = (self.count_told("PitrArchiverFailing", s) for s in ("firing", "resolved"))
        filler = self.store / "filler"
        volume = os.statvfs(self.store)
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, volume.f_bavail * volume.f_frsize)
        self.write()
        self.wait(lambda page: "archiver_failing" in page.findings(), FULL)
        self.wait_told("PitrArchiverFailing", "firing", fired + 1)
        self.kill_the_agent()
        filler.unlink()
        self.write()
        self.wait(lambda page: "archiver_failing" not in page.findings(), FULL)
        self.wait_told("PitrArchiverFailing", "resolved", over + 1)

    def truncate_the_log(self) -> None:
        os.truncate(self.primary.log, 0)
        self.write()

    def rotate_the_log(self) -> None:
        self.primary.log.rename(self.primary.log.with_suffix(".1"))
        self.primary.log.touch()
        self.primary.account.own(self.primary.log)

    def set_the_clock_forth(self) -> None:
        self._set_the_clock(+3600)

    def set_the_clock_back(self) -> None:
        self._set_the_clock(-3600)

    def take_another_backup(self) -> None:
        """And retire the one before it, with the WAL that only that one needs."""
        backups = self.primary.home / "backups"
        (old,) = backups.iterdir()
        new = backups / f"b{self._backups}"
        self._backups += 1
        self.primary.base_backup(new)
        self.wait(lambda page: page.total("pitr_backups", state="restorable") == 2, NO_ARCHIVE)
        gone = old.rename(self.primary.home / old.name)  # whole until it is out of sight
        shutil.rmtree(gone)
        self.wait(lambda page: page.total("pitr_backups", state="restorable") == 1, NO_ARCHIVE)
        label = (new / "backup_label").read_text()
        oldest = label.partition("(file ")[2][:24]
        for path in self.archive.iterdir():
            if path.name[:24] < oldest:
                path.unlink()

    def _set_the_clock(self, by: int) -> None:
        self.clock.set(self.clock.seconds + by)
        self.wait(lambda page: page.total("pitr_up") == 2)


def _make_primary(pg: Installation, new_cluster: NewCluster) -> Cluster:
    """With files that its group may read, as `initdb -g` makes them."""
    primary = new_cluster(
        pg, archive=False, start=False, autovacuum=False, archive_timeout=5, archive_mode="on"
    )
    for path in (primary.data, *primary.data.rglob("*")):
        path.chmod(0o750 if path.is_dir() else 0o640)
    primary.home.chmod(0o755)
    primary.sockets.chmod(0o755)
    store = primary.account.make_directory(primary.home / "store")
    store.chmod(0o755)
    options = "size=128m,mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(store)], check=True)
    primary.account.own(store)
    primary.account.make_directory(store / "archive").chmod(0o750)
    primary.configure(archive_command=f"umask 027; cp %p {store}/archive/%f")
    primary.log.touch(mode=0o644)
    primary.account.own(primary.log)
    return primary


@pytest.fixture
def soak(pg: Installation, new_cluster: NewCluster, tmp_path: Path) -> Iterator[Soak]:
    need("libfaketime")
    need("mount")
    primary = _make_primary(pg, new_cluster)
    with contextlib.ExitStack() as stack:
        stack.callback(subprocess.run, ["umount", "-l", str(primary.home / "store")])
        stack.callback(primary.stop, "immediate")
        primary.start()
        backups = primary.account.make_directory(primary.home / "backups")
        backups.chmod(0o750)
        primary.base_backup(backups / "b0")
        primary.sql("CREATE TABLE t (n int)")
        primary.sql("SELECT pg_switch_wal()")
        restored = new_cluster(pg, initdb=False)
        restored.restore_from(
            backups / "b0",
            restore_command=f"cp {primary.home}/store/archive/%f %p",
            recovery_target_action="pause",
            recovery_target="immediate",
        )
        restored.home.chmod(0o755)
        restored.sockets.chmod(0o755)
        restored.start()
        soak = Soak(primary, restored, tmp_path)
        stack.callback(soak.agent.stop)
        soak.agent.start(soak.config())
        yield soak
