"""One connection to one server, and the pollers that share it.

Runs in the lane's own thread, because libpq resolves names while it blocks. What the connection
string leaves open is bounded here: connecting, unacknowledged TCP data, each statement.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from agent.deadline import DeadlinePassed
from agent.pollers.registry import Poller

APPLICATION_NAME = "pitr-agent"


class ServerLane:
    """Keeps a connection open between polls, and opens a new one when it broke."""

    def __init__(self, dsn: str, timeout_seconds: float) -> None:
        self._dsn = dsn
        self._timeout_seconds = timeout_seconds
        self._connection: psycopg.Connection[Any] | None = None

    def round(self, pollers: Sequence[Poller]) -> list[Callable[[], object]]:
        """What takes each reading. Where no connection can be made, that is tried once."""
        refused: list[psycopg.OperationalError] = []

        def take(poller: Poller) -> object:
            if refused:
                raise refused[0]
            try:
                connection = self._connect()
            except psycopg.OperationalError as error:
                refused.append(error)
                raise
            return self._ask(poller, connection)

        return [partial(take, poller) for poller in pollers]

    def poll(self, poller: Poller) -> object:
        """Take one reading. Raises psycopg.Error; the connection is then dropped."""
        return self._ask(poller, self._connect())

    def _ask(self, poller: Poller, connection: psycopg.Connection[Any]) -> object:
        try:
            return poller.poll(connection)
        except errors.InsufficientPrivilege:
            raise
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = None

    def _connect(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._dsn, self._timeout_seconds)
        return self._connection


def is_unreachable(failure: BaseException) -> bool:
    """Whether it is the server that did not answer, and not one question that it refused.

    Class 08 is a broken connection, 53 too many of them, 57P a shutdown or a start; a connection
    that libpq could not make at all has no SQLSTATE (errcodes-appendix).
    """
    if isinstance(failure, psycopg.OperationalError):
        return failure.sqlstate is None or failure.sqlstate.startswith(("08", "53", "57P"))
    return isinstance(failure, DeadlinePassed)


def connect(dsn: str, timeout_seconds: float) -> psycopg.Connection[Any]:
    """Open a read-only autocommit connection. Options in the DSN win over the bounds set here."""
    milliseconds = math.ceil(timeout_seconds * 1000)
    bounds = {
        "application_name": APPLICATION_NAME,
        "connect_timeout": str(max(2, math.ceil(timeout_seconds))),  # libpq takes no less than 2
        "tcp_user_timeout": str(milliseconds),
        "options": f"-c statement_timeout={milliseconds} -c default_transaction_read_only=on",
    }
    given = conninfo_to_dict(dsn)
    missing = {key: value for key, value in bounds.items() if key not in given}
    return psycopg.connect(make_conninfo(dsn, **missing), autocommit=True)
