"""Threads share glibc's one arena, unless whoever starts the agent says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.fix_tools import PATIENCE_SECONDS

_COUNT = """
import ctypes, threading
from agent.daemon.allocation import allocate_together, give_back
{set}
met = threading.Barrier(9)
for _ in range(8):
    threading.Thread(target=lambda: (ctypes.create_string_buffer(50_000), met.wait())).start()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
met.wait()
give_back()
"""


def arenas(code: str, **environment: str) -> int:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    said = subprocess.run(
        [sys.executable, "-c", _COUNT.format(set=code)],
        env={**clean, **environment}, check=True, capture_output=True, text=True,
        timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    return said.stdout.count("<heap nr=")


def test_threads_share_one_arena() -> None:
    assert arenas("") > 1
    assert arenas("allocate_together()") == 1


def test_what_a_person_set_counts() -> None:
    assert arenas("allocate_together()", MALLOC_ARENA_MAX="3") == 3
