"""A look inside the restored cluster with PostgreSQL's own tools; what cannot be done is said.

pg_amcheck and pg_dumpall ask the running server, pg_checksums the files of the stopped one.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from agent.drill.area import Area
from agent.drill.deadline import Deadline
from agent.drill.settings import connection_options
from agent.postgres.cluster import SUPERUSER
from agent.postgres.installation import Installation
from parsers.pg_control import ControlFile
from rules.drill import Inspection

_OLDEST_PG_AMCHECK: Final = 14
_LINES: Final = 3  # of what a tool said: the rest is in its own words, and long
_CONNECT_SECONDS: Final = 30.0

# A name that is not there, or a server that takes nobody for the moment.
_OF_THE_NAME: Final = re.compile(r'role ".*"|the database system is|connection limit|too many')


class NoSuperuser(Exception):
    """None of the names that a superuser may have lets us in. One line."""


class NobodyGetsIn(Exception):
    """The server is open and ends every session at its start. One line."""


@dataclass(frozen=True, slots=True)
class Session:
    """How to reach the scratch server."""

    area: Area
    major: int
    user: str = SUPERUSER
    read_only: bool = False  # it waits at its target

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=str(self.area.sockets),
            port=5432,
            user=self.user,
            dbname=database,
            options=connection_options(self.major),
            autocommit=True,
            connect_timeout=10,
        )


def open_session(area: Area, major: int) -> Session:
    """Find out who may connect: the bootstrap superuser's name is its owner's choice.

    Raises NoSuperuser, and NobodyGetsIn where the name is not to blame: unreadable catalogs.
    """
    names = dict.fromkeys((SUPERUSER, area.account.name, os.environ.get("PGUSER")))
    refused = ""
    for name in filter(None, names):
        deadline = time.monotonic() + _CONNECT_SECONDS
        while True:
            try:
                with Session(area, major, name).connect() as connection:
                    row = connection.execute("SELECT pg_catalog.pg_is_in_recovery()").fetchone()
                    return Session(area, major, name, bool(row and row[0]))
            except psycopg.OperationalError as error:
                refused = str(error).strip().splitlines()[-1]
                if "starting up" not in refused or time.monotonic() > deadline:
                    break
                time.sleep(0.05)
        if "FATAL: " in refused and not _OF_THE_NAME.search(refused):
            raise NobodyGetsIn(refused)
    raise NoSuperuser(f"{refused} (PGUSER=NAME in the environment names the superuser)")


class Tools:
    """The programs of one installation, run against one area as its account."""

    def __init__(self, installation: Installation, area: Area, deadline: Deadline) -> None:
        self.installation = installation
        self._area = area
        self.deadline = deadline
        self._environment = {
            "PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC",
            "PGOPTIONS": connection_options(installation.major), "PGHOST": str(area.sockets),
        }  # fmt: skip

    def run(self, name: str, passed: str, program: str, *arguments: str) -> Inspection:
        """One inspection: passed if the program ends well, else what it said. Raises OutOfTime."""
        if not self.installation.has(program):
            return not_done(name, f"{self.installation.bindir} has no {program}")
        status, said = self._run(program, arguments)
        if status:
            lines = [f"{program} exited {status}: {said[0] if said else ''}", *said[1:]]
            more = f" (and {len(lines) - _LINES} more lines)" if len(lines) > _LINES else ""
            return Inspection(name=name, result="failed", detail="; ".join(lines[:_LINES]) + more)
        return Inspection(name=name, result="passed", detail=passed)

    def _run(self, program: str, arguments: Sequence[str]) -> tuple[int, list[str]]:
        """The exit status, and the lines that it said."""
        self.deadline.require(lambda: f"before {program}")
        process = self._area.guardian.start(
            "tool",
            [str(self.installation.program(program)), *arguments],
            options=self._area.account.popen_options(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
        )
        try:
            out, err = self.deadline.run(process.communicate, lambda: f"while {program} ran")
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            self._area.guardian.forget("tool")
        return process.returncode, (err or out).decode(errors="replace").strip().splitlines()


def not_done(name: str, why: str) -> Inspection:
    return Inspection(name=name, result="not_done", detail=why)


def dump(tools: Tools, session: Session) -> Inspection:
    """Have everything read, and written nowhere."""
    options = ["--no-unlogged-table-data"] if session.read_only else []
    return tools.run(
        "dump", "pg_dumpall could read everything", "pg_dumpall", "-U", session.user,
        "-l", "postgres", "-f", "/dev/null", "--lock-wait-timeout=10s", "--no-sync", *options,
    )  # fmt: skip


def amcheck(tools: Tools, session: Session) -> Inspection:
    """Have tables and indexes checked, where the extension is installed."""
    name = "amcheck"
    if tools.installation.major < _OLDEST_PG_AMCHECK:
        return not_done(name, f"PostgreSQL {tools.installation.major} has no pg_amcheck")
    if session.read_only:
        return not_done(name, "the server waits at its target: the extension cannot be created")
    if not tools.deadline.run(
        lambda: _has_amcheck(session), lambda: "while connecting to the restored server"
    ):
        return not_done(name, f"{tools.installation.bindir} has no extension amcheck")
    return tools.run(
        name, "pg_amcheck found tables and B-tree indexes of all databases sound", "pg_amcheck",
        "-U", session.user, "--maintenance-db=postgres", "--all", "--install-missing",
    )  # fmt: skip


def _has_amcheck(session: Session) -> bool:
    query = "SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'amcheck'"
    with session.connect() as connection:
        return connection.execute(query).fetchone() is not None


def inspect_stopped(tools: Tools, area: Area, control: ControlFile | None) -> Inspection:
    """What is asked of the files once the server is down."""
    if control is not None and not control.data_checksum_version:
        return not_done("checksums", "data checksums are not enabled in this cluster")
    return tools.run(
        "checksums", "pg_checksums found every page sound", "pg_checksums", "--check", "-D",
        str(area.data),
    )  # fmt: skip
