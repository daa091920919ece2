"""Real PostgreSQL servers for the tests: one fixture a story needs, stopped afterwards.

    def test_x(pg): ...                    # every version, each its own test
    @pytest.mark.pg(">= 16")               # only the versions that match
    @pytest.mark.pg(">= 13", npm=True)     # and the majors that tests.npm_servers fetched
    @pytest.mark.pg(">= 13", each=True)    # `make test` runs it on each of them, not on one
    def test_y(pg, new_cluster):           # pg: Installation; new_cluster(...) -> running Cluster

Of a test's majors `make test` takes one, another for each file, and `make campaigns` the others.

The majors of the embedded servers and Debian 12's are wanted, with npm=True every supported one: a
test of one that is not here is skipped (tests.fix_tools). No package has 19 yet: tests run on it
wherever it is installed, or PITR_PG19_BINDIR names its directory of programs.

Every server lives on a Unix socket in a short temporary directory of its own.
"""

from __future__ import annotations

import contextlib
import functools
import operator
import os
import re
import shutil
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import pytest

from agent.postgres.account import Account, server_account
from agent.postgres.installation import (
    Installation,
    InstallationFor,
    list_installations,
    read_installation,
)
from tests import npm_servers
from tests.fix_place import new_place
from tests.fix_tools import lack

if TYPE_CHECKING:
    from agent.postgres.cluster import Cluster

_OPERATORS = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
SUPPORTED: Final = range(13, 19)
_EMBEDDED: Final = (16, 18)
BINDIR_OF_19: Final = "PITR_PG19_BINDIR"
_DEBIANS: Final = 15


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "pg" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("pg")
    npm = _asks(marker, "npm")
    majors = _matching_majors(marker.args[0] if marker else ">= 13", npm=npm)
    here = [major for major in majors if major in _list_majors(npm=npm)] or majors
    file = metafunc.definition.nodeid.partition("::")[0]
    taken = majors if _asks(marker, "each") else [_one_of(here, file)]
    metafunc.parametrize(
        "pg",
        [pytest.param(major, id=f"pg{major}", marks=marks_of(major, taken)) for major in majors],
        indirect=True,
    )


def _asks(marker: pytest.Mark | None, keyword: str) -> bool:
    return bool(marker and marker.kwargs.get(keyword))


def _one_of(majors: Collection[int], file: str) -> int | None:
    """The major that tests of this file have in `make test`: what is made of it is made once."""
    turn = zlib.crc32(file.encode()) % len(SUPPORTED)
    order = [*SUPPORTED[turn:], *SUPPORTED[:turn], 19]
    return next((major for major in order if major in majors), None)


def marks_of(major: int, taken: Collection[int | None]) -> tuple[pytest.MarkDecorator, ...]:
    return () if major in taken else (pytest.mark.campaign,)


