"""A process beside ours that ends another when ours is gone, however it went."""

from __future__ import annotations

import signal
import subprocess
from typing import Final

# Waits for the end of its standard input, which comes with our own. Should the process be gone by
# then and its id be another's, the time of birth tells.
_SCRIPT: Final = """
born() { ps -o lstart= -p "$1" 2>/dev/null; }
was=$(born "$2")
read -r _
[ "$(born "$2")" = "$was" ] && kill -s "$1" "$2" 2>/dev/null
"""


class Guardian:
    """Sends `how` to the process `pid` when this process ends, killed or not, until dismissed."""

    def __init__(self, pid: int, how: signal.Signals) -> None:
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "sh", how.name.removeprefix("SIG"), str(pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def dismiss(self) -> None:
        self._process.kill()
        self._process.communicate()
