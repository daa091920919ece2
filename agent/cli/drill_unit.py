"""`pitr-agent drill-unit`: what pitr-drill@.service runs, with the agent's connection as its input.

Nobody types it: the order comes as a line of JSON, see `agent.drill_schedule.unit`.
"""

from __future__ import annotations

import sys

from agent.errors import UsageError
from parsers.sentences import tr


def run() -> int:
    """Make the drill that standard input orders. Raises UsageError where it orders none."""
    from agent.drill_schedule.unit import serve

    try:
        return serve(sys.stdin.buffer, sys.stdout.buffer)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(
            tr(
                "standard input has no order for a drill: pitr-drill.socket starts "
                "this program, and the agent whose configuration has `drill: "
                "{socket: …}` orders"
            )
        ) from None
