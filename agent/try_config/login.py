"""Why a server lets the agent not in, and what to type about it.

The words are those of src/backend/libpq/auth.c and of libpq. A server that speaks another language,
or says something else, leaves the advice to try it with psql.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from agent.postgres.account import own_name
from parsers.sentences import tr

ROLE_FILE: Final = "packaging/sql/role.sql"
MAP: Final = "pitr"  # of pg_ident.conf

_Advice = Callable[[re.Match[str]], tuple[str, ...]]


def what_to_type(message: str) -> tuple[str, ...]:
    """The lines for a failed connection, in the order in which they are to be done."""
    for pattern, advice in _ADVICE:
        match = re.search(pattern, message)
        if match:
            return advice(match)
    return (tr("try  psql  with the same dsn, as this account"),)


def _peer(match: re.Match[str]) -> tuple[str, ...]:
    """The stock pg_hba.conf lets an account be the role of its own name and no other."""
    role = match[1]
    return (
        tr(
            "pg_ident.conf, a line:  {map}  {account}  {role}",
            map=MAP,
            account=own_name(),
            role=role,
        ),
        tr(
            "pg_hba.conf, above all others:  local  all  {role}  peer map={map}", role=role, map=MAP
        ),
        "psql -c 'SELECT pg_reload_conf()'",
    )


def _no_entry(match: re.Match[str]) -> tuple[str, ...]:
    host, role = match[1], match[2]
    if host == "[local]":
        entry = f"local  all  {role}  peer map={MAP}"
        return (f"pg_hba.conf:  {entry}", f"pg_ident.conf:  {MAP}  {own_name()}  {role}", _RELOAD)
    width = "128" if ":" in host else "32"
    return (f"pg_hba.conf:  host  all  {role}  {host}/{width}  scram-sha-256", _RELOAD)


def _password(_: re.Match[str]) -> tuple[str, ...]:
    return (
        tr("~{account}/.pgpass, mode 0600, a line:  HOST:PORT:*:ROLE:PASSWORD", account=own_name()),
        tr("and as a superuser, if it has none yet:  \\password ROLE"),
    )


_RELOAD: Final = "psql -c 'SELECT pg_reload_conf()'"
_ADVICE: Final[tuple[tuple[str, _Advice], ...]] = (
    (r'Peer authentication failed for user "([^"]+)"', _peer),
    (r'no pg_hba\.conf entry for host "([^"]+)", user "([^"]+)"', _no_entry),
    (
        r'role "[^"]+" does not exist',
        lambda match: (tr("psql -f {file}, as a superuser", file=ROLE_FILE),),
    ),
    (r"password authentication failed|no password supplied", _password),
    (
        r"No such file or directory|Connection refused",
        lambda match: (
            tr("pg_lsclusters, or  ss -lxt | grep PGSQL:  which port and socket it has"),
        ),
    ),
)
