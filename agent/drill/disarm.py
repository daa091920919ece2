"""What the restored data could run is taken apart before anybody asks them anything.

A user of the database may have made a view of the table that a probe counts, and the superuser
that asks it would run what that says. So nobody on the scratch server stays a superuser but a role
of the drill's own, which asks nothing but catalogs and amcheck; probes and pg_dumpall come as a
role that may read everything and nothing else, in read-only transactions. Of the rest:

- every setting of a role or a database, every right to set one, every membership that may run
  programs or touch files goes;
- languages that are not trusted, C functions from outside of the installation, foreign-data
  wrappers and functions that initdb or an extension keeps from the public are made unusable, for
  the owners of SECURITY DEFINER functions too;
- only these two roles get in, by a password: nothing that runs inside comes back by a connection.

SET SESSION AUTHORIZATION would not do: a function resets it. What is written here is written by
UPDATE of catalogs, which fires no event trigger, and by statements about roles and databases, of
which there are none (event-trigger-definition in the manual). The scratch cluster is thrown away.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import psycopg
from psycopg import sql

from agent.drill.session import Session, is_damage
from agent.drill.settings import admit_only
from parsers.sentences import tr
from parsers.values import dataclass

_READ_ALL_MAJOR: Final = 14  # pg_read_all_data
_PARAMETER_ACL_MAJOR: Final = 15
_ADMIT_SECONDS: Final = 30.0
_MEMBERSHIPS: Final = (
    "pg_execute_server_program", "pg_read_server_files", "pg_write_server_files",
)  # fmt: skip
# In place of the library: the server's error names it.
_NO_LIBRARY: Final = "$libdir/not_run_by_a_drill"

_FOR_ALL: Final = (
    "DELETE FROM pg_catalog.pg_db_role_setting",
    "UPDATE pg_catalog.pg_database SET datconnlimit = -1 WHERE datconnlimit >= 0",
)
# initdb and extensions revoke these from PUBLIC; whoever was granted them since had a reason there.
_KEPT_FROM_THE_PUBLIC: Final = """
    UPDATE pg_catalog.pg_proc SET proacl = ARRAY[pg_catalog.makeaclitem(
        {admin}::pg_catalog.regrole, proowner, 'EXECUTE', false)] WHERE oid IN (
        SELECT objoid FROM pg_catalog.pg_init_privs i
        WHERE classoid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND NOT EXISTS (
            SELECT FROM pg_catalog.aclexplode(i.initprivs) WHERE grantee = 0))"""
_UNTRUSTED: Final = """
    UPDATE pg_catalog.pg_proc SET probin = %s WHERE oid IN (
        SELECT pg_catalog.unnest(ARRAY[lanplcallfoid, laninline, lanvalidator])
        FROM pg_catalog.pg_language
        WHERE NOT lanpltrusted AND lanname NOT IN ('internal', 'c'))"""
# Files of the data directory are found by a relative path.
_FOREIGN_LIBRARIES: Final = """
    UPDATE pg_catalog.pg_proc SET probin = %s
    WHERE prolang = (SELECT oid FROM pg_catalog.pg_language WHERE lanname = 'c')
        AND probin LIKE '%%/%%' AND (probin NOT LIKE '$libdir/%%' OR probin LIKE '%%..%%')"""
_WRAPPERS: Final = "UPDATE pg_catalog.pg_foreign_data_wrapper SET fdwhandler = 0"
# What pg_read_all_data gives from 14 on.
_READ_ALL: Final = (
    """UPDATE pg_catalog.pg_namespace SET nspacl =
        COALESCE(nspacl, pg_catalog.acldefault('n', nspowner))
        || pg_catalog.makeaclitem({reader}::pg_catalog.regrole, nspowner, 'USAGE', false)""",
    """UPDATE pg_catalog.pg_class SET relacl =
        COALESCE(relacl, pg_catalog.acldefault(
            CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner))
        || pg_catalog.makeaclitem({reader}::pg_catalog.regrole, relowner, 'SELECT', false)
        WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 't')""",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disarmed:
    """A restored cluster that runs nothing of its own."""

    admin: Session  # the one superuser
    reader: Session  # may read everything, in read-only transactions
    databases: tuple[str, ...]  # that let somebody in
    closed: Mapping[str, Closed]  # databases that nobody may be asked in, by name


@dataclass(frozen=True, slots=True)
class Closed:
    """Why a database could not be made safe."""

    why: str  # one line
    damaged: bool  # its catalogs cannot be read, and not merely not changed


def disarm(session: Session) -> Disarmed:
    """Take apart what could run, by the superuser of the backup. Raises psycopg.Error."""
    suffix = secrets.token_hex(4)  # a name that nobody has made anything for
    admin = replace(session, user=f"pitr_drill_admin_{suffix}", password=secrets.token_urlsafe(24))
    reader = replace(
        session, user=f"pitr_drill_reader_{suffix}", password=secrets.token_urlsafe(24),
        superuser=False,
    )  # fmt: skip
    with session.connect() as connection, connection.transaction():
        databases = _take_over(connection, admin, reader)
    admit_only(session.area, (admin.user, reader.user))
    with admin.connect() as connection:
        connection.execute("SELECT pg_catalog.pg_reload_conf()")
    _wait_until_refused(session)
    closed = dict(_close_off(admin, reader, databases))
    return Disarmed(admin=admin, reader=reader, databases=databases, closed=closed)


def _take_over(
    connection: psycopg.Connection[Any], admin: Session, reader: Session
) -> tuple[str, ...]:
    """Make our roles, and nobody else a superuser; give the databases that let somebody in."""
    for role, rights in ((admin, "SUPERUSER"), (reader, "NOSUPERUSER BYPASSRLS")):
        statement = f"CREATE ROLE {{}} LOGIN {rights} PASSWORD {{}}"
        connection.execute(
            sql.SQL(statement).format(sql.Identifier(role.user), sql.Literal(role.password))
        )
    if reader.major >= _READ_ALL_MAJOR:
        _execute(connection, "GRANT pg_read_all_data TO {reader}", reader=reader.user)
    found = connection.execute(
        "SELECT datname FROM pg_catalog.pg_database"
        " WHERE datallowconn AND datconnlimit <> -2 ORDER BY datname"
    ).fetchall()
    for (name,) in found:
        _execute(
            connection, "GRANT CONNECT ON DATABASE {name} TO {reader}", name=name,
            reader=reader.user,
        )  # fmt: skip
    for statement in _FOR_ALL:
        connection.execute(statement)
    if reader.major >= _PARAMETER_ACL_MAJOR:
        connection.execute("DELETE FROM pg_catalog.pg_parameter_acl")
    connection.execute(
        "DELETE FROM pg_catalog.pg_auth_members WHERE roleid IN"
        " (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = ANY(%s))",
        [list(_MEMBERSHIPS)],
    )
    connection.execute(
        "UPDATE pg_catalog.pg_authid SET rolsuper = false WHERE rolsuper AND rolname <> %s",
        [admin.user],
    )
    return tuple(name for (name,) in found)


def _execute(connection: psycopg.Connection[Any], statement: str, **names: str) -> None:
    quoted = {key: sql.Identifier(name) for key, name in names.items()}
    connection.execute(sql.SQL(statement).format(**quoted))


def _wait_until_refused(session: Session) -> None:
    """The postmaster has read who may come in when the superuser of the backup may not."""
    deadline = time.monotonic() + _ADMIT_SECONDS
    while True:
        try:
            session.connect().close()
        except psycopg.OperationalError as error:  # before, it lacks the rights for its options
            if "pg_hba.conf" in str(error):
                return
        if time.monotonic() > deadline:
            raise psycopg.OperationalError(tr("the scratch server did not read its pg_hba.conf"))
        time.sleep(0.02)


def _close_off(
    admin: Session, reader: Session, databases: tuple[str, ...]
) -> Iterator[tuple[str, Closed]]:
    for name in databases:
        try:
            with admin.connect(name) as connection, connection.transaction():
                _close_off_one(connection, admin, reader)
        except psycopg.Error as error:
            yield name, Closed(" ".join(str(error).split()), damaged=is_damage(error))


def _close_off_one(connection: psycopg.Connection[Any], admin: Session, reader: Session) -> None:
    kept = sql.SQL(_KEPT_FROM_THE_PUBLIC).format(admin=sql.Literal(admin.user))
    connection.execute(kept)
    for statement in (_UNTRUSTED, _FOREIGN_LIBRARIES):
        connection.execute(statement, [_NO_LIBRARY])
    connection.execute(_WRAPPERS)
    if reader.major < _READ_ALL_MAJOR:
        for statement in _READ_ALL:
            connection.execute(sql.SQL(statement).format(reader=sql.Literal(reader.user)))
