"""A cluster as Debian and Ubuntu lay it out: made by pg_createcluster, its configuration in /etc.

It is postgresql-common's own in all but the place: PG_CLUSTER_CONF_ROOT puts what lies in
/etc/postgresql into the test's directory. pg_hba.conf is the stock one, so that local connections
are by the name of the account (`peer`): SQL goes through a psql of that account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, LiteralString

import pytest

from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from tests.fix_tools import need_program

MAJOR: Final = 15  # of Debian 12
_NAME: Final = "main"


class DebianCluster(Cluster):
    """`<home>/data`, `<home>/etc/15/main`, `<home>/server.log`, its socket in `<home>/s`."""

    def __init__(self, installation: Installation, home: Path, account: Account) -> None:
        self.root = home / "etc"
        super().__init__(
            installation, home, account, environment={"PG_CLUSTER_CONF_ROOT": str(self.root)}
        )
        self.configuration = self.root / str(MAJOR) / _NAME

    def create(self, **settings: str | int | bool) -> None:
        self.account.make_directory(self.root)
        self.run(
            need_program("pg_createcluster"), str(MAJOR), _NAME, "-u", self.account.name,
            "-d", str(self.data), "-l", str(self.log), "-s", str(self.sockets),
            "-p", "5432", "--start-conf", "manual", "--locale", "C.UTF-8",
        )  # fmt: skip
        # As a person writes it, who leaves the package's file as it is.
        ours = self.configuration / "conf.d" / "ours.conf"
        said = {"listen_addresses": "", **settings}
        ours.write_text("".join(f"{name} = '{value}'\n" for name, value in said.items()))
        self.account.own(ours)

    def start(self, *, timeout_seconds: int = 300) -> None:
        self.run(need_program("pg_ctlcluster"), str(MAJOR), _NAME, "start")
        self._guard()

    def base_backup(self, target: Path, *options: str, program: Path | None = None) -> None:
        self.run(
            "pg_basebackup", "-D", str(target), "-h", str(self.sockets), "--no-sync",
            "-c", "fast", *options,
        )  # fmt: skip

    def sql(self, query: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of text."""
        assert not parameters
        printed = self.run(
            "psql", "-X", "-At", "-F", "\t", "-h", str(self.sockets), "-d", "postgres", "-c", query
        )
        return [tuple(line.split("\t")) for line in printed.splitlines()]


NewDebianCluster = Callable[..., DebianCluster]


@pytest.fixture
def new_debian_cluster(
    account: Account, installations: dict[int, Installation], short_directory: Path
) -> Iterator[NewDebianCluster]:
    """Give `new(**settings)`: a running cluster, stopped when the test ends."""
    made: list[DebianCluster] = []

    def new(**settings: str | int | bool) -> DebianCluster:
        need_program("pg_createcluster")
        cluster = DebianCluster(installations[MAJOR], short_directory / f"d{len(made)}", account)
        cluster.create(**settings)
        made.append(cluster)
        cluster.start()
        return cluster

    yield new
    for cluster in made:
        cluster.stop("immediate")
