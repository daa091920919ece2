"""The laboratory's place: one directory with a primary, its archive, its backup and its agent.

The names are the seed's: PITR, backup_wal, backup_base, laboratorio_pitr.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import psycopg

from agent.lab.agent_process import AgentProcess
from agent.lab.errors import LabFailed
from agent.lab.place import working_directory
from agent.postgres.account import Account
from agent.postgres.cluster import Cluster, ServerFailed
from agent.postgres.installation import Installation
from agent.postgres.interruption import Interruption
from parsers.sentences import message_of, tr

PROGRAMS: Final = ("initdb", "pg_ctl", "pg_basebackup", "pg_waldump")
OLDEST_MAJOR: Final = 13
_SOCKET_PATH_LIMIT: Final = 107  # sun_path in <sys/un.h>, less its terminating zero
_SOCKET_NAME: Final = ".s.PGSQL.5432.lock"

T = TypeVar("T")


class Laboratory:
    """Everything that one run of the laboratory made, and its orderly end."""

    def __init__(
        self,
        installation: Installation,
        account: Account,
        directory: Path,
        interruption: Interruption | None = None,
    ) -> None:
        _require_programs(installation)
        self.installation = installation
        self.account = account
        self.directory = directory
        self.archive = account.make_directory(directory / "backup_wal")
        self.backup = directory / "backup_base"
        self.interruption = interruption or Interruption()
        self._clusters: list[Cluster] = []
        self._socket_directories: list[Path] = []
        self._ending: list[Callable[[], object]] = []
        self.primary = self.new_cluster("PITR")
        self.agent = AgentProcess(directory)

    def new_cluster(self, name: str) -> Cluster:
        """A cluster of this laboratory, not yet made; it is stopped at the end."""
        home = self.directory / name
        cluster = Cluster(self.installation, home, self.account, sockets=self._short_sockets(home))
        self._clusters.append(cluster)
        return cluster

    def _short_sockets(self, home: Path) -> Path | None:
        if len(str(home / "s" / _SOCKET_NAME)) <= _SOCKET_PATH_LIMIT:
            return None
        directory = Path(tempfile.mkdtemp(prefix="pitr-s-", dir="/tmp"))
        self._socket_directories.append(directory)
        self.account.own(directory)
        return directory

    def start(self, cluster: Cluster) -> None:
        """Start a server, whole: an interruption waits until it is up and can be stopped."""
        try:
            with self.interruption.held():
                cluster.start()
        except ServerFailed as error:
            raise LabFailed(message_of(error), log=cluster.log) from error

    def at_end(self, action: Callable[[], object]) -> None:
        """Have `action` done when the laboratory closes, the latest first."""
        self._ending.append(action)

    def close(self) -> None:
        """Stop everything that this laboratory started. Never raises."""
        self.interruption.ignore()
        for action in reversed(self._ending):
            with contextlib.suppress(Exception):
                action()
        with contextlib.suppress(Exception):
            self.agent.stop()
        for cluster in reversed(self._clusters):
            with contextlib.suppress(Exception):
                cluster.stop("immediate")
        for directory in self._socket_directories:
            shutil.rmtree(directory, ignore_errors=True)

    def latest_log(self) -> Path | None:
        """The server log that was written last."""
        logs = [cluster.log for cluster in self._clusters if cluster.log.exists()]
        return max(logs, key=lambda log: log.stat().st_mtime_ns, default=None)

    # -- what the archive holds ------------------------------------------------------------------

    def archived_segments(self) -> list[Path]:
        """The archive's segments, in the order of their names."""
        return sorted(path for path in self.archive.rglob("*") if is_segment(path))

    def archive_listing(self) -> dict[str, tuple[int, int]]:
        """Every file of the archive with (size, mtime_ns), to tell whether anything changed."""
        return {
            str(path.relative_to(self.archive)): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in self.archive.rglob("*")
            if path.is_file()
        }

    def wait_archived(self, segment: str, *, timeout_seconds: float = 120) -> Path:
        """Wait until the archiver has stored `segment`."""
        name = f"{segment}.done"
        status = self.primary.data / "pg_wal" / "archive_status" / name
        path = wait_until(
            lambda: (
                next((p for p in self.archived_segments() if p.name == segment), None)
                if status.exists()
                else None
            ),
            timeout_seconds,
        )
        if path is None:
            raise LabFailed(
                tr(
                    "segment {segment} was not archived within {time:.0f} s",
                    segment=segment,
                    time=timeout_seconds,
                ),
                log=self.primary.log,
            )
        return path


def is_segment(path: Path) -> bool:
    return len(path.name) == 24 and path.is_file()


def wait_until(
    condition: Callable[[], T], timeout_seconds: float, *, every_seconds: float = 0.05
) -> T:
    """Ask until the answer is true, or time is up; give the last answer."""
    deadline = time.monotonic() + timeout_seconds
    while not (answer := condition()) and time.monotonic() < deadline:
        time.sleep(every_seconds)
    return answer


def _require_programs(installation: Installation) -> None:
    missing = [name for name in PROGRAMS if not installation.has(name)]
    if missing:
        raise LabFailed(
            tr(
                "{bindir} has no {programs}",
                bindir=installation.bindir,
                programs=", ".join(missing),
            ),
            next_step=tr(
                "choose a complete installation with --pg-bindir, or use the embedded one"
            ),
        )
    if installation.major < OLDEST_MAJOR:
        raise LabFailed(
            tr(
                "{bindir} is PostgreSQL {version}; the laboratory needs {oldest} or newer",
                bindir=installation.bindir,
                version=installation.version,
                oldest=OLDEST_MAJOR,
            ),
        )


@contextlib.contextmanager
def open_laboratory(
    installation: Installation,
    account: Account,
    *,
    keep: Path | None = None,
    under: Path = Path("/tmp"),
) -> Iterator[Laboratory]:
    """A laboratory in `keep`, which stays, or in a directory under `under`, which is removed."""
    with Interruption() as interruption, contextlib.ExitStack() as stack:
        directory = stack.enter_context(working_directory(account, keep, under))
        laboratory = Laboratory(installation, account, directory, interruption)
        stack.callback(laboratory.close)
        try:
            yield laboratory
        except psycopg.Error as error:
            raise LabFailed(str(error).strip(), log=laboratory.latest_log()) from error
        except ServerFailed as error:
            raise LabFailed(message_of(error), log=laboratory.latest_log()) from error
