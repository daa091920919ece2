"""The backup script: it calls valid what is proven, and ends in 3 or 64 whatever else happens.

A real server, its pg_basebackup, its archive; what fails is made to fail for real where it can be.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent.postgres.cluster import SUPERUSER, Cluster
from tests.fix_check import WITHOUT_ROOTS_EYES
from tests.fix_postgres import NewCluster
from tests.fix_tools import PATIENCE_SECONDS, need_program
from tests.guides import DIRECTORY, read_fences
from tests.waiting import wait_until

SCRIPT = Path(__file__).parents[2] / "packaging" / "backup" / "nightly-backup"
PACKAGED = (SCRIPT, *(SCRIPT.with_suffix(suffix) for suffix in (".service", ".timer", ".cron")))
MOUNTS = pytest.mark.needs("mount namespaces")
# Root may write anywhere: this root may not.
BOUND = (
    ("setpriv", "--bounding-set", "-dac_override", "--inh-caps", "-dac_override")
    if os.geteuid() == 0
    else ()
)

# A tool that goes on when the file is taken away.
WAITS = 'touch "$BACKUPS/../begun"; while [ -e "$BACKUPS/../begun" ]; do sleep 0.1; done'


@dataclass(kw_only=True)
class Nightly:
    """The script beside a server."""

    primary: Cluster
    archive: Path
    backups: Path
    tools: Path  # first in PATH
    said: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def command(self) -> dict[str, Any]:
        ours, servers = Path(sys.executable).parent, self.primary.installation.bindir
        places = {"ARCHIVE": str(self.archive), "BACKUPS": str(self.backups)}
        environment = {
            "PATH": f"{self.tools}:{ours}:{servers}:{os.environ['PATH']}",
            "PGHOST": str(self.primary.sockets), "PGUSER": SUPERUSER, **places, **self.environment,
        }  # fmt: skip
        return {
            "env": {name: value for name, value in environment.items() if value != "unset"},
            "stdin": subprocess.DEVNULL,
            "cwd": self.backups.parent,
        }

    def run(self, prefix: tuple[str, ...] = BOUND) -> int:
        """Its status; what it said is kept."""
        result = subprocess.run(
            [*prefix, SCRIPT],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            **self.command(),
        )
        self.said = result.stderr
        return int(result.returncode)

    def wait_let_go(self) -> None:
        """Until the last process of a script that was killed has ended as well."""
        directory = os.open(self.backups, os.O_RDONLY)
        fcntl.flock(directory, fcntl.LOCK_EX)
        os.close(directory)

    @property
    def valid(self) -> list[Path]:
        """What lies under a name of its own."""
        return sorted(path for path in self.backups.iterdir() if path.is_dir())

    def tool(self, name: str, text: str) -> None:
        """A program that comes before the real one in PATH."""
        path = self.tools / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)

    def real(self, name: str) -> str:
        found = shutil.which(name, path=str(self.command()["env"]["PATH"]).partition(":")[2])
        assert found
        return found


@pytest.fixture
def nightly(new_cluster: NewCluster, short_directory: Path) -> Iterator[Nightly]:
    primary = new_cluster(16, archive_timeout="1h")
    home = short_directory / "h"
    for directory in (home, home / "backups", home / "tools"):
        directory.mkdir()
    made = Nightly(
        primary=primary,
        archive=primary.home / "archive",
        backups=home / "backups",
        tools=home / "tools",
    )
    yield made
    home.chmod(0o755)
    made.backups.chmod(0o755)


def test_the_guide_has_the_script_that_is_tested() -> None:
    saved = {fence.saved_as: fence.lines for fence in read_fences(DIRECTORY / "backup-script.md")}
    for path in PACKAGED:
        assert saved[path.name] == path.read_text().splitlines()
    assert os.access(SCRIPT, os.X_OK)


def scheduled(path: Path) -> dict[str, str]:
    """The environment that cron, or systemd, gives the script."""
    lines = [line.removeprefix("Environment=") for line in path.read_text().splitlines()]
    words = (word for line in lines if line[:1].isupper() for word in line.split())
    pairs = (word.partition("=") for word in words if word.partition("=")[0].isupper())
    return {name: value for name, _, value in pairs}


@pytest.mark.parametrize("suffix", [".cron", ".service"])
def test_what_runs_it_at_night_lets_it_find_its_programs(nightly: Nightly, suffix: str) -> None:
    """With nothing of a login's environment; the places are put for those that the file names."""
    environment = scheduled(SCRIPT.with_suffix(suffix))
    assert sorted(environment) == ["ARCHIVE", "BACKUPS", "PATH"]
    ours, servers = Path(sys.executable).parent, nightly.primary.installation.bindir
    path = environment["PATH"].replace("/opt/pitr-agent/bin", f"{ours}:{servers}")
    command = nightly.command()
    kept = {name: command["env"][name] for name in ("PGHOST", "PGUSER", "ARCHIVE", "BACKUPS")}
    command["env"] = {**kept, "PATH": path}
    result = subprocess.run([*BOUND, SCRIPT], capture_output=True, text=True, **command)
    assert (result.returncode, len(nightly.valid)) == (0, 1), result.stderr


