"""`pitr-check` as a person runs it, and archives made by a real server to run it on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from parsers.segment import segment_name
from tests import forked
from tests.fix_place import new_place
from tests.fix_tools import PATIENCE_SECONDS

SCHEMA = json.loads(
    (Path(__file__).parent.parent / "docs" / "schemas" / "pitr-check.schema.json").read_text()
)
MIB = 1 << 20
# Refuses to overwrite, and never leaves half a file: nothing to find fault with.
EXEMPLARY = "test ! -f {0}/%f && cp %p {0}/%f.tmp && mv {0}/%f.tmp {0}/%f"
RESTORE_POINT = "halfway"  # in the middle of the rounds of make_history


@dataclass(frozen=True)
class Checked:
    """What one run of pitr-check said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        jsonschema.validate(document, SCHEMA)
        return document

    @property
    def findings(self) -> set[str]:
        return {finding["id"] for finding in self.json["findings"]}


_READINGS = {"verified_at", "oldest_read_at"}


def timeless(document: Any) -> Any:
    """A document without the instants of reading."""
    if isinstance(document, dict):
        return {key: timeless(each) for key, each in document.items() if key not in _READINGS}
    return [timeless(each) for each in document] if isinstance(document, list) else document


# A permission means nothing to root: run the command without the capabilities that see past it.
_BLIND = "-dac_override,-dac_read_search"
WITHOUT_ROOTS_EYES = (
    ("setpriv", "--bounding-set", _BLIND, "--inh-caps", _BLIND) if os.geteuid() == 0 else ()
)


def pitr_check(*arguments: object, prefix: tuple[str, ...] = ()) -> Checked:
    """Run the real command in a process of its own."""
    if prefix:
        program = Path(sys.executable).parent / "pitr-check"
        command = [*prefix, str(program), *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    else:
        result = forked.run("pitr-check", *arguments)
    assert "Traceback" not in result.stderr
    return Checked(result.returncode, result.stdout, result.stderr)


@dataclass(frozen=True)
class Archived:
    """A backup and its archive, made by a real server: 1 MiB segments, nothing wrong."""

    backup: Path
    archive: Path

    @property
    def segments(self) -> list[Path]:
        return sorted(path for path in self.archive.iterdir() if len(path.name) == 24)

    def segment(self, number: int) -> Path:
        """So many after the one that the backup starts in: bgwriter may have moved that on."""
        start = (self.backup / "backup_label").read_text().partition("(file ")[2][:24]
        return self.archive / segment_name(1, int(start[16:], 16) + number, MIB)

    def check(self, *options: object, prefix: tuple[str, ...] = ()) -> Checked:
        named = ("--archive", self.archive, "--backup", self.backup)
        return pitr_check(*named, "--format", "json", *options, prefix=prefix)

    def age(self, path: Path) -> None:
        """Date a file back, so that it cannot be taken for one in flight."""
        an_hour_ago = time.time() - 3600
        os.utime(path, (an_hour_ago, an_hour_ago))


def make_history(cluster: Cluster, *, rounds: int) -> None:
    """A backup, then rounds of writes that each fill a segment and switch."""
    cluster.sql("CREATE TABLE t (n int, filler text)")
    for _ in range(3):
        cluster.sql("SELECT pg_create_restore_point('before the backup')")
        cluster.sql("SELECT pg_switch_wal()")
    cluster.base_backup(cluster.account.make_directory(cluster.home / "backups") / "one")
    for number in range(rounds):
        if number == rounds // 2:
            cluster.sql("SELECT pg_create_restore_point('halfway')")
        cluster.sql("INSERT INTO t SELECT n, repeat('x', 500) FROM generate_series(1, 1500) n")
        cluster.sql("SELECT pg_switch_wal()")


def open_to_the_server(archived: Archived) -> None:
    """Let the account of the test's servers read the copies: pytest's directories are 0700."""
    for path in (archived.archive, *archived.archive.parents):
        if path.is_relative_to(tempfile.gettempdir()) and path != Path(tempfile.gettempdir()):
            path.chmod(path.stat().st_mode | 0o055)
    subprocess.run(["chmod", "-R", "a+rX", archived.archive], check=True)


@pytest.fixture(scope="session")
def pristine(
    account: Account,
    installations: dict[int, Installation],
    tmp_path_factory: pytest.TempPathFactory,
) -> Archived:
    """Made once; tests change copies of it."""
    home = new_place()
    cluster = Cluster(installations[16], home / "c", account)
    cluster.initdb(segment_mib=1)
    archive = account.make_directory(cluster.home / "archive")
    cluster.configure(
        fsync=False,
        archive_mode="on",
        archive_timeout="1h",
        archive_command=EXEMPLARY.format(archive),
        autovacuum=False,  # where each round ends is known
    )
    with cluster.running():
        make_history(cluster, rounds=4)
        cluster.stop()
    kept = tmp_path_factory.mktemp("pristine")
    shutil.copytree(archive, kept / "archive")
    shutil.copytree(cluster.home / "backups" / "one", kept / "backup")
    shutil.rmtree(home, ignore_errors=True)
    return Archived(kept / "backup", kept / "archive")


@pytest.fixture
def archived(pristine: Archived, tmp_path: Path) -> Archived:
    """A healthy backup and archive of one's own, to break."""
    shutil.copytree(pristine.archive, tmp_path / "archive")
    shutil.copytree(pristine.backup, tmp_path / "backup")
    return Archived(tmp_path / "backup", tmp_path / "archive")
