"""Names that were typed, or come with a wildcard, reach no terminal as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fix_tools import PATIENCE_SECONDS

HOSTILE = "a\x1b[2J\x1b]0;x\x07\nverdict: ok\x9b1m"
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "words",
    [
        ("pitr-check", "--archive", f"/{HOSTILE}"),
        ("pitr-check", "--archive", f"D/{HOSTILE}"),
        ("pitr-check", "--archive", f"D/{HOSTILE}", "--format", "nagios"),
        ("pitr-check", "--archive", f"D/{HOSTILE}", "--format", "prometheus"),
        ("pitr-check", "--archive", f"D/{HOSTILE}", "--backup", f"D/{HOSTILE}"),
        ("pitr-check", f"--{HOSTILE}"),
        ("pitr-check", "--config", HOSTILE, "--cluster", HOSTILE),
        ("pitr-check", "--archive", "D", "--target-name", HOSTILE),
        ("pitr-check", "--archive", "D", "--target-time", HOSTILE),
        ("pitr-check", "find", "--archive", f"D/{HOSTILE}", "--text", HOSTILE),
        ("pitr-check", "retention", "--archive", f"D/{HOSTILE}", "--backups", f"D/{HOSTILE}"),
        ("pitr-check", "explain", HOSTILE),
        ("pitr-agent", "run", "--config", HOSTILE),
        ("pitr-agent", "check-config", "--config", f"D/{HOSTILE}"),
        ("pitr-agent", "fetch-wal", "--archive", f"D/{HOSTILE}", HOSTILE, "D/out"),
        ("pitr-agent", "fetch-wal", "--archive", f"/{HOSTILE}", "000000010000000000000001", "D/o"),
        ("pitr-watch", "--log", f"D/{HOSTILE}", "--once"),
        ("pitr-watch", "--pgdata", f"D/{HOSTILE}", "--once", "--format", "text"),
    ],
    ids=lambda words: " ".join(words[:3]).replace(HOSTILE, "X"),
)
def test_a_terminal_is_given_no_order(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / HOSTILE.replace("/", "_")).mkdir()
    program, *rest = (word.replace("D/", f"{tmp_path}/") for word in words)
    rest = [str(tmp_path) if word == "D" else word for word in rest]
    result = subprocess.run(
        [BIN / program, *rest], capture_output=True, timeout=PATIENCE_SECONDS, cwd=tmp_path
    )
    said = (result.stdout + result.stderr).decode()
    assert said, "it says something"
    assert [c for c in said if not c.isprintable() and c != "\n"] == []
    assert not [line for line in said.splitlines() if line.startswith("verdict: ok")]
    assert b"Traceback" not in result.stderr
