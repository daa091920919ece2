"""Whatever lies under a name that is read: said by its name, at once, in little memory, unknown.

Every kind of thing under every name, with its own message. What is proven all the same is said: a
file of 3 GiB is not the one of 200 bytes that the manifest lists.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fix_check import WITHOUT_ROOTS_EYES, Archived, Checked
from tests.fix_tools import PATIENCE_SECONDS
from tests.integration.test_no_files import KINDS, put

_SECRET = "hunter2-the-password"
_SECONDS = PATIENCE_SECONDS  # what waits for a pipe waits for ever
_PROGRAM = """\
import sys
from agent.cli.check import main

try:
    sys.exit(main())
finally:
    print(*(line for line in open("/proc/self/status") if "VmHWM" in line), file=sys.stderr)
"""
_PEAK_MIB = 400
INCLUDED = "included.conf"


def a_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def a_link_out(path: Path) -> None:
    outside = Path(tempfile.mkdtemp()) / path.name
    outside.write_text(f"{_SECRET}\n")
    path.symlink_to(outside)


def a_file_of_3_gib(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 << 30)


def a_file_of_somebody_else(path: Path) -> None:
    path.write_text(f"{_SECRET}\n")
    path.chmod(0)


ALL: list[Callable[[Path], None]] = [
    *KINDS, a_dangling_link, a_link_out, a_file_of_3_gib, a_file_of_somebody_else,
]  # fmt: skip
OF_BACKUP = (
    "backup_label", "backup_manifest", "global/pg_control", "PG_VERSION", "tablespace_map",
    "postgresql.conf", "postgresql.auto.conf", INCLUDED,
)  # fmt: skip
# Of these the manifest tells the size, and nobody disputes that they have another: a size is seen
# without the right to read.
SIZED = ("global/pg_control", "PG_VERSION", "postgresql.conf")
OF_ANOTHER_SIZE = (a_file_of_3_gib, a_file_of_somebody_else)


def measured(*words: object, prefix: tuple[str, ...] = (), most_mib: int = _PEAK_MIB) -> Checked:
    """Run pitr-check, within seconds and in little memory."""
    command = [*prefix, sys.executable, "-c", _PROGRAM, *map(str, words)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    err, peak = process.stderr.rsplit("VmHWM:", 1)
    assert int(peak.split()[0]) / 1024 < most_mib, err
    return Checked(process.returncode, process.stdout, err)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_under_every_name_of_a_backup(archived: Archived, kind: Callable[[Path], None]) -> None:
    (archived.backup / INCLUDED).write_text("work_mem = 4MB\n")
    auto = archived.backup / "postgresql.auto.conf"  # no manifest tells its size
    auto.write_text(f"include '{INCLUDED}'\n")
    kept = archived.backup.rename(archived.backup.parent / "kept")
    for name in OF_BACKUP:
        subprocess.run(["cp", "-al", kept, archived.backup], check=True)
        put(kind, archived.backup / name)
        checked = measured(
            "--archive", archived.archive, "--backup", archived.backup, "--format", "json",
            "--depth", "names", prefix=WITHOUT_ROOTS_EYES,
        )  # fmt: skip
        told = checked.out + checked.err
        sized = name in SIZED and kind in OF_ANOTHER_SIZE
        assert checked.status == (2 if sized else 3), (name, told)
        assert name in told, name
        assert _SECRET not in told
        subprocess.run(["rm", "-rf", archived.backup], check=True)
