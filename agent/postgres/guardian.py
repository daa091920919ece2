"""A process beside ours that ends another when ours is gone, however it went."""

from __future__ import annotations

import signal
import subprocess
from typing import Final

# Shell functions. `same PID STAT`: whether this process is still the one whose /proc/PID/stat was
# that, and not another with its id: field 22 of proc(5) is when it began, the 20th after its name.
SAME_PROCESS: Final = """
born() { set -- ${1##*) }; echo "${20}"; }
same() { read -r now <"/proc/$1/stat" && [ "$(born "$now")" = "$(born "$2")" ]; }
"""
# Waits for the end of its standard input, which comes with our own.
_SCRIPT: Final = (
    SAME_PROCESS
    + """
read -r was <"/proc/$2/stat" || exit
read -r _
same "$2" "$was" && kill -s "$1" "$2"
"""
)


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
