"""Real PostgreSQL servers for the tests: one fixture a story needs, stopped afterwards.

    def test_x(pg): ...                    # every installed version, each its own test
    @pytest.mark.pg(">= 16")               # only the versions that match
    @pytest.mark.pg(">= 13", npm=True)     # and the majors that tests.npm_servers fetched
    def test_y(pg, new_cluster):           # pg: Installation; new_cluster(...) -> running Cluster

Every server lives on a Unix socket in a short temporary directory of its own.
"""

from __future__ import annotations

import contextlib
import functools
import operator
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.postgres.account import Account, server_account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation, InstallationFor, list_installations
from tests import npm_servers

_OPERATORS = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
IN_CI = os.environ.get("CI") == "true"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "pg" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("pg")
    spec = marker.args[0] if marker else ">= 13"
    majors = _matching_majors(spec, npm=bool(marker and marker.kwargs.get("npm")))
    metafunc.parametrize("pg", majors, indirect=True, ids=[f"pg{major}" for major in majors])


def _matching_majors(spec: str, *, npm: bool) -> list[int]:
    """Majors of the installations here (one each) that match all of "">= 15, < 18"."""
    tests = [re.fullmatch(r"\s*(>=|<=|==|<|>)\s*(\d+)\s*", part) for part in spec.split(",")]
    assert all(tests), f"cannot read the version range {spec!r}"
    return sorted(
        major
        for major in {installation.major for installation in _list_installations(npm=npm)}
        if all(_OPERATORS[test[1]](major, int(test[2])) for test in tests if test)
    )


@functools.cache
def _list_installations(*, npm: bool) -> list[Installation]:
    return [*list_installations(), *(npm_servers.fetched() if npm else [])]


@pytest.fixture(scope="session")
def account() -> Account:
    return server_account()


@pytest.fixture(scope="session")
def installations(account: Account) -> Iterator[dict[int, Installation]]:
    """One runnable installation a major; a copy where the account cannot read the original."""
    with contextlib.ExitStack() as stack:
        usable: dict[int, Installation] = {}
        for installation in _list_installations(npm=True):
            if installation.major not in usable:
                usable[installation.major] = stack.enter_context(
                    InstallationFor(installation, account)
                )
        yield usable


@pytest.fixture
def pg(request: pytest.FixtureRequest, installations: dict[int, Installation]) -> Installation:
    return installations[request.param]


@pytest.fixture
def short_directory(account: Account) -> Iterator[Path]:
    """A directory with a short name (sockets), that the server's account may enter."""
    path = Path(tempfile.mkdtemp(prefix="pt-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


NewCluster = Callable[..., Cluster]


@pytest.fixture
def new_cluster(
    account: Account, short_directory: Path, installations: dict[int, Installation]
) -> Iterator[NewCluster]:
    """Make clusters: `new_cluster(pg)` is initialised and running with an archive of its own.

    `archive=False` leaves archiving off; `start=False` leaves it down; other keywords are
    settings. The archive is `cluster.home / "archive"`.
    """
    made: list[Cluster] = []

    def make(
        pg: Installation | int,
        *,
        name: str = "",
        archive: bool = True,
        start: bool = True,
        initdb: bool = True,
        segment_mib: int = 1,
        environment: dict[str, str] | None = None,
        **settings: str | int | bool,
    ) -> Cluster:
        installation = installations[pg] if isinstance(pg, int) else pg
        home = short_directory / (name or f"c{len(made)}")
        cluster = Cluster(installation, home, account, environment=environment)
        made.append(cluster)
        if not initdb:
            return cluster
        cluster.initdb(segment_mib=segment_mib)
        if archive:
            directory = account.make_directory(home / "archive")
            settings = {
                "archive_mode": "on",
                "archive_command": f"cp %p {directory}/%f",
                **settings,
            }
        cluster.configure(**{"fsync": False, "max_wal_size": "64MB", **settings})
        if start:
            cluster.start()
        return cluster

    yield make
    for cluster in made:
        with contextlib.suppress(Exception):
            cluster.stop("immediate")
