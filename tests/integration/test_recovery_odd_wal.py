"""WAL that is sound and odd, and files of every length; each really restored."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from agent.archive.fetch import FileRefused, fetch
from parsers.files.timeline_history import parse_timeline_history
from rules.model.target import Target
from tests.fix_check import MIB, Checked, pitr_check
from tests.fix_recovery import RecoveryStory as Story
from tests.fix_recovery import every_major
from tests.histories import Life, commit, fill_to, forget_target, switch_here
from tests.restoring import Observed, restore

pytestmark = every_major
FINISHED = 1_600_000_000  # a file that changed so long ago is not being written any more


def verdict(story: Story, archive: Path | None = None, *options: str) -> Checked:
    """What the command says of the same backup and archive."""
    named = ("--archive", archive or story.archive, "--backup", story.backup)
    return pitr_check(*named, "--backup-depth", "label", "--format", "json", *options)


# -- histories out of order ------------------------------------------------------------------------


def test_a_recovery_to_before_an_earlier_fork(story: Story, short_directory: Path) -> None:
    """Timeline 2 left 1 late; along 2, timeline 3 left 1 early. Backups lie around both forks."""
    story.take_backup()
    first, second, third = (short_directory / name for name in ("backup", "second", "third"))
    with story.life.connect() as connection:
        for _ in range(6):  # further than timeline 3 will get
            commit(story.life, connection)
            connection.execute("SELECT pg_switch_wal()")
    story.life.take_backup(second, lambda connection: commit(story.life, connection))
    with story.life.connect() as connection:
        commit(story.life, connection)
        connection.execute("SELECT pg_switch_wal()")
        commit(story.life, connection)
    story.life.finish()
    early, *_, late = story.life.rows.values()
    child = story.fork(story.life, Target(type="xid", value=str(late)))
    live_on(child)
    other = story.fork(story.life, Target(type="xid", value=str(early)))
    other.take_backup(third, lambda connection: commit(other, connection))
    live_on(other)
    forget_target(third)
    history = parse_timeline_history((story.archive / "00000003.history").read_bytes(), 3)
    (one, left_late), (two, left_early) = ((e.timeline, e.switch_lsn) for e in history.entries)
    assert (one, two) == (1, 2) and left_early < left_late, "the server wrote it so"
    for backup, opening in ((first, {"1", "2", "3"}), (second, {"1", "2"}), (third, {"3"})):
        story.backup = backup
        windows = verdict(story).json["backups"][0]["windows"]
        assert {str(window["timeline"]) for window in windows} == opening
        for timeline in ("1", "2", "3"):
            outcome, _ = story.check(Target(timeline=timeline))
            assert (outcome.outcome == "opens") is (timeline in opening)
        outcome, observed = story.check(Target())
        assert verdict(story).json["target"]["fatal"] == observed.fatal
        assert outcome.reachable is ("3" in opening)
    story.backup = second
    outcome, observed = story.check(Target())
    assert observed.fatal == "requested timeline 3 is not a child of this server's history"


def live_on(life: Life) -> None:
    with life.connect() as connection:
        commit(life, connection)
        connection.execute("SELECT pg_switch_wal()")
        commit(life, connection)
    life.finish()


def test_a_fork_inside_the_backup(story: Story, short_directory: Path) -> None:
    """The new timeline begins with a shutdown checkpoint, while the backup waits for its end."""
    story.take_backup()
    later = short_directory / "later"
    story.life.take_backup(later, lambda connection: commit(story.life, connection))
    with story.life.connect() as connection:
        commit(story.life, connection)
    story.life.finish()
    inside = list(story.life.rows.values())[1]
    child = story.fork(story.life, Target(type="xid", value=str(inside)))
    live_on(child)
    after = next(iter(child.rows.values()))
    story.backup = later
    for target in (Target(), Target(type="immediate"), Target(type="xid", value=str(after))):
        outcome, observed = story.check(target)
        assert observed.fatal == "online backup was canceled, recovery cannot continue"
        assert outcome.severity == observed.severity == "PANIC"
        assert outcome.remedy and "--timeline current" in outcome.remedy
    outcome, _ = story.check(Target(timeline="current"))
    assert outcome.reachable


# -- a switch at a segment's end -------------------------------------------------------------------


@pytest.mark.parametrize("gap", [8, 16, 24, 32])
def test_a_switch_at_the_end_of_a_segment(story: Story, gap: int) -> None:
    """With 8 or 16 bytes left it ends in the next segment, of which the rest is skipped."""
    story.take_backup()
    with story.life.connect() as connection:
        commit(story.life, connection)
        switch = 0
        while MIB - switch % MIB != gap:  # the background writer may have written meanwhile
            fill_to(connection, gap)
            switch = switch_here(connection)
        commit(story.life, connection)
        commit(story.life, connection)
    story.life.finish()
    for depth in ("headers", "records"):
        checked = verdict(story, None, "--depth", depth)
        assert checked.json["archives"][0]["damaged"] == []
    assert checked.json["verdict"] == "ok" and checked.json["restorable"]
    outcome, _ = story.check(Target())
    assert outcome.reachable and outcome.commits == 3
    names = [int(name[16:], 16) for name in outcome.segments_needed]
    assert names[-1] - switch // MIB == (2 if gap < 24 else 1)
    after = list(story.life.rows.values())[1]
    targets = [Target(type="xid", value=str(after))]
    targets += [
        Target(type="lsn", value=f"0/{lsn:X}", inclusive=inclusive)
        for lsn in (switch, switch + 8, switch + gap + 64)
        for inclusive in (True, False)
    ]
    for target in targets:
        outcome, _ = story.check(target)
        assert outcome.reachable
    child = story.fork(story.life, Target(type="lsn", value=f"0/{switch:X}"))
    live_on(child)
    outcome, _ = story.check(Target())
    assert outcome.reachable and outcome.timeline == 2
    assert verdict(story).json["verdict"] == "ok"


# -- files of every length -------------------------------------------------------------------------

LENGTHS = (0, 1, 100, 8191, 8192, 300_000, MIB - 1, MIB + 1, MIB + 8192, 2 * MIB, 3 * MIB + 5)
RESTORED = (0, 300_000, MIB - 1, MIB + 1, 2 * MIB)


def segments_after_a_backup(story: Story) -> list[Path]:
    """Four segments, of which each holds 100 kB, a commit and a switch."""
    story.take_backup()
    with story.life.connect() as connection:
        for _ in range(4):
            connection.execute("SELECT pg_switch_wal()")
            connection.execute("SELECT pg_logical_emit_message(false, 'p', repeat('x', 100000))")
            commit(story.life, connection)
    story.life.finish()
    return story.segments()[-4:]


def resized(path: Path, length: int) -> None:
    os.truncate(path, length)
    os.utime(path, (FINISHED, FINISHED))


def test_a_file_of_another_length_in_the_archive(story: Story, tmp_path: Path) -> None:
    victim = segments_after_a_backup(story)[1]
    whole, target = victim.read_bytes(), tmp_path / "fetched"
    for length in LENGTHS:
        resized(victim, length)
        said = verdict(story).json
        (damage,) = said["archives"][0]["damaged"]
        assert damage["kind"] == ("truncated" if length < MIB else "oversized")
        fatal = f'archive file "{victim.name}" has wrong size: {length} instead of {MIB}'
        assert (said["target"]["outcome"], said["target"]["fatal"]) == ("fails", fatal)
        with pytest.raises(FileRefused, match="bytes"):
            fetch(victim.name, str(target), [str(story.archive)])
        if length in RESTORED:
            _, observed = story.check(Target())
            assert observed.fatal == fatal, "in the server's own words"
        good = story.archive / "other" / victim.name
        good.parent.mkdir(exist_ok=True)
        good.write_bytes(whole)
        os.utime(good, (FINISHED, FINISHED))
        beside = verdict(story).json
        assert (beside["archives"][0]["damaged"], beside["target"]["outcome"]) == ([], "opens")
        (finding,) = (f for f in beside["findings"] if f["id"] == "wal_copies_differ")
        assert damage["kind"] in finding["summary"]
        assert fetch(victim.name, str(target), [str(story.archive)], complain=lambda _: None)
        assert target.read_bytes() == whole
        shutil.rmtree(good.parent)
        victim.write_bytes(whole)


def test_reading_ahead_meets_a_file_that_is_too_long(story: Story) -> None:
    victim = segments_after_a_backup(story)[1]
    resized(victim, MIB + 8192)
    early = Target(type="immediate")
    needs = {"recovery_prefetch": "off"} if story.major >= 15 else {}
    outcome, _ = story.check(early)
    assert outcome.outcome == "opens" and outcome.needs == needs
    said = verdict(story, None, "--target-immediate").json["target"]
    assert (said["outcome"], said["needs"]) == ("opens", needs)
    if needs:
        observed: Observed = restore(story.new_cluster("ahead"), story.backup, story.archive, early)
        assert observed.fatal == verdict(story).json["target"]["fatal"]


def test_a_file_of_another_length_in_pg_wal(story: Story) -> None:
    """There the server looks at no size. What a switch skips need not be there, nor be all."""
    victim = segments_after_a_backup(story)[1]
    whole, own = victim.read_bytes(), story.backup / "pg_wal" / victim.name
    victim.unlink()
    for length in (0, 100, 8192, 50_000, 300_000, MIB, MIB + 1, 2 * MIB):
        own.write_bytes(whole)
        os.truncate(own, length)
        os.utime(own, (FINISHED, FINISHED))
        story.life.cluster.account.own(own)
        outcome, _ = story.check(Target())
        assert outcome.outcome == "opens"
        assert outcome.commits == (4 if length >= 300_000 else 1)
        assert outcome.reachable is (length >= 300_000)
        said = verdict(story).json["target"]
        assert (said["outcome"], said["reachable"]) == ("opens", outcome.reachable)


# -- pages of another timeline ---------------------------------------------------------------------


def test_a_page_of_a_timeline_to_come(story: Story) -> None:
    """15 and later ask of the page read last, ahead of replay, whether its timeline is expected."""
    third = segments_after_a_backup(story)[2]
    data = bytearray(third.read_bytes())
    data[6 * 8192 + 7] ^= 0x80  # the high byte of xlp_tli
    third.write_bytes(data)
    _, second, lost, _ = (Target(type="xid", value=str(xid)) for xid in story.life.rows.values())
    needed = {"recovery_prefetch": "off"} if story.major >= 15 else {}
    for target, reachable in ((Target(), False), (second, True), (lost, False)):
        outcome, _ = story.check(target)
        assert (outcome.reachable, outcome.needs) == (reachable, needed)
    _, observed = story.check(second, apply_needs=False)
    assert (observed.fatal is not None) == bool(needed)
