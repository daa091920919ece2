"""One connection to a server, each question of the agent once, and the rights behind them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import errors

from agent.pollers.lane import connect
from agent.pollers.registry import POLLERS
from agent.try_config.login import what_to_type
from agent.try_config.tried import Tried
from parsers.sentences import tr

_MEMBER = "SELECT pg_has_role(current_user, 'pg_monitor', 'member')"


def try_server(dsn: str, timeout_seconds: float) -> Iterator[Tried]:
    """Connect as the agent does, and ask all that it asks."""
    try:
        connection = connect(dsn, timeout_seconds)
    except psycopg.Error as error:
        said = _one_line(error)
        yield Tried(source=tr("server"), said=said, works=False, to_type=what_to_type(said))
        return
    with contextlib.closing(connection):
        yield from _ask(connection)


def _ask(connection: psycopg.Connection[Any]) -> Iterator[Tried]:
    role = connection.info.user
    failed: list[Tried] = []
    try:
        member = bool(connection.execute(_MEMBER).fetchone()[0])  # type: ignore[index]
    except psycopg.Error as error:
        yield Tried(source=tr("server"), said=_one_line(error), works=False)
        return
    for poller in POLLERS:
        try:
            poller.poll(connection)
        except errors.InsufficientPrivilege as error:
            failed.append(_refused(poller.name, role, error))
        except psycopg.Error as error:
            failed.append(
                Tried(
                    source=tr("server, {name}", name=poller.name),
                    said=_one_line(error),
                    works=False,
                )
            )
    if not member and not failed:
        failed.append(_refused(tr("what pg_monitor may see"), role, None))
    major, minor = divmod(connection.info.server_version, 10000)
    asked = tr(
        "{count} of {all} questions answered", count=len(POLLERS) - len(failed), all=len(POLLERS)
    )
    if not failed:
        said = tr(
            "PostgreSQL {major}.{minor} as {role}, a member of pg_monitor; {asked}",
            major=major,
            minor=minor,
            role=role,
            asked=asked,
        )
        yield Tried(source=tr("server"), said=said, works=True)
    yield from failed


def _refused(what: str, role: str, error: psycopg.Error | None) -> Tried:
    said = _one_line(error) if error else tr("the role is no member of pg_monitor: some is hidden")
    grant = tr("psql -c 'GRANT pg_monitor TO \"{role}\"', as a superuser", role=role)
    return Tried(source=tr("server, {what}", what=what), said=said, works=False, to_type=(grant,))


def _one_line(error: psycopg.Error) -> str:
    """Without the connection string, of which libpq quotes nothing but host, port and names."""
    return " ".join(str(error).split())
