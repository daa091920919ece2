"""What drills are made of: histories with a tablespace and two timelines, and the drill as typed.

One history a major version, made by a real server when the first test asks, kept for the session.
Every transaction adds ten rows to `t` and ten to `elsewhere`, which lies in a tablespace: the rows
that are there tell which transactions are.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from tests.fix_check import Archived, Checked, pitr_check
from tests.fix_layouts import promoted
from tests.fix_place import new_place

PITR_CHECK = Path(sys.executable).parent / "pitr-check"


@dataclass(kw_only=True)
class Past:
    """A backup, six commits on timeline 1, a fork after the third, two commits on timeline 2."""

    installation: Installation
    home: Path
    xids: list[int] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    lsns: list[str] = field(default_factory=list)  # right after each commit

    @property
    def archive(self) -> Path:
        return self.home / "archive"

    @property
    def plain(self) -> Path:
        return self.home / "plain"

    @property
    def spaces(self) -> Path:
        """The tablespace of the plain backup."""
        return self.home / "spaces"

    @property
    def tar(self) -> Path:
        return self.home / "tar"


def probe_rows(commits: int) -> str:
    """A probe that holds when so many transactions are there."""
    query = "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM elsewhere)"
    return f"{query}={10 * commits}|{10 * commits}"


@pytest.fixture(scope="session")
def pasts(
    account: Account, installations: dict[int, Installation]
) -> Iterator[Callable[[int], Past]]:
    told: dict[int, Past] = {}

    def past_of(major: int) -> Past:
        if major not in told:
            home = new_place("pd-")
            account.own(home)
            told[major] = Past(installation=installations[major], home=home)
            _live(told[major], account)
        return told[major]

    yield past_of
    for past in told.values():
        shutil.rmtree(past.home, ignore_errors=True)


def _live(past: Past, account: Account) -> None:
    archive = account.make_directory(past.archive)
    settings: dict[str, str | int | bool] = {
        "fsync": False, "archive_mode": "on", "archive_command": f"cp %p {archive}/%f",
        "track_commit_timestamp": True, "timezone": "UTC", "autovacuum": False,
    }  # fmt: skip
    primary = Cluster(past.installation, past.home / "c", account)
    primary.initdb(segment_mib=1)
    primary.configure(**settings)
    with primary.running():
        space = account.make_directory(past.home / "space")
        primary.sql(f"CREATE TABLESPACE space LOCATION '{space}'")  # type: ignore[arg-type]
        primary.sql("CREATE TABLE t (n int, filler text)")
        primary.sql("CREATE INDEX ON t (n)")
        primary.sql("CREATE TABLE elsewhere (n int) TABLESPACE space")
        primary.base_backup(past.plain, f"--tablespace-mapping={space}={past.spaces}")
        primary.base_backup(past.tar, "-Ft")
        for number in range(6):
            _commit(primary, past)
            if number == 2:
                primary.sql("SELECT pg_create_restore_point('fork')")
            primary.sql("SELECT pg_switch_wal()")
        primary.stop()
    _fork(past, account, settings)


def _fork(past: Past, account: Account, settings: dict[str, str | int | bool]) -> None:
    fork = Cluster(past.installation, past.home / "f", account)
    fork.restore_from(
        past.plain, **settings, restore_command=f"cp {past.archive}/%f %p",
        recovery_target_name="fork", recovery_target_action="promote",
    )  # fmt: skip
    spaces = past.home / "forks_spaces"
    shutil.copytree(past.spaces, spaces)
    for path in (spaces, *spaces.rglob("*")):
        account.own(path)
    (link,) = (fork.data / "pg_tblspc").iterdir()
    link.unlink()
    link.symlink_to(spaces)
    with promoted(fork):
        for _ in range(2):
            _commit(fork, past)
            fork.sql("SELECT pg_switch_wal()")
        fork.stop()


def _commit(cluster: Cluster, past: Past) -> None:
    with cluster.connect() as connection:
        with connection.transaction():
            connection.execute("INSERT INTO t SELECT generate_series(1, 10), repeat('x', 500)")
            connection.execute("INSERT INTO elsewhere SELECT generate_series(1, 10)")
        row = connection.execute(
            "SELECT xid::text::bigint, timestamp::text, pg_current_wal_insert_lsn()::text"
            " FROM pg_last_committed_xact()"
        ).fetchone()
    assert row is not None
    xid, time, lsn = row
    past.xids.append(xid)
    past.times.append(time)
    past.lsns.append(lsn)


def inspections_by(installation: Installation) -> dict[str, str]:
    """What a sound cluster gives. Debian's servers have amcheck, the embedded ones do not."""
    complete = (
        installation.has("../share/extension/amcheck.control")
        or Path(f"/usr/share/postgresql/{installation.major}/extension/amcheck.control").exists()
    )
    amcheck = "passed" if complete else "not_done"
    return {"amcheck": amcheck, "dump": "passed", "checksums": "passed"}


# -- the drill as typed ----------------------------------------------------------------------------


@dataclass(frozen=True)
class DrillGround:
    """A directory for scratch areas, and the drill over any backup and archive."""

    directory: Path

    def drill(
        self, archive: Path, backup: Path, *options: object, prefix: tuple[str, ...] = ()
    ) -> Checked:
        return pitr_check(*self.command(archive, backup, *options), prefix=prefix)

    def command(self, archive: Path, backup: Path, *options: object) -> tuple[object, ...]:
        return (
            "--archive", archive, "--backup", backup, "--format", "json",
            "--workers", 1, "--drill", "--drill-directory", self.directory, *options,
        )  # fmt: skip

    def areas(self) -> list[Path]:
        return sorted(self.directory.iterdir())

    def processes(self) -> list[psutil.Process]:
        """Whoever works below the directory: servers, and what they started."""
        return [process for process in psutil.process_iter() if self._works_here(process)]

    def titles(self) -> Iterator[str]:
        """What each of them says that it does."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                yield " ".join(process.cmdline())

    def _works_here(self, process: psutil.Process) -> bool:
        try:
            return Path(process.cwd()).is_relative_to(self.directory)
        except (psutil.Error, OSError):
            return False


def drill_of(checked: Checked) -> dict[str, Any]:
    """The drill of a document."""
    drill: dict[str, Any] = checked.json["drill"]
    assert drill is not None
    return drill


def results_of(drill: dict[str, Any]) -> dict[str, str]:
    """Of its inspections, by name."""
    return {each["name"]: each["result"] for each in drill["inspections"]}


def start(ground: DrillGround, archived: Archived, *options: object) -> subprocess.Popen[str]:
    """A drill that is on its way."""
    command = ground.command(archived.archive, archived.backup, *options)
    return subprocess.Popen(
        [str(PITR_CHECK), *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def ground(short_directory: Path) -> Iterator[DrillGround]:
    """At the end nothing may be left of the drills."""
    ground = DrillGround(short_directory / "ground")
    ground.directory.mkdir(mode=0o755)
    yield ground
    assert ground.areas() == [] and ground.processes() == []
