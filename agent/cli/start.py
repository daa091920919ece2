"""Where `pitr-agent` starts. fetch-wal runs once a segment: it must not import what `run` needs."""

from __future__ import annotations

import os
import sys

from agent.cli.streams import open_closed_streams


def main() -> int:
    """Entry point of the command."""
    open_closed_streams()
    words = sys.argv[1:]
    if "fetch-wal" in words[:3] and words[0].startswith(("fetch-wal", "--lang")):
        from agent.cli import fetch_wal

        words.remove("fetch-wal")
        status = fetch_wal.main(words)
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)  # what it has imported need not be taken down piece by piece
    from agent.cli import agent

    return agent.main()
