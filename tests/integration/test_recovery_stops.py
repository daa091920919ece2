"""Records at which a target stops recovery; each really restored."""

from __future__ import annotations

import subprocess

from parsers.lsn import format_lsn
from rules.target import Target
from tests.fix_recovery import RecoveryStory as Story
from tests.fix_recovery import every_major
from tests.histories import commit, commit_over_a_boundary

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
