"""What a fault is: a way to break a healthy laboratory, and what the agent should say to it."""

from __future__ import annotations

from collections.abc import Callable

from agent.lab.laboratory import Laboratory
from parsers.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to break it. `break_it` and `mend` say in one sentence what they did."""

    name: str  # as --fault takes it
    summary: str  # one line for --help
    findings: frozenset[str]  # ids of which the agent must raise one at least
    break_it: Callable[[Laboratory], str]
    mend: Callable[[Laboratory], str]
    # Writes what the fault's own archiving needs and gives its archive_command; None: the usual cp.
    prepare: Callable[[Laboratory], str] | None = None
