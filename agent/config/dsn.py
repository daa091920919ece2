"""Connection strings as libpq reads them, refused without quoting what they hold.

libpq quotes what it cannot read, which may be half a password with a space or an @ in it.
"""

from __future__ import annotations

import re
from typing import Final

from parsers.sentences import tr

_ENCODE: Final = tr("in a URI, a password's / @ : ? # must be percent-encoded")
_PORTS: Final = re.compile(r"\d*(,\d*)*")


def check_dsn(dsn: str) -> None:
    """Raises ValueError that says what is wrong, and shows nothing of the string's values."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        given = conninfo_to_dict(dsn)
    except psycopg.Error:
        raise ValueError(
            tr(
                "libpq cannot read it: write key=value pairs with values that have "
                "spaces in single quotes, or a postgresql:// URI with its special "
                "characters percent-encoded (try psql with the same dsn)"
            )
        ) from None
    if not _PORTS.fullmatch(str(given.get("port", ""))):
        raise ValueError(tr("its port is no number: {advice}", advice=_ENCODE))
    if any("@" in host[1:] for host in str(given.get("host", "")).split(",")):
        raise ValueError(tr("its host has an @ in it: {advice}", advice=_ENCODE))
