"""The process that fetches ahead: SPOOL DATA_DIRECTORY COUNT ROOT... [-- OPTION VALUE...].

`agent.archive.spool` starts it, `agent.archive.prefetch` says what it does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from agent.archive.prefetch import Spool, serve
from agent.archive.spool import REPOSITORIES, lock
from agent.store.urls import is_remote, take


def main(argv: Sequence[str]) -> int:
    """Fetch ahead until recovery has ended."""
    path, data_directory, count, *named = argv
    at = named.index(REPOSITORIES) if REPOSITORIES in named else len(named)
    roots = [take(root) if is_remote(root) else root for root in named[:at]]
    held = lock(path)
    if held is None:
        return 0
    spool = Spool(path, data_directory, roots)
    if words := named[at + 1 :]:
        from agent.cli.named_repositories import Repositories

        spool = Spool(path, data_directory, roots, Repositories(words).find_wal)
    try:
        spool.keep_only(())  # what one before left when it was killed
        serve(spool, int(count))
    finally:
        spool.clear()
        os.close(held)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
