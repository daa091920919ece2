"""A recovery that goes past whole stretches of segments at once ends as one that does not."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from parsers.wal.join import join_scans
from rules.model.goal import Goal
from rules.model.restore_inputs import RestoreInputs
from rules.model.scans import JoinedStretch
from rules.recovery.predictor import simulate
from tests.rules.make_restore import Story, at, with_backup
from tests.rules.write_wal import SEGMENT

SEGMENTS = 10


@functools.cache
def eventful(*, ends_in: int) -> Story:
    """Ten segments with six transactions each; the backup ends in one of them.

    Every other one is full to its last byte, and a commit crosses into the next. Clocks are in
    disorder, one segment has a restore point, one a prepared transaction.
    """
    story = Story()
    for number in range(SEGMENTS):
        if number == ends_in:
            story.end_backup()
        for each in range(6):
            xid = 800 + 10 * number + each
            story.wal.commit(xid, at(20 + 10 * number - each % 3), abort=each == 4)
        if number == 4:
            story.wal.point("fifth", at(62))
            story.wal.running()
        if number == 6:
            story.wal.prepare(869, at(80))
            story.wal.end_prepared(869, at(81))
        if number % 2:
            story.wal.switch()
        else:
            story.wal.fill_to(begin_of(story) + SEGMENT - 24)
            story.wal.commit(800 + 10 * number + 9, at(29 + 10 * number))
    return story


def begin_of(story: Story) -> int:
    return story.wal.lsn // SEGMENT * SEGMENT


def joined(restore: RestoreInputs, length: int, offset: int) -> RestoreInputs:
    """The same restore with stretches of `length` segments, where they can be joined."""
    wal, names = restore.wal, sorted(restore.wal.names)
    stretches = {}
    for first in range(offset, len(names) - length + 1, length):
        block = names[first : first + length]
        whole = join_scans([scan for name in block if (scan := wal.archived(name))])
        if whole is not None:
            stretches[block[0]] = JoinedStretch(names=tuple(block), whole=whole)
    assert stretches
    return replace(restore, wal=replace(wal, stretch=stretches.get))


def goals() -> Iterator[Goal]:
    """Targets of every type in every segment, and on each side of what is there."""
    yield from (Goal(), Goal(type="immediate"), Goal(timeline=1))
    yield from (Goal(type="name", name=name) for name in ("fifth", "none"))
    for inclusive in (True, False):
        for number in range(-1, SEGMENTS + 1):
            lsn = (2 + number) * SEGMENT
            for offset in (0, 500, SEGMENT - 24):
                yield Goal(type="lsn", lsn=lsn + offset, inclusive=inclusive)
            for each in (0, 5, 9):
                xid, seconds = 800 + 10 * number + each, 20 + 10 * number + each
                yield Goal(type="xid", xid=xid, inclusive=inclusive)
                yield Goal(type="time", time_us=at(seconds), inclusive=inclusive)


@pytest.mark.parametrize(("length", "offset"), [(2, 1), (3, 2), (4, 1)])
@pytest.mark.parametrize("ends_in", [0, 8])
def test_every_prediction_is_the_same(ends_in: int, length: int, offset: int) -> None:
    plain = eventful(ends_in=ends_in).restore()
    whole = joined(plain, length, offset)
    for goal in goals():
        assert simulate(plain, goal) == simulate(whole, goal), goal


@pytest.mark.parametrize("place", [0, 700, SEGMENT - 16])
def test_a_standbys_backup_is_consistent_in_the_midst_of_a_stretch(place: int) -> None:
    """Its minimum recovery point is the end of some record."""
    restore = eventful(ends_in=0).restore()
    label = replace(restore.backup.label, source="standby")
    for number in (2, 3):
        standby = with_backup(restore, label=label, stop_lsn=(2 + number) * SEGMENT + place)
        whole = joined(standby, 3, 1)
        for goal in goals():
            assert simulate(standby, goal) == simulate(whole, goal), goal


def test_no_file_in_the_midst_of_a_stretch_is_asked_for() -> None:
    """That is what stretches are for: an archive has a hundred thousand segments."""
    plain = eventful(ends_in=0).restore()
    whole, asked = joined(plain, 4, 1), list[str]()
    read, names = whole.wal.archived, sorted(whole.wal.names)
    wal = replace(whole.wal, archived=lambda name: asked.append(name) or read(name))  # type: ignore[func-returns-value]
    outcome = simulate(replace(whole, wal=wal), Goal())
    assert outcome.segments_needed == tuple(names)
    # One from 1 to 4; a prepared transaction is in 6, so that none begins at 5.
    assert set(names) - set(asked) == {names[number] for number in (2, 3, 4)}


def test_a_stretch_knows_what_it_may_contain() -> None:
    """To the microsecond, the transaction and the byte."""
    restore = joined(eventful(ends_in=0).restore(), 2, 1)
    stretch = restore.wal.stretch(sorted(restore.wal.names)[1])
    assert stretch is not None
    last, summary = stretch.facts.last_lsn or 0, stretch.summary
    for given, inside in (
        ({"type": "time", "time_us": summary.latest_us}, True),
        ({"type": "time", "time_us": summary.latest_us + 1}, False),
        ({"type": "xid", "xid": summary.lowest_xid}, True),
        ({"type": "xid", "xid": summary.highest_xid + 1}, False),
        ({"type": "lsn", "lsn": last}, True),
        ({"type": "lsn", "lsn": last + 1}, False),
        ({"type": "name", "name": "none"}, False),
        ({"type": "immediate"}, True),
        ({"type": "none"}, False),
    ):
        assert stretch.may_contain(Goal(**given)) is inside, given  # type: ignore[arg-type]
    first, end = stretch.facts.first_lsn or 0, stretch.facts.end_lsn or 0
    held = [stretch.holds(lsn) for lsn in (first, first + 1, end, end + 1)]
    assert held == [False, True, True, False]
