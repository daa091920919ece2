"""One PostgreSQL cluster of ours: initdb, start, stop, base backup, restore.

It listens on a Unix socket in its own directory and nowhere else. Socket paths are short (the
limit is 107 bytes), so the directory given should be too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg

from agent.postgres.account import Account
from agent.postgres.guardian import Guardian
from agent.postgres.installation import Installation
from parsers.sentences import tr

SUPERUSER = "postgres"
_PATIENCE_SECONDS: Final = 300  # of pg_ctl, on a machine that is busy


class ServerFailed(RuntimeError):
    """A server program of ours failed. The message holds what it said."""


class Cluster:
    """A data directory `<home>/data`, its log `<home>/server.log`, its socket in `<home>/s`.

    `sockets` puts the socket elsewhere, for a `home` whose name is too long.
    """

    def __init__(
        self,
        installation: Installation,
        home: Path,
        account: Account,
        *,
        environment: Mapping[str, str] | None = None,
        sockets: Path | None = None,
    ) -> None:
        self.installation = installation
        self.account = account
        self.home = account.make_directory(home)
        self.data = home / "data"
        self.sockets = account.make_directory(sockets or home / "s")
        self.log = home / "server.log"
        self._environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
        self._environment |= environment or {}
        self._guardian: Guardian | None = None

    # -- making one ------------------------------------------------------------------------------

    def initdb(self, *, segment_mib: int = 16, options: tuple[str, ...] = ()) -> None:
        """Make an empty cluster with data checksums, superuser `postgres`, UTF-8."""
        self.run(
            "initdb", "-D", str(self.data), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8",
            "--data-checksums", "--no-sync", f"--wal-segsize={segment_mib}", *options,
        )  # fmt: skip
        self.configure(listen_addresses="", unix_socket_directories=str(self.sockets))

    def configure(self, **settings: str | int | bool) -> None:
        """Append settings to postgresql.auto.conf (last one wins), quoting as its grammar wants."""
        path = self.data / "postgresql.auto.conf"
        with path.open("a", encoding="utf-8") as file:
            for name, value in settings.items():
                file.write(f"{name} = {_quote(value)}\n")

    def signal(self, name: str = "recovery.signal") -> None:
        """Put an empty signal file into the data directory."""
        path = self.data / name
        path.touch()
        self.account.own(path)

    def base_backup(self, target: Path, *options: str, program: Path | None = None) -> None:
        """Take a base backup with this installation's pg_basebackup, or another's `program`."""
        self.run(
            str(program or self.installation.program("pg_basebackup")),
            "-D", str(target), "-h", str(self.sockets), "-U", SUPERUSER, "--no-sync",
            "-c", "fast", *options,
        )  # fmt: skip

    def restore_from(self, backup: Path, **settings: str | int | bool) -> None:
        """Copy a plain base backup into this cluster's data directory, ready for recovery.

        The restored server must never archive into the archive that it reads: archiving is off
        unless `settings` says otherwise.
        """
        shutil.copytree(backup, self.data, symlinks=True)
        for path in (self.data, *self.data.rglob("*")):
            if not path.is_symlink():
                self.account.own(path)
        self.data.chmod(0o700)
        self.configure(
            **{
                "listen_addresses": "",
                "unix_socket_directories": str(self.sockets),
                "archive_mode": "off",
                **settings,
            }
        )
        self.signal()

    # -- running it ------------------------------------------------------------------------------

    def start(self, *, timeout_seconds: int = _PATIENCE_SECONDS) -> None:
        """Start the server and wait until it accepts connections. Raises ServerFailed if not.

        It is ended when this process is gone without stopping it.
        """
        self.run(
            "pg_ctl", "start", "-w", "-t", str(timeout_seconds),
            "-D", str(self.data), "-l", str(self.log), "-s",
        )  # fmt: skip
        self._guard()

    def stop(self, mode: str = "fast") -> None:
        """Stop the server if it runs; one that goes down by itself meanwhile is stopped as well."""
        if self.is_running():
            try:
                self.run(
                    "pg_ctl", "stop", "-w", "-t", str(_PATIENCE_SECONDS),
                    "-D", str(self.data), "-m", mode, "-s",
                )  # fmt: skip
            except ServerFailed:
                if self.is_running():
                    raise
        self._dismiss_guardian()

    def _guard(self) -> None:
        """Have the server that was just started ended with this process."""
        self._dismiss_guardian()  # of a server that went down by itself
        pid = self.postmaster_pid()
        if pid is not None:
            self._guardian = Guardian(pid, signal.SIGQUIT)

    def _dismiss_guardian(self) -> None:
        if self._guardian is not None:
            self._guardian.dismiss()
            self._guardian = None

    def reload(self) -> None:
        """Have the server read its configuration again."""
        self.run("pg_ctl", "reload", "-D", str(self.data), "-s")

    def is_running(self) -> bool:
        pid = self.postmaster_pid()
        if pid is None:
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def postmaster_pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None

    def log_lines(self, *, last: int | None = None) -> list[str]:
        """The lines of the server's log, or the `last` of them; none while there is no log."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        return lines if last is None else lines[-last:]

    @contextlib.contextmanager
    def running(self) -> Iterator[Cluster]:
        """The server, started here and stopped at the end."""
        self.start()
        try:
            yield self
        finally:
            self.stop("immediate")

    # -- talking to it ---------------------------------------------------------------------------

    @property
    def dsn(self) -> str:
        return f"host={self.sockets} user={SUPERUSER} dbname=postgres"

    def connect(self) -> psycopg.Connection[Any]:
        """A connection in autocommit."""
        return psycopg.connect(self.dsn, autocommit=True, connect_timeout=60)

    def sql(self, query: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
        """Run one statement on a connection of its own, and give its rows."""
        with self.connect() as connection:
            cursor = connection.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def run(self, program: str, *arguments: str) -> str:
        """Run one of the installation's programs as the server's account; give its output."""
        command = [str(self.installation.bindir / program), *arguments]
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            env=self._environment,
            stdin=subprocess.DEVNULL,
            **self.account.popen_options(),
        )
        if result.returncode:
            said = (result.stderr or result.stdout).strip()
            name, status = Path(program).name, result.returncode
            raise ServerFailed(
                tr("{program} exited {status}: {told}", program=name, status=status, told=said)
            )
        return str(result.stdout)


def _quote(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"
