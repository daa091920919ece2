"""A process beside the drill: when the drill dies, it ends what was started and removes the area.

It waits for the end of its standard input, which comes with our own, however we end. Every process
of a drill is started through it: a shell tells the guardian its own process id before it becomes
the program, so that there is no moment at which one runs that the guardian does not know. Whoever
kills the guardian too (a control group as a whole, a machine that goes down) leaves its area,
which the next drill or `pitr-check clean-drills` finds.

`agent.postgres.guardian` ends one process that runs already; this one knows several, and what they
leave on the disk.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, Literal

from agent.postgres.account import Account
from agent.postgres.guardian import SAME_PROCESS

Role = Literal["server", "tool"]  # of each there is one at a time

# A service manager signals everybody: the guardian outlives that, the drill cleans up by itself.
# Processes of the server work in its data directory; find knows them without a look at their names.
# What has a terminal (field 7 of proc(5), the 5th after the name) is a person who looks around.
_GUARDIAN: Final = (
    SAME_PROCESS
    + """
trap '' INT TERM HUP QUIT
area=$1 sockets=$2 link=$3 data=$4 account=$5 server= tool=
while read -r role pid stat; do
  case $role in
    server) server=$pid server_stat=$stat ;;
    tool) tool=$pid tool_stat=$stat ;;
  esac
done
working() {
  find /proc/[0-9]*/cwd -maxdepth 0 -uid "$account" -lname "$data*" | while read -r at; do
    pid=${at#/proc/} pid=${pid%/cwd}
    read -r stat <"/proc/$pid/stat" || continue
    set -- ${stat##*) }
    [ "$5" != 0 ] || echo "$pid"
  done
}
runs() { [ -n "$server" ] && same "$server" "$server_stat"; }
# A group keeps its id from others for as long as anybody is in it.
if [ -n "$tool" ] && { [ ! -e "/proc/$tool" ] || same "$tool" "$tool_stat"; }; then
  kill -KILL "-$tool"
fi
if runs; then kill -QUIT "$server"; fi
tries=0
while [ -n "$(working)" ] && [ "$tries" -lt 100 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
for pid in $(working); do
  kill -KILL "$pid"
done
if runs; then kill -KILL "$server"; fi
rm -rf -- "$sockets" "$area"
rm -f -- "$link"
"""
)
# Standard input is the guardian's: announced and let go of before the program takes over.
_ANNOUNCED: Final = """
role=$1; shift
read -r stat <"/proc/$$/stat" && echo "$role $$ $stat" >&0 || exit 126
exec "$@" </dev/null
"""
_WILD: Final = re.compile(r"[][*?\\]")  # what find's patterns would not take for itself


class AreaGuardian:
    """The process beside one drill, of our own account."""

    def __init__(self, area: Path, sockets: Path, link: Path, account: Account) -> None:
        data = _WILD.sub(r"\\\g<0>", str(area / "data"))
        self._process = subprocess.Popen(
            [
                "/bin/sh",
                "-c",
                _GUARDIAN,
                "pitr-drill-guardian",
                area,
                sockets,
                link,
                data,
                str(account.uid),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            bufsize=0,
        )

    @property
    def _pipe(self) -> IO[bytes]:
        assert self._process.stdin is not None, "it was started with a pipe"
        return self._process.stdin

    def start(
        self,
        role: Role,
        command: Sequence[str],
        *,
        options: Mapping[str, Any],
        prefix: Sequence[str] = (),
        **streams: Any,
    ) -> subprocess.Popen[bytes]:
        """Start a program that ends when we do. `options` are those of an account.

        `prefix` is what keeps it in: the process that is announced is the one inside.
        """
        return subprocess.Popen(
            [*prefix, "/bin/sh", "-c", _ANNOUNCED, "sh", role, *command],
            stdin=self._pipe,
            **streams,
            **options,
        )

    def forget(self, role: Role) -> None:
        """The process has ended: its id means nothing any more."""
        try:
            self._pipe.write(f"{role}\n".encode())
        except OSError:  # somebody killed it: what it would have done is ours to do
            return

    def dismiss(self) -> None:
        """There is nothing left to guard."""
        self._process.kill()
        self._process.communicate()
