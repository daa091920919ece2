"""What pgBackRest's asynchronous archive-push has told PostgreSQL, by its spool."""

from __future__ import annotations

from typing import Final, NamedTuple

from agent.denied import is_proof, reason
from agent.repositories.files import list_folder, read
from parsers.errors import ParseError
from parsers.repository.pgbackrest_spool import OK_SUFFIX, parse_ok_file
from parsers.sentences import tr

_LIMIT_BYTES: Final = 1 << 16


class PushSpool(NamedTuple):
    """One reading."""

    acknowledged: dict[str, str | None]  # file of WAL -> why it was not pushed; None: it was
    unread: str | None  # what could not be read, and why


def read_spool(spool: str, stanza: str) -> PushSpool:
    """Read its status files; those that go meanwhile are left out, as archive-push removes them."""
    directory, found = f"{spool}/archive/{stanza}/out", PushSpool({}, None)
    path = directory
    try:
        for name in list_folder(directory).files:
            path = f"{directory}/{name}"
            if not name.endswith(OK_SUFFIX):
                continue
            try:
                status = parse_ok_file(read(path, _LIMIT_BYTES))
            except FileNotFoundError:
                continue
            found.acknowledged[name.removesuffix(OK_SUFFIX)] = status
    except OSError as error:
        return (
            found
            if is_proof(error)
            else found._replace(
                unread=tr("{path}: {reason}", path=path, reason=reason(error, path))
            )
        )
    except ParseError as error:
        return found._replace(unread=tr("{path}: {error}", path=path, error=error))
    return found
