"""Tablespaces on the way of recovery, and directories that are not there; each really restored."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from rules.model.goal import read_goal
from rules.model.outcome import Outcome
from rules.model.restore_inputs import Location, Server
from rules.model.target import Target
from rules.recovery.predictor import simulate
from tests.fix_check import pitr_check
from tests.fix_recovery import RecoveryStory as Story
from tests.fix_recovery import every_major
from tests.histories import Connection, commit
from tests.restoring import read_restore

pytestmark = every_major


def make_location(story: Story, name: str) -> Path:
    return story.life.cluster.account.make_directory(story.archive.parent / name)


def found(outcome: Outcome) -> list[Location | None]:
    return [directory.found for directory in outcome.directories]


@contextmanager
def gone(location: Path) -> Iterator[None]:
    """A machine without the directory; made anew, empty, for the next."""
    shutil.rmtree(location)
    yield
    location.mkdir(mode=0o700)
    shutil.chown(location, *[location.parent.stat().st_uid] * 2)


def test_tablespaces_made_after_the_backup(story: Story) -> None:
    """Replay wants their directories, also of the one that was dropped again before the target."""
    story.take_backup()
    kept, dropped = make_location(story, "kept"), make_location(story, "dropped")
    with story.life.connect() as connection:
        commit(story.life, connection)
        connection.execute(f"CREATE TABLESPACE kept LOCATION '{kept}'")
        copy = "STRATEGY FILE_COPY" if story.major >= 15 else ""
        connection.execute(f"CREATE DATABASE other TEMPLATE postgres TABLESPACE kept {copy}")
        commit(story.life, connection)
        connection.execute(f"CREATE TABLESPACE dropped LOCATION '{dropped}'")
        connection.execute("CREATE TABLE there TABLESPACE dropped AS SELECT 1 AS n")
        connection.execute("DROP TABLE there")
        connection.execute("CHECKPOINT")
        connection.execute("DROP TABLESPACE dropped")
        connection.execute("SET allow_in_place_tablespaces = on")
        connection.execute("CREATE TABLESPACE inside LOCATION ''")
        commit(story.life, connection)
    story.life.finish()
    first, second, last = (
        Target(type="xid", value=str(xid)) for xid in story.life.rows.values()
    )  # fmt: skip
    outcome, _ = story.check(last)
    assert outcome.reachable and found(outcome) == [Location.IN_USE, Location.USABLE]
    assert not outcome.needs, "a directory of its own is nothing that recovery minds"
    with gone(dropped):
        outcome, _ = story.check(second)
        assert found(outcome) == [Location.IN_USE]
        outcome, _ = story.check(last)
        assert outcome.fatal == f'directory "{dropped}" does not exist'
    with gone(kept):
        outcome, observed = story.check(second)
        assert f"Tablespace/CREATE: {outcome.directories[0].tablespace} " in observed.log
        assert outcome.fatal == f'directory "{kept}" does not exist'
        assert outcome.remedy and str(kept) in outcome.remedy
        assert_said(story, second, kept)
        outcome, _ = story.check(first)
        assert not outcome.directories
        outcome, _ = story.check(Target(type="immediate"))
    (kept / "something").write_text("of no server")
    outcome, _ = story.check(second)
    assert found(outcome) == [Location.USABLE]


def assert_said(story: Story, target: Target, kept: Path) -> None:
    """What pitr-check says where the directory is absent: here, and for another machine."""
    asked = ("--archive", story.archive, "--backup", story.backup, "--format", "json",
             "--target-xid", target.value)  # fmt: skip
    here, there = pitr_check(*asked), pitr_check(*asked, "--other-machine")
    said = here.json["target"]
    assert (here.status, said["outcome"], said["reachable"]) == (2, "fails", False)
    assert said["fatal"] == f'directory "{kept}" does not exist'
    assert f"install -d -m 700 -o postgres -g postgres {kept}" in here.out
    assert here.json["backups"][0]["windows"][0]["commits"] == 1, "up to the record"
    said = there.json["target"]
    assert (said["outcome"], said["reachable"]) == ("opens", True)
    for checked in (here, there):
        assert checked.json["target"]["needs"] == {"directories": [str(kept)]}
    assert "tablespace_directory_needed" in there.findings - here.findings
    kept.mkdir()
    story.life.cluster.account.own(kept)
    (kept / f"PG_{story.major}_1" / "5").mkdir(parents=True)
    in_use = pitr_check(*asked)
    assert "tablespace_directory_in_use" in in_use.findings and in_use.status < 2
    shutil.rmtree(kept)


def test_locations_that_the_server_cannot_use(story: Story) -> None:
    story.take_backup()
    location = make_location(story, "space")
    with story.life.connect() as connection:
        connection.execute(f"CREATE TABLESPACE made LOCATION '{location}'")
        commit(story.life, connection)
    story.life.finish()
    shutil.rmtree(location)
    location.write_text("a file")
    story.life.cluster.account.own(location)
    outcome, _ = story.check(Target())
    assert found(outcome) == [Location.NOT_A_DIRECTORY]
    location.unlink()
    location.symlink_to(location.with_name("nowhere"))
    outcome, _ = story.check(Target())
    assert found(outcome) == [Location.ABSENT]
    make_location(story, "nowhere")
    outcome, _ = story.check(Target())
    assert outcome.reachable
    if story.life.cluster.account.drop:
        shutil.rmtree(location.with_name("nowhere"))
        location.with_name("nowhere").mkdir()
        outcome, _ = story.check(Target())
        assert found(outcome) == [Location.OF_ROOT]


def test_what_another_machine_has_is_not_known(story: Story) -> None:
    story.take_backup()
    location = make_location(story, "space")
    with story.life.connect() as connection:
        connection.execute(f"CREATE TABLESPACE made LOCATION '{location}'")
        commit(story.life, connection)
    story.life.finish()
    given = read_restore(story.backup, story.archive, Server(major=story.major))
    outcome = simulate(given, read_goal(Target()))
    assert (outcome.outcome, found(outcome)) == ("opens", [None])
    assert outcome.directories[0].location == str(location)


def test_directories_in_pg_tblspc_when_the_backup_is_consistent(story: Story) -> None:
    """The server panics of them; it can be told not to, and that is what recovery needs."""
    location = make_location(story, "space")
    with story.life.connect() as connection:
        connection.execute(f"CREATE TABLESPACE linked LOCATION '{location}'")
        connection.execute("CREATE TABLE there TABLESPACE linked AS SELECT 1 AS n")

    def meanwhile(connection: Connection) -> None:
        connection.execute("SET allow_in_place_tablespaces = on")
        try:
            connection.execute("CREATE TABLESPACE inside LOCATION ''")
        except psycopg.errors.DuplicateObject:
            connection.execute("DROP TABLESPACE inside")

    story.take_backup(meanwhile)
    with story.life.connect() as connection:
        commit(story.life, connection)
    story.life.finish()
    outcome, _ = story.check(Target())
    assert not outcome.needs, "it was dropped before the backup ended"
    followed = story.backup.with_name("followed")
    subprocess.run(["cp", "-aL", str(story.backup), str(followed)], check=True)
    shutil.rmtree(story.backup)
    followed.rename(story.backup)
    outcome, _ = story.check(Target())
    assert not outcome.reachable, "the map wants a link where the directory is"
    (story.backup / "tablespace_map").unlink()  # a program that follows links may keep none
    for target in (Target(), Target(type="immediate")):
        outcome, _ = story.check(target)
        assert outcome.reachable
        assert outcome.needs == {"allow_in_place_tablespaces": "on"}
        _, observed = story.check(target, apply_needs=False)
        assert "unexpected directory entry" in (observed.fatal or "")


def test_a_directory_where_tablespace_map_wants_a_link(story: Story) -> None:
    location = make_location(story, "space")
    with story.life.connect() as connection:
        connection.execute(f"CREATE TABLESPACE linked LOCATION '{location}'")
        connection.execute("CREATE TABLE there TABLESPACE linked AS SELECT 1 AS n")
    story.take_backup()
    with story.life.connect() as connection:
        commit(story.life, connection)
        connection.execute("UPDATE there SET n = 2")
    story.life.finish()
    (link,) = (story.backup / "pg_tblspc").iterdir()
    mapped = story.backup / "tablespace_map"
    mapped.write_text(f"{link.name} {location}\n")
    story.life.cluster.account.own(mapped)
    outcome, _ = story.check(Target())
    assert outcome.reachable and found(outcome) == [Location.IN_USE]
    link.unlink()
    subprocess.run(["cp", "-a", str(location), str(link)], check=True)
    outcome, _ = story.check(Target())
    assert (
        outcome.fatal == f'could not remove directory "pg_tblspc/{link.name}": Directory not empty'
    )
    mapped.unlink()