def _matching_majors(spec: str, *, npm: bool) -> list[int]:
    """Majors that are here or wanted, and match all of "">= 15, < 18"."""
    tests = [re.fullmatch(r"\s*(>=|<=|==|<|>)\s*(\d+)\s*", part) for part in spec.split(",")]
    assert all(tests), f"cannot read the version range {spec!r}"
    wanted = SUPPORTED if npm else (*_EMBEDDED, _DEBIANS)
    return sorted(
        major
        for major in {*wanted, *_list_majors(npm=npm)}
        if all(_OPERATORS[test[1]](major, int(test[2])) for test in tests if test)
    )


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for a server by the fixtures that it uses, through however many others."""
    for item in items:
        if "installations" in getattr(item, "fixturenames", ()):
            item.add_marker("server")


@functools.cache
def _list_installations(*, npm: bool) -> list[Installation]:
    named = os.environ.get(BINDIR_OF_19)
    more = [read_installation(Path(named))] if named else []
    return [*list_installations(), *more, *(npm_servers.fetched() if npm else [])]


def list_servers() -> dict[int, Installation]:
    """One installation a major, of all that are here."""
    found: dict[int, Installation] = {}
    for installation in _list_installations(npm=True):
        found.setdefault(installation.major, installation)
    return found


def _list_majors(*, npm: bool) -> set[int]:
    return {installation.major for installation in _list_installations(npm=npm)}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Function) -> None:
    """Skip a test of a major that is not here before anything is made for it."""
    major = item.callspec.params.get("pg") if hasattr(item, "callspec") else None
    npm = _asks(item.get_closest_marker("pg"), "npm")
    if major is not None and major not in _list_majors(npm=npm):
        _lack_server(major)


def _lack_server(major: int) -> NoReturn:
    if major == _DEBIANS:
        remedy = f"apt-get install postgresql-{major}"
    elif major in _EMBEDDED:
        remedy = "make env"
    else:
        remedy = "make npm-servers"
    lack(f"PostgreSQL {major}", remedy)


def need_part(pg: Installation, program: str) -> None:
    """A program of this installation: what npm brings is the server alone."""
    if not pg.has(program):
        lack_part(pg, program)


def lack_part(pg: Installation, part: str) -> NoReturn:
    """Skip this test for want of a part that an installation may be without, in CI too."""
    remedy = f"a complete installation of PostgreSQL {pg.major}, as its Debian package is"
    lack(f"{part} of PostgreSQL {pg.major}", remedy, in_ci=False)


class Installations(dict[int, Installation]):
    """By major. A test that asks for one that is not here is skipped."""

    def __missing__(self, major: int) -> NoReturn:
        _lack_server(major)


@pytest.fixture(scope="session")
def account() -> Account:
    return server_account()


@pytest.fixture(scope="session")
def installations(account: Account) -> Iterator[dict[int, Installation]]:
    """One runnable installation a major; a copy where the account cannot read the original."""
    with contextlib.ExitStack() as stack:
        usable = Installations()
        for major, installation in list_servers().items():
            usable[major] = stack.enter_context(InstallationFor(installation, account))
        yield usable


@pytest.fixture(scope="session")
def base_backup_programs(installations: dict[int, Installation]) -> dict[int, Path]:
    """A pg_basebackup for each major: its own, or a newer one's, which speaks to older servers."""
    own = {major: pg for major, pg in installations.items() if pg.has("pg_basebackup")}
    return {
        major: own[min(candidate for candidate in own if candidate >= major)].program(
            "pg_basebackup"
        )
        for major in installations
    }


@pytest.fixture
def pg(request: pytest.FixtureRequest, installations: dict[int, Installation]) -> Installation:
    return installations[request.param]


@pytest.fixture
def short_directory(account: Account) -> Iterator[Path]:
    """A directory with a short name (sockets), that the server's account may enter."""
    path = new_place()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def data_directories(account: Account) -> Iterator[DataDirectories]:
    path = new_place()
    yield DataDirectories(path, account)
    shutil.rmtree(path, ignore_errors=True)


class DataDirectories:
    """What initdb makes, made once for each kind of cluster and copied from then on.

    Copies of one are the same cluster to PostgreSQL, system identifier included: a test whose
    clusters must be strangers has one at most.
    """

    def __init__(self, home: Path, account: Account) -> None:
        self._home, self._account = home, account
        self._made: dict[object, Path] = {}

    def give(
        self, cluster: Cluster, environment: Mapping[str, str] | None, *, segment_mib: int
    ) -> None:
        """Do what `cluster.initdb` does."""
        environment = environment or {}
        kind = (cluster.installation.bindir, segment_mib, *sorted(environment.items()))
        made = self._made.get(kind)
        if made is None:
            from agent.postgres.cluster import Cluster

            home = self._home / str(len(self._made))
            first = Cluster(cluster.installation, home, self._account, environment=environment)
            first.initdb(segment_mib=segment_mib)
            own = first.data / "postgresql.auto.conf"
            lines = own.read_text().splitlines(keepends=True)
            own.write_text("".join(line for line in lines if line.startswith("#")))
            made = self._made[kind] = first.data
        cluster.run("/bin/cp", "-a", "--reflink=auto", str(made), str(cluster.data))
        cluster.configure(listen_addresses="", unix_socket_directories=str(cluster.sockets))


NewCluster = Callable[..., "Cluster"]


@pytest.fixture
def new_cluster(
    account: Account,
    short_directory: Path,
    installations: dict[int, Installation],
    data_directories: DataDirectories,
) -> Iterator[NewCluster]:
    """Make clusters: `new_cluster(pg)` is initialised and running with an archive of its own.

    `archive=False` leaves archiving off; `start=False` leaves it down; other keywords are
    settings. The archive is `cluster.home / "archive"`.
    """
    from agent.postgres.cluster import Cluster

    made: list[Cluster] = []
    initialised: list[Cluster] = []

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
        if initialised:
            cluster.initdb(segment_mib=segment_mib)  # a stranger to those before it
        else:
            data_directories.give(cluster, environment, segment_mib=segment_mib)
        initialised.append(cluster)
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
