"""What replay does with tablespaces: the directories that it must find, and those it must not.

Follows tblspc_redo and create_tablespace_directories in commands/tablespace.c, read_tablespace_map
and CheckTablespaceDirectory in xlogrecovery.c (xlog.c to 14). To replay CREATE TABLESPACE the
server sets the permissions of the location, which must be there and its own; it takes a directory
with files in it as it is, those of another server that lives there included. At consistency
pg_tblspc must hold links alone, unless allow_in_place_tablespaces is on.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Final

from parsers.files.pg_control import ControlFile
from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.wal.facts import Event, TablespaceCreate, TablespaceDrop
from rules.model.facts import BackupFacts, BackupTablespace
from rules.model.outcome import Hazard, NeededDirectory
from rules.model.restore_inputs import Location, RestoreInputs
from rules.recovery import server_messages as messages
from rules.recovery.stop_point import Consistency

_ALLOWED: Final = {"allow_in_place_tablespaces": "on"}


class Tablespaces:
    """Follows pg_tblspc from the backup's state on."""

    def __init__(self, restore: RestoreInputs) -> None:
        self._server, self._control = restore.server, restore.control
        self._in_place = {
            space.oid: space.filled for space in restore.backup.tablespaces if not space.location
        }
        self._consistent = False
        self.needs: Mapping[str, str] = {}  # settings without which the server dies
        self.directories = list(_mapped(restore))  # that the machine must have, in order

    def meet(self, event: Event) -> Hazard | None:
        """Replay one record."""
        if isinstance(event, TablespaceDrop):
            self._in_place.pop(event.tablespace, None)
        if not isinstance(event, TablespaceCreate):
            return None
        if not event.location:
            self._in_place[event.tablespace] = False
            return None
        return self._create(event)

    def meet_consistency(self, consistency: Consistency | None, replayed_lsn: int) -> None:
        """See whether consistency is reached, once all that starts before an LSN is replayed."""
        if self._consistent or consistency is None:
            return
        by_lsn = consistency.lsn - 1 if consistency.by_lsn is None else consistency.by_lsn
        if replayed_lsn > by_lsn:
            self._consistent = True
            self.needs = _ALLOWED if self._in_place else {}

    def _create(self, event: TablespaceCreate) -> Hazard | None:
        found = self._server.locate(event.location)
        where = printable(event.location)
        self.directories.append(NeededDirectory(event.tablespace, where, event.lsn, found))
        problem = _problem(found, where, self._control)
        if problem is None:
            if self._in_place.pop(event.tablespace, False):
                return _undeletable(event.tablespace, event.lsn)
            return None
        fatal, told = problem
        reason = tr(told, tablespace=event.tablespace, lsn=format_lsn(event.lsn), location=where)
        return Hazard(event.lsn, fatal, reason, _remedy(where))


def directory_in_the_way(backup: BackupFacts) -> Hazard | None:
    """A directory with files where tablespace_map wants a link: the server cannot remove it."""
    for space in backup.tablespaces:
        if space.mapped and space.filled:
            return _undeletable(space.oid, 0)
    return None


def printable(location: str) -> str:
    """A location with bytes that are no UTF-8 replaced."""
    return location.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _mapped(restore: RestoreInputs) -> list[NeededDirectory]:
    """Where tablespace_map puts the backup's own tablespaces."""

    def needed(space: BackupTablespace) -> NeededDirectory:
        found = restore.server.locate(space.location or "")
        return NeededDirectory(space.oid, printable(space.location or ""), None, found)

    return [needed(space) for space in restore.backup.tablespaces if space.mapped]


def _problem(
    found: Location | None, where: str, control: ControlFile | None
) -> tuple[str | None, str] | None:
    """The server's words about a location, and ours of the record that creates a tablespace there.

    None when it can be used, or may be.
    """
    match found:
        case Location.ABSENT:
            return messages.location_absent(where), tr(
                "recovery creates tablespace {tablespace} at {lsn} in {location}, which does not "
                "exist on this machine"
            )
        case Location.NOT_A_DIRECTORY:
            return messages.location_no_directory(where, control), tr(
                "recovery creates tablespace {tablespace} at {lsn} in {location}, which is no "
                "directory on this machine"
            )
        case Location.OF_ROOT:
            return messages.location_not_owned(where), tr(
                "recovery creates tablespace {tablespace} at {lsn} in {location}, which belongs to "
                "root on this machine"
            )
        case _:
            return None


def _remedy(where: str) -> str:
    return tr(
        "Make the directory before the restore, for the server's account: install -d -m 700 -o "
        "postgres -g postgres {directory}. For a restore on another machine ask again with "
        "--other-machine.",
        directory=shlex.quote(where),
    )


def _undeletable(oid: int, lsn: int) -> Hazard:
    place = f"pg_tblspc/{oid}"
    reason = tr(
        "{place} in the backup is a directory with files: recovery wants a link there", place=place
    )
    remedy = tr(
        "Move the files of {place} to the tablespace's location and remove the directory: the "
        "backup was copied by a program that follows links.",
        place=place,
    )
    return Hazard(lsn, messages.directory_not_empty(place), reason, remedy)
