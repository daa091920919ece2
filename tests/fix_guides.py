"""The server that the guides speak of, and a reader who types what they say.

One primary a guide: WAL archiving by `cp`, one base backup, a few transactions after it, a restore
point, and a table that somebody dropped. The reader is the server's own account. The server is
one of ours, all of it in its data directory, or a cluster that Debian's pg_createcluster made.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.postgres.account import Account
from agent.postgres.cluster import SUPERUSER, Cluster
from tests.fix_check import EXEMPLARY
from tests.fix_debian import DebianCluster, NewDebianCluster
from tests.fix_postgres import NewCluster
from tests.guides import Step, run_steps
from tests.ports import free_port
from tests.unpack import unpack_tar
from tests.waiting import wait_archived

_MAJOR = 16
# Guide -> the variable that it exports, and which of the samples that is. The folder of one holds
# the repository itself.
_REPOSITORIES = {
    "pgbackrest": ("PGBACKREST", "br_timelines_16/repo1"),
    "barman": ("BARMAN", "bm_incr_18/barman"),
    "walg": ("WALG", "wg_zstd_sodium_gap_18/storage"),
    "cloudnativepg": ("BUCKET", "bc_gzip_16/bucket/prod"),
}
_CHECKOUT = Path(__file__).parent.parent
_SAMPLES = Path(__file__).parent / "data" / "repositories"


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Who follows a guide: an account with a home, a server, its archive and its backups."""

    primary: Cluster
    home: Path

    @property
    def on_debian(self) -> bool:
        return isinstance(self.primary, DebianCluster)

    @property
    def places(self) -> dict[str, str]:
        """What the guides' variables are here."""
        debians = {}
        if isinstance(self.primary, DebianCluster):
            debians["CONFIG"] = str(self.primary.configuration)
            debians["BINDIR"] = str(self.primary.installation.bindir)
        tools = {name: str(self.home / sample) for name, sample in _REPOSITORIES.values()}
        return (
            debians
            | tools
            | {
                "PGDATA": str(self.primary.data),
                "ARCHIVE": str(self.primary.home / "archive"),
                "BACKUPS": str(self.primary.home / "backups"),
                "RESTORED": str(self.home / "restored"),
                "AGENT": f"127.0.0.1:{free_port()}",
            }
        )

    def follow(self, steps: list[Step], language: str = "") -> list[list[str]]:
        """Type the steps, and give what each printed; `language` as LANGUAGE has it."""
        ours, servers = Path(sys.executable).parent, f"{self.primary.installation.bindir}:"
        environment = {
            "HOME": str(self.home),
            # Debian's has the clients alone, by way of pg_wrapper.
            "PATH": f"{ours}:{'' if self.on_debian else servers}{os.environ['PATH']}",
            "PGHOST": str(self.primary.sockets),
            **({} if self.on_debian else {"PGUSER": SUPERUSER}),
            "LC_ALL": "C.UTF-8",
            "LANGUAGE": language,
            "TZ": "UTC",
        }
        options = {**self.primary.account.popen_options(), "cwd": self.home}
        way_in = _enters_our_environment(self.primary.account, options)
        printed = run_steps(steps, self.places, environment, **way_in)
        if "prefix" not in way_in:
            return printed
        # access(2) knows nothing of capabilities: to it no program of ours is on the PATH.
        return [[line.replace(f"{ours}/pitr-", "pitr-") for line in lines] for lines in printed]


def _enters_our_environment(account: Account, options: dict[str, Any]) -> dict[str, Any]:
    """Root's environment may lie in a 0700 directory: then the reader may pass through those."""
    if account.can_run(Path(sys.executable).with_name("pitr-check")):
        return options
    prefix = (
        "setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups",
        "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
    )  # fmt: skip
    as_root = {name: options[name] for name in options if name not in _WHO}
    return {**as_root, "prefix": prefix}


_WHO = ("user", "group", "extra_groups")


@pytest.fixture
def reader(
    request: pytest.FixtureRequest,
    account: Account,
    new_cluster: NewCluster,
    new_debian_cluster: NewDebianCluster,
    short_directory: Path,
) -> Iterator[Reader]:
    """With the parameter `debian` beside a cluster of Debian's."""
    home = account.make_directory(short_directory / "home")
    settings = {"archive_timeout": "1h", "timezone": "UTC", "autovacuum": False}
    if getattr(request, "param", "ours") == "debian":
        archive = account.make_directory(short_directory / "d0" / "archive")
        archiving = {"archive_mode": "on", "archive_command": EXEMPLARY.format(archive)}
        primary: Cluster = new_debian_cluster(**archiving, **settings)
    else:
        command = EXEMPLARY.format(short_directory / "c0" / "archive")
        primary = new_cluster(_MAJOR, segment_mib=16, archive_command=command, **settings)
    _live(primary)
    _unpack_repository(request, account, home)
    shutil.copytree(_CHECKOUT / "packaging", home / "packaging")
    yield Reader(primary=primary, home=home)
    _stop_what_was_restored(home / "restored")


def _unpack_repository(request: pytest.FixtureRequest, account: Account, home: Path) -> None:
    """What the guide speaks of, if that is a repository of another tool."""
    guide = request.node.callspec.params["guide"].stem
    if guide not in _REPOSITORIES:
        return
    sample = _REPOSITORIES[guide][1].partition("/")[0]
    unpack_tar(_SAMPLES / f"{sample}.tar.xz", home / sample)
    for path in (home / sample, *(home / sample).rglob("*")):
        account.own(path)


def _stop_what_was_restored(data: Path) -> None:
    """A guide that ended early may have left its server running."""
    with contextlib.suppress(OSError, ValueError):
        os.kill(int((data / "postmaster.pid").read_text().split("\n", 1)[0]), signal.SIGQUIT)


def _live(primary: Cluster) -> None:
    """What happened on the server before the guide begins."""
    backups = primary.account.make_directory(primary.home / "backups")
    primary.sql("CREATE TABLE customers (id int PRIMARY KEY, name text)")
    primary.sql("CREATE TABLE orders (id int PRIMARY KEY, customer int)")
    primary.base_backup(backups / "sunday")
    primary.sql("INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 100) n")
    primary.sql("INSERT INTO orders SELECT n, n FROM generate_series(1, 100) n")
    primary.sql("SELECT pg_create_restore_point('before_release')")
    primary.sql("SELECT pg_switch_wal()")
    primary.sql("INSERT INTO orders SELECT n, 1 FROM generate_series(101, 200) n")
    primary.sql("DROP TABLE customers")
    primary.sql("SELECT pg_switch_wal()")
    primary.sql("INSERT INTO orders SELECT n, 2 FROM generate_series(201, 300) n")
    _wait_archived(primary)


def _wait_archived(primary: Cluster) -> None:
    primary.sql("SELECT pg_switch_wal()")
    wait_archived(primary)