def test_systemd_accepts_its_units(tmp_path: Path) -> None:
    program = need_program("systemd-analyze")
    for unit in (SCRIPT.with_suffix(".service"), SCRIPT.with_suffix(".timer")):
        text = unit.read_text().replace("/usr/local/bin/nightly-backup", str(SCRIPT))
        (tmp_path / unit.name).write_text(text)
    units = sorted(tmp_path.iterdir())
    checked = subprocess.run(
        [program, "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    said = [line for line in checked.stderr.splitlines() if "nightly-backup" in line]
    assert (checked.returncode, said) == (0, [])


def test_a_proven_backup_gets_a_name_and_each_run_one_of_its_own(nightly: Nightly) -> None:
    assert nightly.run() == 0, nightly.said
    time.sleep(1.1)
    assert nightly.run() == 0, nightly.said
    assert len(nightly.valid) == 2
    for backup in nightly.valid:
        assert (backup / "PG_VERSION").is_file() and (backup / "backup_manifest").is_file()
        assert not list(backup.rglob("*.unproven"))
        assert backup.with_name(f"{backup.name}.txt").read_text().startswith("OK: ")
    assert not nightly.backups.with_name("backups.unproven").exists()


def test_a_warning_is_valid_and_says_so(nightly: Nightly) -> None:
    nightly.tool("pitr-check", "echo 'WARNING: restorable now'; exit 1")
    assert (nightly.run(), len(nightly.valid)) == (1, 1)


@pytest.mark.parametrize("value", ["unset", ""])
@pytest.mark.parametrize("name", ["ARCHIVE", "BACKUPS"])
def test_a_variable_that_is_not_set(nightly: Nightly, name: str, value: str) -> None:
    nightly.environment = {name: value}
    assert (nightly.run(), nightly.valid) == (64, [])
    assert f"{name} is not set" in nightly.said


@pytest.mark.parametrize(
    "line", ['echo "$NOT_SET"', "exit", "exit 1", "kill -TERM $$", "if ; then"]
)
def test_any_other_end_of_the_shell_proves_nothing(nightly: Nightly, line: str) -> None:
    """In what somebody adds to the script."""
    changed = nightly.tools / "changed"
    for place in ("\nname=", "\nif ! pg_basebackup", "\nmv -T"):
        changed.write_text(SCRIPT.read_text().replace(place, f"\n{line}{place}"))
        changed.chmod(0o755)
        result = subprocess.run([*BOUND, changed], capture_output=True, **nightly.command())
        assert (result.returncode, nightly.valid) == (3, []), place


def test_a_report_that_cannot_be_written(nightly: Nightly) -> None:
    nightly.backups.chmod(0o500)
    assert (nightly.run(), nightly.valid) == (3, [])
    assert "cannot be written" in nightly.said


@pytest.mark.parametrize("shell", [("sh",), ("bash", "--posix")])
def test_a_shell_of_another_kind(nightly: Nightly, shell: tuple[str, ...]) -> None:
    """`sh nightly-backup`: there a redirection that fails ends the shell."""

    def run() -> int:
        command = [*BOUND, *shell, SCRIPT]
        return subprocess.run(command, capture_output=True, **nightly.command()).returncode

    nightly.backups.chmod(0o500)
    assert (run(), nightly.valid) == (3, [])
    nightly.backups.chmod(0o755)
    nightly.environment = {"ARCHIVE": "unset"}
    assert (run(), nightly.valid) == (64, [])
    nightly.environment = {}
    nightly.tool("pitr-check", "exit 1")
    assert (run(), nightly.valid) == (3, [])
    (nightly.tools / "pitr-check").unlink()
    assert (run(), len(nightly.valid)) == (0, 1)


def test_backups_that_may_not_be_listed(nightly: Nightly) -> None:
    nightly.backups.chmod(0o300)
    status = nightly.run(WITHOUT_ROOTS_EYES)
    nightly.backups.chmod(0o700)
    assert (status, nightly.valid) == (3, [])
    assert "cannot be listed" in nightly.said and "under way" not in nightly.said


def test_a_report_that_has_no_room(nightly: Nightly) -> None:
    """Writing fails, as on a full disk, when all else is done."""
    check = nightly.real("pitr-check")
    nightly.tool("pitr-check", f'ulimit -f 0; exec {check} "$@"')
    assert (nightly.run(), nightly.valid) == (3, [])


def test_a_report_that_vanishes_proves_nothing(nightly: Nightly) -> None:
    """Whatever the environment calls a verdict."""
    nightly.environment = {"verdict": "OK:", "checked": "0", "status": "0"}
    nightly.tool("pitr-check", 'rm "$BACKUPS"/*.txt; exit 0')
    assert (nightly.run(), nightly.valid) == (3, [])


def test_no_room_beside_the_backups(nightly: Nightly) -> None:
    nightly.backups.parent.chmod(0o500)
    assert (nightly.run(), nightly.valid) == (3, [])


def test_a_directory_that_is_not_there(nightly: Nightly) -> None:
    nightly.environment = {"BACKUPS": str(nightly.backups / "not-mounted")}
    assert (nightly.run(), nightly.valid) == (3, [])


def test_a_move_that_fails(nightly: Nightly) -> None:
    check = nightly.real("pitr-check")
    nightly.tool("pitr-check", f'{check} "$@"; s=$?; chmod 0500 "$BACKUPS"; exit $s')
    assert (nightly.run(), nightly.valid) == (3, [])
    assert "could not be moved" in nightly.said


def test_a_name_that_is_taken(nightly: Nightly) -> None:
    """Nothing is ever moved into another backup."""
    nightly.tool("date", "echo tonight")
    assert nightly.run() == 0, nightly.said
    before = sorted(nightly.valid[0].rglob("*"))
    assert nightly.run() == 3
    assert sorted(nightly.valid[0].rglob("*")) == before
    check = nightly.real("pitr-check")
    nightly.tool("date", "echo later")
    taken = 'mkdir -p "$BACKUPS/later/x"'
    nightly.tool("pitr-check", f'{check} "$@"; s=$?; {taken}; exit $s')
    assert nightly.run() == 3
    assert [path.name for path in (nightly.backups / "later").iterdir()] == ["x"]


@pytest.mark.parametrize(
    ("tool", "text"),
    [
        ("pitr-check", "exit 1"),  # Python that finds no module
        ("pitr-check", "exit 0"),
        ("pitr-check", "exit 127"),
        ("pitr-check", "kill -9 $$"),
        ("pitr-check", "echo 'UNKNOWN: not known'; exit 3"),
        ("pitr-check", "echo 'CRITICAL: not restorable'; exit 0"),
        ("pg_basebackup", "exit 1"),
        ("pg_basebackup", "kill -9 $$"),
        ("pg_basebackup", "exit 0"),  # it said nothing, and made nothing
        ("date", "exit 1"),
        ("flock", "exit 1"),
        ("mkdir", "exit 1"),
        ("rm", "exit 1"),
        ("mv", "exit 1"),
    ],
)
def test_a_tool_that_fails_proves_nothing(nightly: Nightly, tool: str, text: str) -> None:
    nightly.tool(tool, text)
    status = nightly.run()
    assert (status in (2, 3, 64), nightly.valid) == (True, [])
    if tool != "pg_basebackup":
        assert status == 3


def test_a_server_that_is_down(nightly: Nightly) -> None:
    nightly.primary.stop()
    assert (nightly.run(), nightly.valid) == (3, [])
    assert not list(nightly.backups.iterdir())


def test_an_archive_that_is_not_the_server_s(nightly: Nightly) -> None:
    empty = nightly.tools.parent / "empty"
    empty.mkdir()
    nightly.environment = {"ARCHIVE": str(empty), "WAIT": "1s"}
    assert (nightly.run(), nightly.valid) == (3, [])
    assert "is empty: is this the directory" in nightly.said


def test_a_backup_that_is_damaged_is_proven_so(nightly: Nightly) -> None:
    take = nightly.real("pg_basebackup")
    nightly.tool("pg_basebackup", f'{take} "$@" && echo x >> "$3/PG_VERSION"')
    assert (nightly.run(), nightly.valid) == (2, [])
    assert nightly.backups.with_name("backups.unproven").is_dir()


def test_two_at_a_time(nightly: Nightly) -> None:
    take = nightly.real("pg_basebackup")
    nightly.tool("pg_basebackup", f'{WAITS}; exec {take} "$@"')
    begun = nightly.backups.parent / "begun"
    with subprocess.Popen([*BOUND, SCRIPT], **nightly.command()) as first:
        wait_until(begun.exists)
        assert nightly.run() == 3
        assert "is under way" in nightly.said
        begun.unlink()
        assert first.wait() == 0
    assert len(nightly.valid) == 1


@pytest.mark.parametrize("tool", ["pg_basebackup", "pitr-check", "mv"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_a_script_that_is_killed(nightly: Nightly, number: signal.Signals, tool: str) -> None:
    nightly.tool(tool, 'touch "$BACKUPS/../begun"; sleep 2; exit 1')
    begun = nightly.backups.parent / "begun"
    with subprocess.Popen(
        [*BOUND, SCRIPT], stderr=subprocess.DEVNULL, start_new_session=True, **nightly.command()
    ) as script:
        wait_until(begun.exists)
        os.killpg(script.pid, number)
        status = script.wait()
    assert (status in (3, -number), nightly.valid) == (True, [])
    (nightly.tools / tool).unlink()
    nightly.wait_let_go()
    assert nightly.run() == 0, nightly.said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_script_that_is_killed_alone(nightly: Nightly, number: signal.Signals) -> None:
    """What it had begun goes on: no second run meddles with that, and nothing gets a name."""
    take = nightly.real("pg_basebackup")
    nightly.tool("pg_basebackup", f'{WAITS}; exec {take} "$@"')
    begun = nightly.backups.parent / "begun"
    with subprocess.Popen([*BOUND, SCRIPT], stderr=subprocess.DEVNULL, **nightly.command()) as it:
        wait_until(begun.exists)
        it.send_signal(number)
        assert (nightly.run(), nightly.valid) == (3, [])
        assert "is under way" in nightly.said
        begun.unlink()
        assert it.wait() in (3, -number)
    assert nightly.valid == []
    (nightly.tools / "pg_basebackup").unlink()
    wait_until(lambda: nightly.run() == 0)
    assert len(nightly.valid) == 1


def on_its_own_disk(nightly: Nightly, where: Path, size: str, *, then: str = ":") -> int:
    """Run the script where a small disk lies at `where`, after a command."""
    mount = f"mount -t tmpfs -o size={size} none {where} && mkdir -p $BACKUPS && {then}"
    script = f"{mount} && exec {' '.join(BOUND)} {SCRIPT}"
    environment = nightly.command()["env"]
    result = subprocess.run(
        ["unshare", "-m", "bash", "-c", script],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS,
        env=environment, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    nightly.said = result.stderr
    return int(result.returncode)


@MOUNTS
@pytest.mark.parametrize("size", ["64k", "1m", "8m", "20m"])
def test_a_disk_that_is_full(nightly: Nightly, size: str) -> None:
    assert on_its_own_disk(nightly, nightly.backups.parent, size) == 3, nightly.said


@MOUNTS
def test_a_mount_point_has_no_place_beside_it(nightly: Nightly) -> None:
    """Moving from one filesystem to another copies, and may stop half-way."""
    assert on_its_own_disk(nightly, nightly.backups, "200m") == 64
    assert "another filesystem" in nightly.said


@MOUNTS
def test_a_disk_that_fills_before_the_report(nightly: Nightly) -> None:
    check = nightly.real("pitr-check")
    tools = nightly.tools.rename(nightly.primary.home / "tools")  # the disk hides its place
    nightly.tools = tools
    fill = 'head -c 1G /dev/zero > "$BACKUPS/../fill"'
    nightly.tool("pitr-check", f'{fill} 2>/dev/null; exec {check} "$@"')
    assert on_its_own_disk(nightly, nightly.backups.parent, "150m") == 3, nightly.said
    assert "No space left" in nightly.said


@MOUNTS
def test_a_disk_that_may_only_be_read(nightly: Nightly) -> None:
    where = nightly.backups.parent
    assert on_its_own_disk(nightly, where, "1m", then=f"mount -o remount,ro {where}") == 3
    assert "cannot be made anew" in nightly.said
