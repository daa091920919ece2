"""The server that the guides speak of, and a reader who types what they say.

One primary a guide: WAL archiving by `cp`, one base backup, a few transactions behind it, a restore
point, and a table that somebody dropped. The reader is the server's own account.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.postgres.account import Account
from agent.postgres.cluster import SUPERUSER, Cluster
from tests.fix_check import EXEMPLARY
from tests.fix_postgres import NewCluster
from tests.fix_prometheus import free_port
from tests.guides import Step, run_steps

_MAJOR = 16
_CHECKOUT = Path(__file__).parent.parent


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Who follows a guide: an account with a home, a server, its archive and its backups."""

    primary: Cluster
    home: Path

    @property
    def places(self) -> dict[str, str]:
        """What the guides' variables are here."""
        return {
            "PGDATA": str(self.primary.data),
            "ARCHIVE": str(self.primary.home / "archive"),
            "BACKUPS": str(self.primary.home / "backups"),
            "RESTORED": str(self.home / "restored"),
            "AGENT": f"127.0.0.1:{free_port()}",
        }

    def follow(self, steps: list[Step]) -> list[list[str]]:
        """Type the steps, and give what each printed."""
        ours, servers = Path(sys.executable).parent, self.primary.installation.bindir
        environment = {
            "HOME": str(self.home),
            "PATH": f"{ours}:{servers}:{os.environ['PATH']}",
            "PGHOST": str(self.primary.sockets),
            "PGUSER": SUPERUSER,
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }
        options = {**self.primary.account.popen_options(), "cwd": self.home}
        return run_steps(
            steps,
            self.places,
            environment,
            **_enters_our_environment(self.primary.account, options),
        )


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
def reader(account: Account, new_cluster: NewCluster, short_directory: Path) -> Iterator[Reader]:
    home = account.make_directory(short_directory / "home")
    primary = new_cluster(
        _MAJOR,
        segment_mib=16,
        archive_command=EXEMPLARY.format(short_directory / "c0" / "archive"),
        archive_timeout="1h",
        timezone="UTC",
        autovacuum=False,
    )
    _live(primary)
    shutil.copytree(_CHECKOUT / "packaging", home / "packaging")
    yield Reader(primary=primary, home=home)
    _stop_what_was_restored(home / "restored")


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
    last = primary.sql("SELECT pg_walfile_name(pg_switch_wal())")[0][0]
    deadline = time.monotonic() + 60
    while primary.sql("SELECT last_archived_wal >= %s FROM pg_stat_archiver", last) != [(True,)]:
        assert time.monotonic() < deadline, "the server did not archive"
        time.sleep(0.1)
