"""Live repositories: a PostgreSQL 15 backed up by pgBackRest and Barman, and what it did.

Each story is one history on two timelines with three backups on the first and one on the second:
every commit adds a row to `t`. It is made once a session and never written to again; who breaks
something takes a copy.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

import pytest

from agent.check.drill import ToolChoice, drill_for
from agent.drill.drill import Order
from agent.inputs.gather import ReadingOptions, gather
from agent.postgres.account import Account, server_account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation, read_installation
from agent.repositories.opening import RepoPlace, open_repository
from agent.repositories.sources import RepositorySources
from agent.zones import find_zone
from rules.case.case import Case
from rules.case.context import Asked, Context
from rules.drill.comparison import DrillFacts, Probe
from rules.model.facts import BackupFacts, BackupsFacts
from rules.model.goal import read_goal
from rules.model.repository import RepositoriesRead, Way
from rules.model.target import Target
from rules.verdict.check import load_catalogue
from rules.verdict.report import Report, give_verdict
from tests.fix_layouts import promoted
from tests.fix_place import new_place
from tests.fix_tools import PATIENCE_SECONDS, debian_15, need_program

SECRET: Final = "un secreto de prueba"  # of the second pgBackRest repository
_COMMITS: Final = 5  # between two backups


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One instant of a story."""

    type: str  # time, lsn, xid, name
    value: str
    timeline: int
    rows: int


@dataclass(kw_only=True)
class Story:
    """A repository, and what the cluster did that it is of."""

    home: Path
    tool: str  # pgbackrest or barman
    program: str  # its path
    config: Path
    account: Account
    installation: Installation
    places: tuple[RepoPlace, ...]
    marks: list[Mark] = field(default_factory=list)
    rows: int = 0

    def open(self, *numbers: int) -> RepositorySources:
        wanted = [each for each in self.places if not numbers or each.number in numbers]
        return RepositorySources(tuple(open_repository(place, None) for place in wanted))

    def backups(self, case: Case) -> tuple[BackupFacts, ...]:
        found = case.get(BackupsFacts)
        return found.backups if found else ()

    def run(self, *words: str, cluster: Cluster | None = None) -> str:
        """The tool's command, as the server's account."""
        runner = cluster or Cluster(self.installation, self.home / "c", self.account)
        if self.tool == "pgbackrest":
            return runner.run(self.program, f"--config={self.config}", "--stanza=main", *words)
        return runner.run(self.program, "-c", str(self.config), *words)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """One restore to ask for."""

    target: Target
    label: str | None = None
    timeline_given: bool = False

    def __str__(self) -> str:
        goal = self.target
        return (
            f"{goal.type} {goal.value} inclusive={goal.inclusive} timeline={goal.timeline}"
            f" given={self.timeline_given} {goal.action} from {self.label}"
        )


def random_wishes(story: Story, labels: tuple[str, ...], random: Random, count: int) -> list[Wish]:
    """Targets of every type, from any backup or the tool's choice, on any timeline."""
    wishes = []
    for _ in range(count):
        kind = random.choice(("time", "xid", "lsn", "name", "time", "xid", "immediate", "none"))
        value = None
        if kind not in ("immediate", "none"):
            value = random.choice([each for each in story.marks if each.type == kind]).value
        given = random.choice((None, "1", "1", "latest", "2"))
        action = "promote" if kind == "none" else random.choice(("promote", "pause", "promote"))
        target = Target(
            type=kind, value=value, timeline=given or "latest",
            inclusive=kind == "name" or random.random() < 0.7, action=action,
        )  # fmt: skip
        label = random.choice((None, *labels))
        if story.tool == "barman" and label is None:
            label = random.choice(labels)
        wishes.append(Wish(target=target, label=label, timeline_given=given is not None))
    return wishes


def read_story(story: Story, *numbers: int) -> Case:
    """Everything in its repositories, read."""
    return gather(
        [], [], None,
        context=Context(depth="records"),
        backup_depth="files",
        reading=ReadingOptions(workers=1),
        repositories=story.open(*numbers),
    )  # fmt: skip


def judged(case: Case, wish: Wish) -> tuple[Report, Case]:
    tools = case.get(RepositoriesRead)
    assert tools is not None
    goal = read_goal(wish.target, find_zone=find_zone)
    context = Context(
        depth="records",
        asked=Asked(target=wish.target, goal=goal),
        way=Way(via="tool", timeline_given=wish.timeline_given),
    )
    chosen = replace(tools, chosen=wish.label)
    asked = case.set(context).having(chosen)
    return give_verdict(asked, load_catalogue(), datetime.now(UTC)), asked


