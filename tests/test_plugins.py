"""A run imports what its tests use: who tests a parser waits for no browser."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
_COLLECTS = """
import sys, pytest
status = pytest.main(["--collect-only", "-q", "-n", "0", "tests/rules/recovery/test_table.py"])
print("imported:", *(name for name in ("playwright", "psycopg", "fastapi") if name in sys.modules))
sys.exit(status)
"""


def test_a_pure_test_is_collected_without_browser_and_server() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _COLLECTS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[-1].strip() == "imported:"
