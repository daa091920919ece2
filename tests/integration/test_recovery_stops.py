"""Records at which a target stops recovery; each really restored."""

from __future__ import annotations

import subprocess
import time

from parsers.lsn import format_lsn
from rules.model.target import Target
from tests.damaging import set_time
from tests.fix_check import pitr_check
from tests.fix_recovery import RecoveryStory as Story
from tests.fix_recovery import every_major
from tests.histories import Connection, commit, commit_over_a_boundary
from tests.landmarks import read_landmarks

pytestmark = every_major


def test_an_lsn_target_on_a_commit_leaves_it_out_of_the_last_transaction(story: Story) -> None:
    story.take_backup()
    with story.life.connect() as connection:
        commit(story.life, connection)
        commit(story.life, connection)
    story.life.finish()
    first, last = story.life.rows.values()
    by_xid, _ = story.check(Target(type="xid", value=str(last)))
    assert by_xid.stop and by_xid.stop.lsn
    value = format_lsn(by_xid.stop.lsn)
    by_lsn, observed = story.check(Target(type="lsn", value=value))
    assert by_lsn.last_transaction and by_lsn.last_transaction.xid == first
    assert observed.rows == [1, 2]
    assert by_lsn.stop and by_lsn.stop.record == f"commit of transaction {last}"


def test_a_commit_that_runs_over_a_segment_boundary(story: Story) -> None:
    story.take_backup()
    with story.life.connect() as connection:
        xid = commit_over_a_boundary(story.life, connection)
        commit(story.life, connection)
    story.life.finish()
    for inclusive in (True, False):
        outcome, _ = story.check(Target(type="xid", value=str(xid), inclusive=inclusive))
        stop = outcome.stop
        assert stop and stop.lsn and stop.end_lsn
        assert stop.lsn >> 20 < stop.end_lsn >> 20, "it does not cross"
        assert stop.segment == outcome.segments_needed[-2]
        story.check(Target(type="lsn", value=format_lsn(stop.lsn - 8), inclusive=inclusive))
    broken = story.backup.parent / "broken"
    subprocess.run(["cp", "-a", str(story.archive), str(broken)], check=True)
    (broken / outcome.segments_needed[-1]).unlink()
    outcome, _ = story.check(Target(), archive=broken)
    assert outcome.last_transaction is None or outcome.last_transaction.xid != xid


def test_a_time_while_nothing_happened_around_the_backup_is_its_very_state(story: Story) -> None:
    """From the last commit before consistency to the next, whatever the backup's clock says."""
    with story.life.connect() as connection:
        times = [now(connection)]
        commit(story.life, connection)
        for pause in (0.02, 1.1):
            time.sleep(pause)
            times.append(now(connection))
        story.take_backup(lambda other: times.append(now(other)))
        time.sleep(0.02)
        times.append(now(connection))
        commit(story.life, connection)
    story.life.finish()
    for number, value in enumerate(times):
        outcome, observed = story.check(Target(type="time", value=value))
        assert (outcome.outcome, observed.rows) == ("opens", [1])
        assert outcome.reachable is (number > 0), (number, outcome.reason)


def now(connection: Connection) -> str:
    return str(connection.execute("SELECT clock_timestamp()::text").fetchone()[0])


def test_commits_that_a_clock_set_back_leaves_out(story: Story) -> None:
    """However far after the stop they are."""
    story.take_backup()
    with story.life.connect() as connection:
        for _ in range(4):
            commit(story.life, connection)
            connection.execute("SELECT pg_switch_wal()")
    story.life.finish()
    landmarks = read_landmarks(story.archive, [story.life])
    by_xid = {each.xid: each for each in landmarks.transactions[1]}
    first, second, third, fourth = (by_xid[xid] for xid in story.life.rows.values())
    for late in (third, fourth):
        set_time(story.archive, 1, late, first.time_us, landmarks)
    target = Target(type="time", value=first.time.isoformat())
    outcome, observed = story.check(target)
    assert outcome.stop and outcome.stop.xid == second.xid and observed.rows == [1]
    checked = pitr_check(
        "--archive", story.archive, "--backup", story.backup, "--format", "json",
        "--target-time", target.value,
    )  # fmt: skip
    (found,) = (each for each in checked.json["findings"] if each["id"] == "clock_stepped_back")
    assert (found["evidence"]["transactions"], found["evidence"]["first_xid"]) == (2, third.xid)
    assert checked.json["target"]["reachable"] is True
    named = pitr_check(
        "--archive", story.archive, "--backup", story.backup, "--format", "json",
        "--target-time", second.time.isoformat(), "--exclusive",
    )  # fmt: skip
    assert "clock_stepped_back" in named.findings


def test_a_misspelled_restore_point(story: Story) -> None:
    with story.life.connect() as connection:
        connection.execute("SELECT pg_create_restore_point('Antes_del_cambio')")
    story.take_backup()
    with story.life.connect() as connection:
        connection.execute("SELECT pg_create_restore_point('Antes_del_Cambio_2')")
    story.life.finish()
    wanted = Target(type="name", value="antes_del_cambio2")
    assert story.check(wanted)[0].outcome == "fails"
    checked = pitr_check(
        "--archive", story.archive, "--backup", story.backup, "--format", "json",
        "--target-name", wanted.value,
    )  # fmt: skip
    (found,) = (each for each in checked.json["findings"] if each["id"] == "target_not_in_wal")
    assert "there is 'Antes_del_Cambio_2'" in found["summary"]
    assert "--target-name Antes_del_Cambio_2" in found["remedy"]
