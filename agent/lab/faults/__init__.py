"""The faults of the laboratory, by name. Adding one: a file here, a line in the table."""

from __future__ import annotations

from typing import Final

from agent.lab.faults.archive_fails import ARCHIVE_FAILS
from agent.lab.faults.bitflip import BITFLIP
from agent.lab.faults.fault import Fault
from agent.lab.faults.gap import GAP
from agent.lab.faults.hung_archive import HUNG_ARCHIVE
from agent.lab.faults.midnight import MIDNIGHT
from agent.lab.faults.silent_loss import SILENT_LOSS
from agent.lab.faults.truncated import TRUNCATED
from agent.lab.faults.wrong_cluster import WRONG_CLUSTER

__all__ = ["FAULTS", "Fault"]

FAULTS: Final = {
    fault.name: fault
    for fault in (
        ARCHIVE_FAILS,
        GAP,
        TRUNCATED,
        BITFLIP,
        WRONG_CLUSTER,
        HUNG_ARCHIVE,
        SILENT_LOSS,
        MIDNIGHT,
    )
}
