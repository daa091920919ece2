"""Where `pitr-agent` starts. fetch-wal runs once a segment: it must not import what `run` needs."""

from __future__ import annotations

import os
import sys

from agent.cli.streams import open_closed_streams


def main() -> int:
    """Entry point of the command."""
    open_closed_streams()
    if sys.argv[1:2] == ["fetch-wal"]:
        from agent.cli import fetch_wal

        status = fetch_wal.main(sys.argv[2:])
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)  # what it has imported need not be taken down piece by piece
    from agent.cli import agent

    return agent.main()
