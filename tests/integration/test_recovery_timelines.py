"""Timelines that recovery takes, overlooks or refuses; each really restored."""

from __future__ import annotations

import re
import shutil
import time

from rules.model.target import Target
from tests.fix_check import pitr_check
from tests.fix_recovery import RecoveryStory as Story
from tests.fix_recovery import every_major
from tests.histories import Life, commit, commit_over_a_boundary

pytestmark = every_major


def forked(story: Story) -> Life:
    """Timeline 2, left from timeline 1 inside a segment; both went on."""
    story.take_backup()
    with story.life.connect() as connection:
        for _ in range(4):
            commit(story.life, connection)
        connection.execute("SELECT pg_switch_wal()")
        commit(story.life, connection)
    story.life.finish()
    second = list(story.life.rows.values())[1]
    child = story.fork(story.life, Target(type="xid", value=str(second)))
    with child.connect() as connection:
        for _ in range(3):
            commit(child, connection)
        connection.execute("SELECT pg_switch_wal()")
        commit(child, connection)
    child.finish()
    return child


def test_the_old_branch_is_replayed_where_a_timeline_lacks_its_first_segment(story: Story) -> None:
    forked(story)
    first = min(path for path in story.segments() if path.name.startswith("00000002"))
    first.unlink()
    outcome, observed = story.check(Target())
    assert outcome.obstacle and outcome.obstacle.kind == "bad_prev_link"
    assert outcome.reachable is False
    assert observed.rows == [1, 2, 3, 4], "the old branch, past the fork"


def test_a_time_at_which_the_cluster_was_on_the_branch_that_was_left(story: Story) -> None:
    """Its commits may lie in its later segments, or only in a .partial, which no restore reads."""
    story.take_backup()
    times: list[str] = []
    with story.life.connect() as connection:
        for number in range(5):
            commit(story.life, connection)
            if number == 3:
                connection.execute("SELECT pg_switch_wal()")
            time.sleep(0.02)
            times.append(connection.execute("SELECT clock_timestamp()::text").fetchone()[0])
            time.sleep(0.02)
    story.life.finish()
    xids = list(story.life.rows.values())
    time.sleep(1.1)  # a timeline may have its time in whole seconds
    child = story.fork(story.life, Target(type="xid", value=str(xids[1])))
    with child.connect() as connection:
        commit(child, connection)
        began = connection.execute("SELECT clock_timestamp()::text").fetchone()[0]
        commit(child, connection)
    child.finish()
    own = [path for path in story.segments() if path.name.startswith("00000001")]
    fork, after = (path for path in own[-2:])
    for time_asked, commits in zip(times[1:], (0, 1, 2, 3), strict=True):
        outcome, observed = story.check(Target(type="time", value=time_asked))
        assert observed.rows == [1, 2], "those of the other branch are in no restore"
        assert outcome.reachable is (commits == 0), outcome.reason
        if commits:
            counted = f"{commits} commit{'s' if commits > 1 else ''} up to"
            assert counted in outcome.reason and fork.name in outcome.reason
        assert (after.name in outcome.reason) is (commits == 3)
        there, observed = story.check(Target(type="time", value=time_asked, timeline="1"))
        if there.outcome == "opens":  # after the last commit no time is reached
            assert there.reachable and observed.rows == list(range(1, commits + 3))
    outcome, _ = story.check(Target(type="time", value=began))
    assert outcome.reachable and "timeline 1 has 3 commits" in outcome.reason
    for path in (fork, after):
        path.rename(f"{path}.partial")
    outcome, _ = story.check(Target(type="time", value=times[4]))
    assert outcome.reachable is False
    assert "3 commits up to" in outcome.reason and f"{fork.name}.partial" in outcome.reason
    checked = pitr_check(
        "--archive", story.archive, "--backup", story.backup, "--format", "json",
        "--target-time", f"{times[4]}",
    )  # fmt: skip
    said = checked.json["target"]
    assert (checked.status, said["reachable"], said["outcome"]) == (2, False, "opens")
    assert said["reason"] == outcome.reason
    (found,) = (f for f in checked.json["findings"] if f["id"] == "target_on_other_timeline")
    told = {"found_on": 1, "commits": 3, "first_segment": f"{fork.name}.partial"}
    assert {key: found["evidence"][key] for key in told} == told


