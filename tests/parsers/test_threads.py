"""Grammars are shared by the threads that follow logs: first lines come from several."""

from __future__ import annotations

import subprocess
import sys

from tests.fix_tools import PATIENCE_SECONDS

_FIRST_LINES = """
import sys, threading
from parsers.log.format_string import parse_format
from parsers.files.server_conf import parse_server_conf

sys.setswitchinterval(1e-6)
errors, together = [], threading.Barrier(8)

def read():
    together.wait()
    try:
        for text in ("%X/%X %m", "%s %u %d", "%ld.%03d s %%", "%x %2$s", "%f"):
            parse_format(text)
        parse_server_conf("a = 'b'")
    except Exception as error:
        errors.append(repr(error))

threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("\\n".join(errors))
"""


def test_first_lines_from_several_threads_at_once() -> None:
    """In a process of its own: only what was never asked before can be asked for the first time."""
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", _FIRST_LINES],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        assert (done.stdout.strip(), done.stderr) == ("", "")
