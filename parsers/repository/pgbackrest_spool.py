"""Status files of pgBackRest's asynchronous archive-push: SPOOL/archive/STANZA/out/SEGMENT.ok.

Follows src/command/archive/common.c (archiveAsyncStatus). Nothing in the file: the segment was
pushed to every repository. Else a number, a newline and a message: 0 and a warning; or the error of
a push that somebody has skipped, by giving SEGMENT.error this name. Either way PostgreSQL is told
that the segment is archived.
"""

from __future__ import annotations

from typing import Final

from parsers.errors import ParseError
from parsers.sentences import tr

OK_SUFFIX: Final = ".ok"
DROPPED: Final = "dropped WAL file '"  # archive-push-queue-max was exceeded


def parse_ok_file(data: bytes) -> str | None:
    """Why the segment was not pushed; None: it was. Raises ParseError.

    >>> parse_ok_file(b"0\\ndropped WAL file 'X' because archive queue exceeded 2MB")
    "dropped WAL file 'X' because archive queue exceeded 2MB"
    >>> parse_ok_file(b"")
    """
    if not data:
        return None
    code, newline, message = data.decode("utf-8", "replace").partition("\n")
    if not newline or not message or not (code.isascii() and code.isdecimal()):
        raise ParseError(tr("neither empty nor a number and a message"))
    if code == "0":
        return message.strip() if message.startswith(DROPPED) else None
    return f"[{code}] {message.strip()}"
