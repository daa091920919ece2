"""Every question put to a server, one row each.

A lane is one connection whose pollers run one after the other. Listing a directory can be slow
on a server with very many files, so those have a lane of their own and never delay the rest.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Final

from psycopg import Connection

from agent.pollers.archive_status import poll_archive_status
from agent.pollers.archiver import poll_archiver
from agent.pollers.base_backups import poll_base_backups
from agent.pollers.control import poll_control
from agent.pollers.positions import poll_positions
from agent.pollers.settings import poll_settings
from agent.pollers.slots import poll_slots
from agent.pollers.wal_directory import poll_wal_directory
from agent.pollers.wal_volume import poll_wal_volume
from parsers.values import dataclass
from rules.model import facts


class Lane(enum.Enum):
    """Which of a cluster's connections a poller uses."""

    STATE = "state"
    DIRECTORIES = "directories"


@dataclass(frozen=True, slots=True, kw_only=True)
class Poller:
    """One collector of the server: its name in metrics, the facts it gives, how it asks."""

    name: str
    facts: type
    lane: Lane
    poll: Callable[[Connection[Any]], object]


POLLERS: Final = (
    Poller(name="archiver", facts=facts.ArchiverFacts, lane=Lane.STATE, poll=poll_archiver),
    Poller(name="positions", facts=facts.PositionFacts, lane=Lane.STATE, poll=poll_positions),
    Poller(name="control", facts=facts.ControlFacts, lane=Lane.STATE, poll=poll_control),
    Poller(name="settings", facts=facts.SettingsFacts, lane=Lane.STATE, poll=poll_settings),
    Poller(name="slots", facts=facts.SlotsFacts, lane=Lane.STATE, poll=poll_slots),
    Poller(
        name="base_backups",
        facts=facts.RunningBackupsFacts,
        lane=Lane.STATE,
        poll=poll_base_backups,
    ),
    Poller(
        name="archive_status",
        facts=facts.ArchiveStatusFacts,
        lane=Lane.DIRECTORIES,
        poll=poll_archive_status,
    ),
    Poller(
        name="wal_directory",
        facts=facts.WalDirectoryFacts,
        lane=Lane.DIRECTORIES,
        poll=poll_wal_directory,
    ),
    Poller(
        name="wal_volume",
        facts=facts.WalVolumeFacts,
        lane=Lane.DIRECTORIES,
        poll=poll_wal_volume,
    ),
)
POLLERS_OF: Final = {
    lane: tuple(poller for poller in POLLERS if poller.lane is lane) for lane in Lane
}
