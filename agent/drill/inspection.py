"""A look inside the restored cluster with PostgreSQL's own tools; what cannot be done is said.

pg_amcheck and pg_dumpall ask the running server, pg_checksums the files of the stopped one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from agent.drill.area import Area
from agent.drill.settings import CONNECTION_OPTIONS
from agent.postgres.cluster import SUPERUSER, Cluster, ServerFailed
from agent.postgres.installation import Installation
from parsers.pg_control import ControlFile
from rules.drill import Inspection

_OLDEST_PG_AMCHECK: Final = 14
_LINES: Final = 3  # of what a tool said: the rest is in its own words, and long
_CONNECT_SECONDS: Final = 30.0


class NoSuperuser(Exception):
    """None of the names that a superuser may have lets us in. One line."""


@dataclass(frozen=True, slots=True)
class Session:
    """How to reach the scratch server."""

    area: Area
    user: str
    read_only: bool  # it waits at its target

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        return _connect(self.area, self.user, database)


def open_session(area: Area) -> Session:
    """Find out who may connect: the bootstrap superuser's name is its owner's choice.

    Raises NoSuperuser.
    """
    names = dict.fromkeys((SUPERUSER, area.account.name, os.environ.get("PGUSER")))
    refused = ""
    for name in filter(None, names):
        deadline = time.monotonic() + _CONNECT_SECONDS
        while True:
            try:
                with _connect(area, name, "postgres") as connection:
                    row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
                    return Session(area, name, bool(row and row[0]))
            except psycopg.OperationalError as error:
                refused = str(error).strip().splitlines()[-1]
                if "starting up" not in refused or time.monotonic() > deadline:
                    break
                time.sleep(0.05)
    raise NoSuperuser(f"{refused} (PGUSER=NAME in the environment names the superuser)")


def _connect(area: Area, user: str, database: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=str(area.sockets),
        port=5432,
        user=user,
        dbname=database,
        options=CONNECTION_OPTIONS,
        autocommit=True,
        connect_timeout=10,
    )


class Tools:
    """The programs of one installation, run against one area as its account."""

    def __init__(self, installation: Installation, area: Area) -> None:
        self.installation = installation
        environment = {"PGOPTIONS": CONNECTION_OPTIONS, "PGHOST": str(area.sockets)}
        self._cluster = Cluster(
            installation, area.path, area.account, environment=environment, sockets=area.sockets
        )

    def run(self, name: str, passed: str, program: str, *arguments: str) -> Inspection:
        """One inspection: passed if the program ends well, else what it said."""
        if not self.installation.has(program):
            return not_done(name, f"{self.installation.bindir} has no {program}")
        try:
            self._cluster.run(program, *arguments)
        except ServerFailed as error:
            lines = str(error).splitlines()
            more = f" (and {len(lines) - _LINES} more lines)" if len(lines) > _LINES else ""
            return Inspection(name=name, result="failed", detail="; ".join(lines[:_LINES]) + more)
        return Inspection(name=name, result="passed", detail=passed)


def not_done(name: str, why: str) -> Inspection:
    return Inspection(name=name, result="not_done", detail=why)


def inspect_running(tools: Tools, session: Session) -> Iterator[Inspection]:
    """What is asked of the server while it runs."""
    yield _amcheck(tools, session)
    options = ["--no-unlogged-table-data"] if session.read_only else []
    yield tools.run(
        "dump", "pg_dumpall could read everything", "pg_dumpall", "-U", session.user,
        "-l", "postgres", "-f", "/dev/null", "--lock-wait-timeout=10s", "--no-sync", *options,
    )  # fmt: skip


def _amcheck(tools: Tools, session: Session) -> Inspection:
    name = "amcheck"
    if tools.installation.major < _OLDEST_PG_AMCHECK:
        return not_done(name, f"PostgreSQL {tools.installation.major} has no pg_amcheck")
    if session.read_only:
        return not_done(name, "the server waits at its target: the extension cannot be created")
    with session.connect() as connection:
        found = connection.execute(
            "SELECT FROM pg_available_extensions WHERE name = 'amcheck'"
        ).fetchone()
    if found is None:
        return not_done(name, f"{tools.installation.bindir} has no extension amcheck")
    return tools.run(
        name, "pg_amcheck found tables and B-tree indexes of all databases sound", "pg_amcheck",
        "-U", session.user, "--maintenance-db=postgres", "--all", "--install-missing",
    )  # fmt: skip


def inspect_stopped(tools: Tools, area: Area, control: ControlFile | None) -> Inspection:
    """What is asked of the files once the server is down."""
    if control is not None and not control.data_checksum_version:
        return not_done("checksums", "data checksums are not enabled in this cluster")
    return tools.run(
        "checksums", "pg_checksums found every page sound", "pg_checksums", "--check", "-D",
        str(area.data),
    )  # fmt: skip
