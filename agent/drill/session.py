"""How the scratch server is reached: over its socket, as one of its roles."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Mapping
from typing import Any, Final

import psycopg

from agent.drill.area import Area
from agent.drill.settings import connection_options, reader_options
from agent.postgres.cluster import SUPERUSER
from parsers.sentences import tr
from parsers.values import dataclass

_CONNECT_SECONDS: Final = 30.0
_PROMOTE_SECONDS: Final = 600.0  # it writes a checkpoint first
_DATABASES: Final = ("postgres", "template1")  # the first may be dropped

# A name that is not there, or a server that accepts no connection for the moment.
_OF_THE_NAME: Final = re.compile(
    r'role ".*"|database "postgres" does not exist|the database system is|connection limit|too many'
    r"|permission denied to set"
)


_DAMAGE: Final = ("XX", "58")  # classes of SQLSTATE: data_corrupted, internal and system errors


def is_damage(error: psycopg.Error) -> bool:
    """Whether the server says of its files, and not of us, that something is wrong."""
    if error.sqlstate:
        return error.sqlstate.startswith(_DAMAGE)
    return "FATAL: " in str(error) and not _OF_THE_NAME.search(str(error))


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
    database: str = "postgres"  # one that is there
    password: str | None = None
    superuser: bool = True

    @property
    def options(self) -> str:
        """PGOPTIONS."""
        return connection_options(self.major) if self.superuser else reader_options(self.major)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program of PostgreSQL needs to connect so."""
        found = {"PGOPTIONS": self.options, "PGHOST": str(self.area.sockets)}
        return found if self.password is None else {**found, "PGPASSWORD": self.password}

    def connect(self, database: str | None = None) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=str(self.area.sockets),
            port=5432,
            user=self.user,
            password=self.password,
            dbname=database or self.database,
            options=self.options,
            autocommit=True,
            connect_timeout=10,
        )


def open_session(area: Area, major: int) -> Session:
    """Find out who may connect: the bootstrap superuser's name is its owner's choice.

    Raises NoSuperuser, and NobodyGetsIn where the name is not to blame: unreadable catalogs.
    """
    users = filter(None, dict.fromkeys((SUPERUSER, area.account.name, os.environ.get("PGUSER"))))
    refused = ""
    for name, database in itertools.product(users, _DATABASES):
        session = Session(area, major, name, database=database)
        deadline = time.monotonic() + _CONNECT_SECONDS
        while True:
            try:
                with session.connect() as connection:
                    if _is_superuser(connection):
                        return session
                    refused = tr('role "{name}" is no superuser', name=name)
                    break
            except psycopg.OperationalError as error:
                refused = str(error).strip().splitlines()[-1]
                if "starting up" not in refused or time.monotonic() > deadline:
                    break
                time.sleep(0.05)
            except psycopg.errors.InsufficientPrivilege:
                refused = tr('role "{name}" is no superuser', name=name)
                break
        if "FATAL: " in refused and not _OF_THE_NAME.search(refused):
            raise NobodyGetsIn(refused)
    raise NoSuperuser(
        tr("{refused} (PGUSER=NAME in the environment names the superuser)", refused=refused)
    )


def _is_superuser(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute(
        "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"
    ).fetchone()
    return bool(row and row[0])


def open_for_writing(session: Session) -> bool:
    """Have a server that waits at its target go on, which promotes it; tell whether it waited.

    A standby takes no role of ours. What it holds is the same before and after. Raises
    psycopg.Error.
    """
    with session.connect() as connection:
        if not _recovers(connection):
            return False
        connection.execute("SELECT pg_catalog.pg_wal_replay_resume()")
        deadline = time.monotonic() + _PROMOTE_SECONDS
        while _recovers(connection):
            if time.monotonic() > deadline:
                raise psycopg.OperationalError(tr("the server did not open after its pause"))
            time.sleep(0.05)
    return True


def _recovers(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT pg_catalog.pg_is_in_recovery()").fetchone()
    return bool(row and row[0])
