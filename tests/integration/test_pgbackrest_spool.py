"""WAL that pgBackRest has told PostgreSQL is archived, and that no repository has."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import read_installation
from parsers.log.command_output import read_command_output
from tests.fix_repositories import check_repository, look_of
from tests.fix_tools import PATIENCE_SECONDS, debian_15, need_program

PROGRAM = Path(sys.executable).with_name("pitr-check")
CONFIG = """[global]
repo1-path={home}/repo
lock-path={home}/lock
log-path={home}/log
spool-path={home}/spool
start-fast=y
archive-async=y
{more}
[main]
pg1-path={cluster.data}
pg1-socket-path={cluster.sockets}
pg1-user=postgres
"""


@dataclass
class Pushing:
    """A server whose archive_command is an asynchronous archive-push."""

    home: Path
    cluster: Cluster

    @property
    def config(self) -> Path:
        return self.home / "pgbackrest.conf"

    @property
    def out(self) -> Path:
        return self.home / "spool/archive/main/out"

    def configure(self, more: str = "") -> None:
        self.config.write_text(CONFIG.format(home=self.home, cluster=self.cluster, more=more))

    def run(self, *words: str) -> None:
        program = need_program("pgbackrest")
        self.cluster.run(program, f"--config={self.config}", "--stanza=main", *words)

    def fill(self, segments: int) -> None:
        for _ in range(segments):
            self.cluster.sql("SELECT pg_logical_emit_message(true, 'x', 'x'), pg_switch_wal()")

    def waiting(self) -> set[str]:
        status = self.cluster.data / "pg_wal/archive_status"
        return {path.stem for path in status.iterdir() if path.suffix == ".ready"}

    def archived(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.waiting():
            assert time.monotonic() < deadline, self.cluster.log_lines(last=20)
            time.sleep(0.1)

    def findings(self) -> list[dict[str, object]]:
        done = check_repository(
            PROGRAM, "--pgbackrest", str(self.config), "--stanza", "main", "--depth", "names",
            "--format", "json", environment={},
        )  # fmt: skip
        assert done.stdout and "Traceback" not in done.stderr, done.stderr
        found: list[dict[str, object]] = json.loads(done.stdout)["findings"]
        return [each for each in found if each["id"] == "repository_wal_dropped"]


@pytest.fixture
def pushing(short_directory: Path, account: Account) -> Iterator[Pushing]:
    """With a backup, and nothing that waits."""
    program = need_program("pgbackrest")
    home = account.make_directory(short_directory / "h")
    cluster = Cluster(read_installation(debian_15("postgres").parent), home / "c", account)
    pushing = Pushing(home, cluster)
    for name in ("repo", "lock", "log", "spool"):
        account.make_directory(home / name)
    cluster.initdb(segment_mib=1)
    pushing.configure()
    push = f"{program} --config={pushing.config} --stanza=main archive-push %p"
    cluster.configure(archive_mode="on", archive_command=push, fsync=False, autovacuum=False)
    with cluster.running():
        pushing.run("stanza-create")
        pushing.run("backup")
        pushing.fill(2)
        pushing.archived()
        yield pushing


@pytest.mark.needs("Debian's PostgreSQL 15")
def test_wal_that_archive_push_dropped_is_a_gap_that_is_told(pushing: Pushing) -> None:
    assert pushing.findings() == []
    repo = pushing.home / "repo"
    repo.rename(pushing.home / "away")  # it takes no WAL
    pushing.fill(3)
    lost = pushing.waiting()
    assert len(lost) == 3
    pushing.configure("archive-push-queue-max=2MiB")
    pushing.archived()
    (pushing.home / "away").rename(repo)
    before = look_of(pushing.home / "spool")
    (found,) = pushing.findings()
    assert look_of(pushing.home / "spool") == before
    evidence = {"first": min(lost), "last": max(lost), "segments": 3, "kind": "dropped"}
    assert found["severity"] == "critical" and found["evidence"] == evidence
    assert f"'{min(lost)}' because archive queue exceeded 2MB" in str(found["summary"])
    assert "archive-push-queue-max" in str(found["remedy"])
    told = [line for line in pushing.cluster.log_lines() if "dropped WAL file" in line]
    read = [read_command_output(line) for line in told]
    assert len(told) == 3
    assert [(each.program, each.harmless) for each in read if each] == [("pgBackRest", False)] * 3

    for name in sorted(lost):  # the remedy: pg_wal still has them
        pushing.run("--no-archive-async", "archive-push", f"{pushing.cluster.data}/pg_wal/{name}")
    assert pushing.findings() == []


@pytest.mark.needs("Debian's PostgreSQL 15")
def test_what_the_spool_says_was_pushed_and_lies_nowhere(pushing: Pushing) -> None:
    pushing.fill(1)
    pushing.archived()
    pushed = sorted(path.stem for path in pushing.out.glob("*.ok"))
    assert pushed and pushing.findings() == []
    for path in pushing.home.glob(f"repo/archive/main/*/*/{pushed[0]}-*"):
        path.unlink()
    (found,) = pushing.findings()
    assert found["evidence"] == {
        "first": pushed[0], "last": pushed[0], "segments": 1, "kind": "absent"
    }  # fmt: skip
    (pushing.out / f"{pushed[0]}.ok").write_text("25\nunable to write")  # an .error, renamed
    (found,) = pushing.findings()
    assert "[25] unable to write" in str(found["summary"])
    (pushing.out / f"{pushed[0]}.ok").write_text("0")
    (found,) = pushing.findings()
    assert found["severity"] == "info" and "is not known" in str(found["summary"])
