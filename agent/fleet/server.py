"""What a running server says of its archiving, asked once: how much WAL is in no archive yet.

The age of what is exposed takes watching: an agent knows it.
"""

from __future__ import annotations

import logging
from typing import Final

import psycopg

from agent.deadline import DeadlinePassed
from agent.pollers.lane import ServerLane
from agent.pollers.registry import POLLERS
from rules.capacity.exposure import ExposureFacts, exposure, follow
from rules.case.case import Case
from rules.model.facts import ArchiverFacts, ControlFacts, PositionFacts

log: Final = logging.getLogger("pitr.fleet")

_ASKED: Final = (PositionFacts, ArchiverFacts, ControlFacts)


def ask_exposure(dsn: str, timeout_seconds: float, case: Case) -> ExposureFacts | None:
    """None for one that does not answer: its files are judged all the same."""
    lane = ServerLane(dsn, timeout_seconds)
    try:
        said = [lane.poll(poller) for poller in POLLERS if poller.facts in _ASKED]
    except (psycopg.Error, DeadlinePassed, OSError) as error:
        log.debug("no exposure: %s", error)
        return None
    finally:
        lane.close()
    known = case.having(*said)
    return exposure(follow((), known), known)