def drilled_by_tool(story: Story, case: Case, wish: Wish, base: Path, *numbers: int) -> DrillFacts:
    """The tool's own restore of it, beside the prediction."""
    report, asked = judged(case, wish)
    places = tuple(each for each in story.places if not numbers or each.number in numbers)
    order = Order(
        base=base, bindir=story.installation.bindir, timeout_seconds=PATIENCE_SECONDS,
        user=server_account().name,  # whose the repositories are
    )  # fmt: skip
    drill = drill_for(order, None, story.open(*numbers), ToolChoice(places, None))
    return drill(report, asked)


def drilled_by_reader(
    story: Story, case: Case, wish: Wish, base: Path, probe: Probe, *numbers: int
) -> DrillFacts:
    """The same by our own reader."""
    report, asked = judged(case, wish)
    order = Order(base=base, bindir=story.installation.bindir, probes=(probe,))
    return drill_for(order, None, story.open(*numbers))(report, asked)


# -- how they are made -----------------------------------------------------------------------------


def _commit(story: Story, cluster: Cluster, timeline: int) -> None:
    """One row more, and the marks that name this instant."""
    with cluster.connect() as connection:
        name = f"after_{story.rows + 1}"
        row = connection.execute("INSERT INTO t DEFAULT VALUES RETURNING xmin::text").fetchone()
        assert row is not None
        story.rows += 1
        told = connection.execute(
            "SELECT timestamp::text, pg_current_wal_insert_lsn()::text"
            " FROM pg_last_committed_xact()"
        ).fetchone()
        assert told is not None
        connection.execute("SELECT pg_create_restore_point(%s)", (name,))
        for kind, value in (("xid", row[0]), ("time", told[0]), ("lsn", told[1]), ("name", name)):
            story.marks.append(
                Mark(type=kind, value=str(value), timeline=timeline, rows=story.rows)
            )
        connection.execute("BEGIN")
        connection.execute("INSERT INTO t DEFAULT VALUES")
        connection.execute("ROLLBACK")


def _go_on(story: Story, cluster: Cluster, timeline: int) -> None:
    for number in range(_COMMITS):
        _commit(story, cluster, timeline)
        if number % 2:
            cluster.sql("SELECT pg_switch_wal()")
            time.sleep(0.3)  # instants apart, as the tools compare whole seconds
    cluster.sql("SELECT pg_switch_wal()")


def _primary(story: Story, archive_command: str, name: str = "c") -> Cluster:
    cluster = Cluster(story.installation, story.home / name, story.account)
    cluster.initdb(segment_mib=1)
    cluster.configure(
        fsync=False, archive_mode="on", archive_command=archive_command, timezone="UTC",
        track_commit_timestamp=True, autovacuum=False, wal_level="replica", max_wal_senders=4,
    )  # fmt: skip
    return cluster


def _new_home(account: Account) -> Path:
    home = new_place("bt-")
    account.own(home)
    return home


def _write(path: Path, text: str, account: Account) -> None:
    path.write_text(text)
    account.own(path)


def _installation() -> Installation:
    program = debian_15("postgres")
    if not program.is_file():
        from tests.fix_tools import lack

        lack("PostgreSQL 15 of Debian", "apt-get install postgresql-15")
    return read_installation(program.parent)


