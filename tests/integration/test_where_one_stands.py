"""Nothing is imported from the directory that somebody is in who starts a program.

That may be /tmp, or what somebody else sent; Python's `-c` and `-m` look there first.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fix_check import Archived
from tests.fix_tools import PATIENCE_SECONDS

BIN = Path(sys.executable).parent
OURS = {"agent", "parsers", "rules", "translations", "pitr_kernel", "numpy", "msgspec", "obstore"}
WITH_PROCESSES = {"PITR_ENGINE": "numpy"}


@pytest.fixture
def trapped(tmp_path: Path) -> Path:
    """A directory with a module of each name that Python may look for, which tells of itself."""
    place = tmp_path / "trapped"
    place.mkdir()
    for name in OURS | set(sys.stdlib_module_names):
        (place / f"{name}.py").write_text(f"open({str(place / name)!r} + '.was-run', 'w')\n")
    return place


@pytest.mark.parametrize("environment", [{}, WITH_PROCESSES], ids=["threads", "processes"])
@pytest.mark.parametrize(
    "asked", ["check", "find", "fetch-wal", "watch", "agent"], ids=lambda asked: asked
)
def test_nothing_there_is_run(
    archived: Archived, trapped: Path, tmp_path: Path, asked: str, environment: dict[str, str]
) -> None:
    segment = min(path.name for path in archived.archive.iterdir() if len(path.name) == 24)
    inputs = ("--archive", archived.archive, "--backup", archived.backup)
    configuration = tmp_path / "pitr.yml"
    configuration.write_text(
        f"clusters: [{{name: a, archives: [{{url: {archived.archive}}}], "
        f"backups: {{url: {archived.backup}}}}}]\n"
    )
    command = {
        "check": ("pitr-check", *inputs, "--workers", 2),
        "find": ("pitr-check", "find", *inputs, "--dropped"),
        "fetch-wal": (
            "pitr-agent", "fetch-wal", "--archive", archived.archive, "--prefetch", 2,
            "--prefetch-directory", tmp_path / "spool", segment, tmp_path / segment,
        ),
        "watch": ("pitr-watch", "--once", "--pgdata", archived.backup),
        "agent": ("pitr-agent", "check-config", "--config", configuration, "--try"),
    }[asked]  # fmt: skip
    ran = subprocess.run(
        [BIN / str(command[0]), *map(str, command[1:])],
        cwd=trapped,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert not {"usage:", "Traceback"} & set(ran.stderr.split()), ran.stderr[-2000:]
    assert [path.stem for path in trapped.glob("*.was-run")] == []
