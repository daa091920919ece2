"""Settings of the restored server that the WAL, or the backup, was written with more of.

Follows CheckRequiredParameterValues in xlog.c and RecoveryRequiresIntParameter in xlogrecovery.c
(xlog.c in 14). With hot_standby on, 14 and later pause where a record raises a setting above the
server's own, provided that hot standby is active by then; resumed, they die. Before that, and in
13 always, they die there. With hot_standby off it does not matter.
"""

from __future__ import annotations

from parsers.files.pg_control import ControlFile
from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.wal.facts import ParameterChange
from rules.model.outcome import Hazard
from rules.model.restore_inputs import PARAMETERS, RestoreInputs
from rules.recovery import server_messages as messages

Writer = ControlFile | ParameterChange  # both tell what a server was set to


class Settings:
    """Holds the restored server's settings against those of the servers that wrote the WAL."""

    def __init__(self, restore: RestoreInputs) -> None:
        self._server = server = restore.server
        self._values = dict(server.parameters)
        if server.adjustable and restore.control is not None:
            self._values = {**_values_of(restore.control), **self._values}
        self.needs: dict[str, str] = {}  # what would have to be set, of an adjustable server

    def meet(self, writer: Writer, lsn: int = 0, *, hot: bool = False) -> Hazard | None:
        """Judge what a server wrote with; 0 is the start. `hot`: hot standby is active there."""
        server = self._server
        if not server.signalled:
            return None
        if writer.wal_level == 0 and (server.major >= 14 or server.hot_standby):
            reason = tr(
                "the WAL was written with wal_level = minimal for a while: take a new backup"
            )
            return Hazard(lsn, messages.wal_minimal(server.major), reason)
        for name, least in _values_of(writer).items() if server.hot_standby else ():
            if self.lacks(name, least):
                return self._short(name, least, lsn, hot and server.major >= 14)
        return None

    def lacks(self, name: str, least: int) -> bool:
        """Tell whether a setting is known to be too low; where it may be raised, it will be."""
        value = self._values.get(name)
        if value is None or value >= least:
            return False
        if not self._server.adjustable:
            return True
        self._values[name], self.needs[name] = least, str(least)
        return False

    def _short(self, name: str, least: int, lsn: int, pauses: bool) -> Hazard:
        value = self._values[name]
        fatal = messages.parameter_short(self._server.major, name, value, least)
        reason = tr(
            "{name} = {value} is lower than the {least} of the server that wrote the WAL",
            name=name,
            value=value,
            least=least,
        )
        if pauses:
            reason = tr(
                "recovery pauses at {lsn}, and dies when it is resumed: {reason}",
                lsn=format_lsn(lsn),
                reason=reason,
            )
        remedy = tr(
            "Set {name} = {least} (or more), or hot_standby = off, for the restore: paused or "
            "dead, the server continues when it is started again with that.",
            name=name,
            least=least,
        )
        return Hazard(lsn, fatal, reason, remedy, pauses)


def _values_of(writer: Writer) -> dict[str, int]:
    return {name: getattr(writer, name) for name in PARAMETERS}
