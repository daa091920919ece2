"""Log sequence numbers: a byte position in the WAL, an int inside and `HI/LO` text at the edges.

Follows `pg_lsn_in_internal` and `LSN_FORMAT_ARGS` (src/backend/utils/adt/pg_lsn.c,
src/include/access/xlogdefs.h). 0/0 is PostgreSQL's InvalidXLogRecPtr and reads as None where a
field may be unset; that choice is the caller's.
"""

from __future__ import annotations

import re
from typing import Final

from parsers.errors import ParseError
from parsers.sentences import tr

_LSN: Final = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})\Z")


def parse_lsn(text: str) -> int:
    """Read an LSN as PostgreSQL prints it, padded (19 and later) or not.

    >>> parse_lsn("0/3000028")
    50331688
    """
    match = _LSN.match(text)
    if match is None:
        raise ParseError(
            tr("not an LSN: {text!r} (expected HI/LO in hexadecimal, as 0/3000028)", text=text)
        )
    return int(match[1], 16) << 32 | int(match[2], 16)


def format_lsn(lsn: int) -> str:
    """Write an LSN as PostgreSQL 13 to 18 print it.

    >>> format_lsn(50331688)
    '0/3000028'
    """
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