def _archived(cluster: Cluster) -> None:
    """Wait until all that was switched away from is archived."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    waiting = cluster.data / "pg_wal" / "archive_status"
    while any(path.suffix == ".ready" for path in waiting.iterdir()):
        assert time.monotonic() < deadline, cluster.log_lines(last=20)
        time.sleep(0.1)


def _fork(story: Story, backup_files: Path, restore_command: str, archive: str) -> Cluster:
    """A second timeline, from where the fourth commit after the first backup was."""
    fork = Cluster(story.installation, story.home / "f", story.account)
    name = next(each.value for each in story.marks if each.type == "name" and each.rows == 4)
    fork.restore_from(
        backup_files, archive_mode="on", archive_command=archive, fsync=False, timezone="UTC",
        track_commit_timestamp=True, restore_command=restore_command, recovery_target_name=name,
        recovery_target_action="promote", autovacuum=False,
    )  # fmt: skip
    return fork


@pytest.fixture(scope="session")
def pgbackrest_story(account: Account) -> Iterator[Story]:
    with pgbackrest_at(account) as story:
        yield story


@pytest.fixture(scope="session")
def barman_story(account: Account) -> Iterator[Story]:
    with barman_at(account) as story:
        yield story


@contextlib.contextmanager
def pgbackrest_at(account: Account) -> Iterator[Story]:
    """The history, with pgBackRest."""
    program = need_program("pgbackrest")
    home = _new_home(account)
    story = Story(
        home=home, tool="pgbackrest", config=home / "pgbackrest.conf", account=account,
        installation=_installation(), program=program,
        places=(
            RepoPlace(url=str(home / "repo1"), number=1),
            RepoPlace(url=str(home / "repo2"), number=2, passphrase=SECRET.encode()),
        ),
    )  # fmt: skip
    try:
        _tell_pgbackrest(story)
        yield story
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _configure_pgbackrest(story: Story, cluster: Cluster) -> None:
    home = story.home
    _write(
        story.config,
        f"[global]\nrepo1-path={home}/repo1\nrepo2-path={home}/repo2\n"
        f"repo2-cipher-type=aes-256-cbc\nrepo2-cipher-pass={SECRET}\nrepo2-bundle=y\n"
        f"compress-type=lz4\nstart-fast=y\nlock-path={home}/lock\nlog-path={home}/log\n"
        f"spool-path={home}/spool\nlog-level-console=warn\n"
        f"[main]\npg1-path={cluster.data}\npg1-socket-path={cluster.sockets}\npg1-user=postgres\n",
        story.account,
    )


def _tell_pgbackrest(story: Story) -> None:
    push = f"{story.program} --config={story.config} --stanza=main archive-push %p"
    for name in ("repo1", "repo2", "lock", "log", "spool"):
        story.account.make_directory(story.home / name)
    primary = _primary(story, push)
    _configure_pgbackrest(story, primary)
    with primary.running():
        story.run("stanza-create", cluster=primary)
        primary.sql("CREATE TABLE t (n serial)")
        primary.base_backup(story.home / "plain")
        for kind in ("full", "diff", "incr"):
            for number in ("1", "2"):
                story.run(f"--type={kind}", f"--repo={number}", "backup", cluster=primary)
            _go_on(story, primary, 1)
        _archived(primary)
        primary.stop()
    get = f"{story.program} --config={story.config} --stanza=main archive-get %f %p"
    fork = _fork(story, story.home / "plain", get, push)
    _configure_pgbackrest(story, fork)
    with promoted(fork):
        fork.configure(recovery_target_name="", restore_command="")  # its backups have none
        story.rows = 4
        _go_on(story, fork, 2)
        for number in ("1", "2"):
            story.run("--type=full", f"--repo={number}", "backup", cluster=fork)
        _go_on(story, fork, 2)
        _archived(fork)
        fork.stop()


@contextlib.contextmanager
def barman_at(account: Account, program: str | None = None) -> Iterator[Story]:
    """The same with Barman: Debian's, or this one."""
    program = program or need_program("barman")
    home = _new_home(account)
    story = Story(
        home=home, tool="barman", config=home / "barman.conf", account=account,
        installation=_installation(), program=program,
        places=(RepoPlace(url=str(home / "barman"), number=1),),
    )  # fmt: skip
    try:
        _tell_barman(story)
        yield story
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _configure_barman(story: Story, cluster: Cluster) -> None:
    home = story.home
    place = f"host={cluster.sockets} user=postgres dbname=postgres"
    _write(
        story.config,
        f"[barman]\nbarman_user = {story.account.name}\nbarman_home = {home}/barman\n"
        f"log_file = {home}/barman.log\nconfiguration_files_directory = {home}/none\n"
        f"barman_lock_directory = {home}/lock\npath_prefix = {story.installation.bindir}\n"
        f"[main]\ndescription = one\nconninfo = {place}\nstreaming_conninfo = {place}\n"
        f"backup_method = postgres\narchiver = on\ncompression = gzip\nimmediate_checkpoint = on\n",
        story.account,
    )


def _tell_barman(story: Story) -> None:
    for name in ("barman", "lock", "barman/main", "barman/main/incoming"):
        story.account.make_directory(story.home / name)
    push = f"cp %p {story.home}/barman/main/incoming/%f"
    primary = _primary(story, push)
    _configure_barman(story, primary)
    with primary.running():
        primary.sql("CREATE TABLE t (n serial)")
        primary.sql("SELECT pg_switch_wal()")
        _archived(primary)
        story.run("archive-wal", "main", cluster=primary)
        for _ in range(3):
            _barman_backup(story, primary)
            _go_on(story, primary, 1)
            _archived(primary)
            story.run("archive-wal", "main", cluster=primary)
        primary.stop()
    (first, *_) = sorted((story.home / "barman/main/base").iterdir())
    get = f"{story.program} -c {story.config} get-wal main %f > %p"
    fork = _fork(story, first / "data", get, push)
    _configure_barman(story, fork)
    with promoted(fork):
        fork.configure(recovery_target_name="", restore_command="")  # its backups have none
        story.rows = 4
        _go_on(story, fork, 2)
        _archived(fork)
        story.run("archive-wal", "main", cluster=fork)
        _barman_backup(story, fork)
        _go_on(story, fork, 2)
        _archived(fork)
        fork.stop()  # which may archive one more
        story.run("archive-wal", "main", cluster=fork)


def _barman_backup(story: Story, cluster: Cluster) -> None:
    story.run("backup", "main", cluster=cluster)
    cluster.sql("SELECT pg_switch_wal()")
    _archived(cluster)
    story.run("archive-wal", "main", cluster=cluster)
    time.sleep(1.1)  # a backup is called by the second
