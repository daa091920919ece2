"""What the archive has under a name that an archiver cannot archive: the same file, or another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from agent.archive.codecs import Flaw
from agent.archive.stored import read_stored
from agent.denied import reason
from parsers.sentences import tr
from rules.model.evidence import OccupiedName
from rules.model.facts import ArchivedFile, ArchiveFacts, ArchiverFacts

# Of a file that could be read, and is proven not to be what the server has.
_OTHER_CONTENT: Final = (Flaw.CORRUPT, Flaw.CUT, Flaw.LONGER)


def occupied_name(
    archives: Iterable[ArchiveFacts], archiver: ArchiverFacts | None, pg_wal: str | None
) -> OccupiedName | None:
    """None while the archiver does not fail, or nothing of that name is there.

    `pg_wal` is the server's directory where it can be read from here.
    """
    if archiver is None or archiver.last_failed_at is None or archiver.last_failed_wal is None:
        return None
    since, name = archiver.last_archived_at, archiver.last_failed_wal
    if since is not None and since > archiver.last_failed_at:
        return None
    for archive in archives:
        file = archive.segments.get(name)
        if file is not None:
            same, why = _compare(file, pg_wal, name, archive.segment_size_bytes)
            return OccupiedName(name=name, path=file.path, same=same, why_unknown=why)
    return None


def _compare(
    file: ArchivedFile, pg_wal: str | None, name: str, size: int | None
) -> tuple[bool | None, str | None]:
    if pg_wal is None:
        return None, tr("pg_wal cannot be read from here")
    digests = []
    for directory, of in ((pg_wal, name), (file.directory, file.name)):
        try:
            content = read_stored(directory, of, size or 1 << 30)
        except OSError as error:
            return None, reason(error, f"{directory}/{of}")
        if content.flaw is not None:
            if directory == pg_wal or content.flaw not in _OTHER_CONTENT:
                return None, content.detail
            return False, None
        digests.append(hashlib.sha256(content.data).digest())
    return digests[0] == digests[1], None