def test_a_history_after_a_hole_is_not_seen(story: Story) -> None:
    child = forked(story)
    third = story.fork(child, Target(timeline="2"))
    with third.connect() as connection:
        commit(third, connection)
    third.finish()
    (story.archive / "00000002.history").unlink()
    outcome, _ = story.check(Target())
    assert (outcome.timeline, outcome.new_timeline, outcome.reachable) == (1, 2, False)
    outcome, _ = story.check(Target(timeline="2"))
    assert outcome.fatal == "recovery target timeline 2 does not exist"
    outcome, _ = story.check(Target(timeline="3"))
    assert (outcome.timeline, outcome.new_timeline, outcome.reachable) == (3, 4, True)


def test_a_timeline_that_left_before_the_backup(story: Story) -> None:
    forked(story)
    with story.life.cluster.running():
        with story.life.connect() as connection:
            commit(story.life, connection)
        shutil.rmtree(story.backup)
        story.take_backup()
        with story.life.connect() as connection:
            commit(story.life, connection)
            story.life.archive_now(connection)
    outcome, _ = story.check(Target())
    assert outcome.fatal == "requested timeline 2 is not a child of this server's history"
    outcome, _ = story.check(Target(timeline="1"))
    assert outcome.reachable
    outcome, _ = story.check(Target(timeline="current"))
    assert outcome.new_timeline == 3


def test_a_timeline_that_began_in_the_middle_of_a_record(story: Story) -> None:
    """WAL ended inside a record: the new timeline overwrites what is missing of it."""
    story.take_backup()
    with story.life.connect() as connection:
        commit(story.life, connection)
        commit_over_a_boundary(story.life, connection)
    story.life.finish()
    story.segments()[-1].unlink()
    outcome, _ = story.check(Target())
    assert outcome.reachable, "nobody can know of what is missing"
    child = story.fork(story.life, Target())
    with child.connect() as connection:
        commit(child, connection)
        commit(child, connection)
    child.finish()
    first, _ = child.rows.values()
    outcome, observed = story.check(Target())
    assert outcome.timeline == 2 and outcome.commits == 3
    outcome, _ = story.check(Target(type="xid", value=str(first)))
    assert outcome.reachable
    assert observed.rows is not None and len(observed.rows) == 3, "the lost commit is not there"


HISTORIES = {
    b"something else\n": "syntax error in history file: something else",
    b"1\t0/300\n\n  -2\t0\n": "syntax error in history file:   -2\t0",
    b"12/3 no\n": "syntax error in history file: 12/3 no",
    b"# a comment\n1 0/ 300 x\n1\t0/500\tx\n": "invalid data in history file: 1\t0/500\tx",
    b"2\t0/300\tx\n": 'invalid data in history file "pg_wal/RECOVERYHISTORY"',
    b"1\t0/300 " + b"x" * 1100 + b"\n": "syntax error in history file: " + "x" * 85,
}


def test_histories_that_the_server_refuses(story: Story) -> None:
    """By its own words; a file of zeros is an empty history, which it does not refuse."""
    forked(story)
    history = story.archive / "00000002.history"
    for content, fatal in HISTORIES.items():
        history.write_bytes(content)
        outcome, observed = story.check(Target())
        assert observed.fatal == fatal
        assert outcome.fatal == re.sub(r"(?<=file: ).*", "…", fatal), "the line is not copied"
    checked = pitr_check("--archive", story.archive, "--backup", story.backup, "--format", "json")
    assert checked.json["target"]["fatal"] == outcome.fatal and "history_broken" in checked.findings
    history.write_bytes(bytes(40))
    outcome, _ = story.check(Target())
    assert (outcome.fatal or "").startswith("could not locate required checkpoint record")
