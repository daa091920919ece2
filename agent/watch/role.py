"""Whom to ask a server as: a role that its own files have, found without asking it.

A role that is not there is a FATAL line in the server's log at each look. What the files hold is
what the last checkpoint wrote: a role made or dropped since is not seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.store.local import read_file
from parsers.errors import ParseError
from parsers.wal.heap_page import read_relation
from parsers.wal.pg_catalog import NamedRow, read_filenode_map, read_named_row

_PG_AUTHID: Final = 1260
_BOOTSTRAP_SUPERUSER: Final = 10  # BOOTSTRAP_SUPERUSERID of catalog/pg_authid.h


def choose_role(pgdata: Path, owner: str) -> str:
    """The directory's owner where there is a role of that name, else the bootstrap superuser.

    The owner as well where the files do not say.
    """
    names = {row.oid: row.name for row in read_roles(pgdata)}
    return owner if owner in names.values() else names.get(_BOOTSTRAP_SUPERUSER, owner)


def read_roles(pgdata: Path) -> Iterator[NamedRow]:
    """The rows of pg_authid that nobody has deleted; none where they cannot be read."""
    try:
        data = read_file(pgdata / "global" / str(_file_number(pgdata)))
    except OSError:
        return
    for _, found in read_relation(data):
        row = None if found.deleted else read_named_row(found.values)
        if row is not None:
            yield row


def _file_number(pgdata: Path) -> int:
    try:
        mapped = read_filenode_map(read_file(pgdata / "global" / "pg_filenode.map"))
    except (OSError, ParseError):
        return _PG_AUTHID
    return mapped.get(_PG_AUTHID, _PG_AUTHID)
