"""What pitr-check shows a person: the worst first, colours, a table of many backups, its help."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fix_check import Archived, pitr_check
from tests.fix_postgres import NewCluster
from tests.fix_tools import PATIENCE_SECONDS

_PROGRAM = Path(sys.executable).with_name("pitr-check")
_COLOUR = re.compile(r"\x1b\[[0-9;]+m")


@dataclass(frozen=True)
class Shown:
    """What a terminal was sent, bare and with its colours."""

    status: int
    raw: str

    @property
    def lines(self) -> list[str]:
        """All but when it was read: that differs from run to run."""
        lines = _COLOUR.sub("", self.raw).replace("\r", "").rstrip("\n").split("\n")
        return [line for line in lines if not line.startswith("  read ")]


def on_a_terminal(*arguments: object, rows: int = 200, **environment: str) -> Shown:
    """Run it in a terminal of 100 columns; what goes to stderr is no part of it."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 100, 0, 0))
    inherited = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
    process = subprocess.Popen(
        [str(_PROGRAM), *map(str, arguments)],
        stdin=slave, stdout=slave, stderr=subprocess.DEVNULL,
        env={**inherited, "TERM": "xterm-256color", **environment},
    )  # fmt: skip
    os.close(slave)
    raw = b""
    try:
        while more := os.read(master, 65536):
            raw += more
    except OSError:  # its other end is closed
        pass
    finally:
        os.close(master)
    return Shown(process.wait(PATIENCE_SECONDS), raw.decode())


@pytest.fixture
def broken(archived: Archived) -> tuple[str, ...]:
    """A cluster with one segment missing."""
    archived.segments[-2].unlink()
    return ("--archive", str(archived.archive), "--backup", str(archived.backup))


def test_the_first_line_names_the_segment_and_comes_again(
    broken: tuple[str, ...], archived: Archived
) -> None:
    high, low = on_a_terminal(*broken), on_a_terminal(*broken, rows=12)
    first = high.lines[0]
    assert high.status == low.status == 2
    assert first.startswith("CRITICAL: 1 segment missing on timeline 1: 0000000100000000000000")
    assert high.lines.count(first) == 1
    assert low.lines == [*high.lines, "", first]


def test_what_follows_from_the_gap_stands_under_it(broken: tuple[str, ...]) -> None:
    lines = pitr_check(*broken).out.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("CRITICAL wal_gap: "))
    assert lines[at + 1].startswith("  what to do: ")
    assert lines[at + 2].startswith("  so also: CRITICAL recovery_ends_short: ")
    found = {
        each["id"]: each["because"]
        for each in pitr_check(*broken, "--format", "json").json["findings"]
    }
    assert found["recovery_ends_short"] == "wal_gap" and found["wal_gap"] is None


def test_severities_have_colours_on_a_terminal(broken: tuple[str, ...]) -> None:
    shown = on_a_terminal(*broken)
    assert shown.raw.startswith("\x1b[1;31mCRITICAL\x1b[0m: ")
    assert "\x1b[1;31mCRITICAL\x1b[0m wal_gap: " in shown.raw
    for plain in (
        on_a_terminal(*broken, NO_COLOR="1"),
        on_a_terminal(*broken, TERM="dumb"),
        on_a_terminal(*broken, "--color", "never"),
    ):
        assert not _COLOUR.search(plain.raw) and plain.lines == shown.lines
    assert "\x1b[1;31m" in on_a_terminal(*broken, "--color", "always", NO_COLOR="1").raw


def test_a_pipe_gets_colours_only_when_they_are_asked_for(broken: tuple[str, ...]) -> None:
    assert not _COLOUR.search(pitr_check(*broken).out)
    assert pitr_check(*broken, "--color", "always").out.startswith("\x1b[1;31mCRITICAL\x1b[0m: ")
    refused = pitr_check(*broken, "--format", "json", "--color", "always")
    assert (refused.status, refused.out) == (64, "")


def test_thirty_backups_are_a_table(archived: Archived) -> None:
    home = archived.backup.parent / "many"
    for day in range(1, 31):
        shutil.copytree(archived.backup, home / f"2026-11-{day:02}", copy_function=os.link)
    options = ("--archive", archived.archive, "--backups", home, "--backup-depth", "label")
    lines = pitr_check(*options).out.splitlines()
    at = lines.index("30 backups, oldest first (details: -v, or --backup with one of them)")
    assert lines[at + 1].split() == [
        "label", "kind", "finished", "(UTC)", "window", "(UTC)", "verdict",
    ]  # fmt: skip
    rows = lines[at + 2 : at + 32]
    assert [row.split()[0] for row in rows] == [f"2026-11-{day:02}" for day in range(1, 31)]
    assert all(row.split()[1] == "full" and row.endswith("  restorable") for row in rows)
    assert all(re.search(r"  \d\d-\d\d \d\d:\d\d to \d\d-\d\d \d\d:\d\d  ", row) for row in rows)
    assert max(map(len, rows)) <= 100 and len(lines) < 70
    verbose = pitr_check(*options, "-v").out.splitlines()
    assert sum(line.startswith("backup ") for line in verbose) == 30
    alone = pitr_check(
        "--archive", archived.archive, "--backup", home / "2026-11-07", "--backup-depth", "label"
    )
    assert f"backup {home}/2026-11-07" in alone.out.splitlines()


@pytest.mark.pg("== 18")
def test_a_month_of_increments_is_told_shortly(new_cluster: NewCluster) -> None:
    cluster = new_cluster(18, summarize_wal=True)
    home = cluster.account.make_directory(cluster.home / "month")
    cluster.base_backup(home / "1")
    for day in range(2, 7):
        cluster.base_backup(home / str(day), "--incremental", f"{home}/{day - 1}/backup_manifest")
    options = ("--archive", cluster.home / "archive", "--backups", home, "--wait", "1m")
    lines = pitr_check(*options).out.splitlines()
    rows = [line for line in lines if re.match(r"  \d +(full|incr) ", line)]
    assert len(rows) == 6 and all(row.endswith("  combine it first") for row in rows[1:])
    told = [number for number, line in enumerate(lines) if line.startswith("  backup_incremental:")]
    assert len(told) == 1
    assert lines[told[0] + 1].startswith(f"    and 4 more (-v shows them), the last: {home}/6 is")
    everything = pitr_check(*options, "-v").out
    assert everything.count("  backup_incremental:") == 5


@pytest.mark.parametrize(
    "command", ["", "windows", "plan", "find", "retention", "explain", "clean-drills"]
)
def test_each_help_fits_a_screen(command: str) -> None:
    lines = on_a_terminal(*command.split(), "--help", rows=50).lines
    assert len(lines) <= 49 and max(map(len, lines)) <= 100
    at = lines.index("examples:")
    examples = lines[at + 1 : lines.index("", at)]
    assert 2 <= len(examples) <= 3
    assert all(example.startswith(f"  pitr-check {command}".rstrip()) for example in examples)
    assert lines[lines.index("exit status:") + 1].startswith("  0  ")


def test_the_full_help_explains_every_option() -> None:
    brief, full = pitr_check("--help").out, pitr_check("--help-all").out
    options = set(re.findall(r"--[a-z][a-z-]+", brief))
    assert options <= set(re.findall(r"--[a-z][a-z-]+", full))
    assert "its defaults, or one by a restore_command" in " ".join(full.split())
    assert len(full) > 2 * len(brief)
