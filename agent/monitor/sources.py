"""What cannot be read, by its source: a server that does not answer is one loss, not seven."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from agent.monitor.reading import Reading
from agent.pollers.registry import POLLERS
from parsers.sentences import tr

SERVER: Final = "server"

log: Final = logging.getLogger("pitr.cluster")


def failing_sources(readings: Mapping[str, Reading]) -> dict[str, str]:
    """Source -> why it cannot be read, one line.

    A collector's own failure (a right that is missing) stays its own; all those that got no answer
    are the server, until the last of them is answered again.
    """
    asked = [readings[poller.name] for poller in POLLERS if poller.name in readings]
    lost = [reading for reading in asked if reading.unreachable]
    quiet = {reading.collector for reading in lost}
    failing = {name: r.error for name, r in readings.items() if r.error and name not in quiet}
    if lost:
        error = lost[0].error or ""
        if len(lost) < len(asked):
            error = tr("{collectors}: {error}", collectors=", ".join(sorted(quiet)), error=error)
        failing[SERVER] = error
    return failing


def log_changes(cluster: str, before: Mapping[str, str], readings: Mapping[str, Reading]) -> None:
    """One line when a source begins to fail or works again; one for all that fail alike."""
    after = failing_sources(readings)
    for source, error in after.items():
        known = before.get(source) == error or (source == SERVER and source in before)
        if not known and error not in before.values():
            log.warning("%s: %s: %s", cluster, source, error)
    for source in before.keys() - after.keys():
        # What failed by itself may now fail with its server: that is no recovery.
        if source == SERVER or readings[source].succeeded:
            log.info("%s: %s: works again", cluster, source)
