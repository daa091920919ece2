"""What a trial aims at: the target that its dice make of what its anchor did."""

from __future__ import annotations

import random
from pathlib import Path

from parsers.lsn import format_lsn
from parsers.segment import parse_segment_name
from parsers.wal.facts import Transaction, instant
from rules.model.target import Target
from tests.damaging import set_time
from tests.histories import SEGMENT_BYTES
from tests.landmarks import Landmarks, read_landmarks
from tests.truth.plan import Trial
from tests.truth.steps import NAMES
from tests.truth.world import Mark, World

_PAGE = 8192
_US = (0, 0, 0, 1, -1, 1000, -1000, -3_600_000_000, 3_600_000_000)
_BYTES = (0, 0, 0, 1, -1, 8, -8, 24)


def end_history(world: World) -> Landmarks:
    """Archive, stop, and let the clock have stepped where the plan says so."""
    world.finish()
    landmarks = read_landmarks(world.archive, world.lives)
    for dice in world.clock_steps:
        rng = random.Random(dice)
        timeline = rng.choice(sorted(landmarks.transactions))
        some = landmarks.transactions[timeline]
        for each in rng.sample(some, min(2, len(some))):
            moved = each.time_us + rng.choice((-1, -200_000, -3_600_000_000, 3_600_000_000))
            set_time(world.archive, timeline, each, moved, landmarks)
    landmarks = read_landmarks(world.archive, world.lives)
    known = set(landmarks.rows.values())
    for timeline, lsn, rows in world.noted:
        lost = landmarks.unarchived.setdefault(timeline, [])
        lost += ((lsn, value) for value in sorted(rows - known))
        known |= rows
    return landmarks


def take_aim(trial: Trial, world: World, landmarks: Landmarks) -> Target | None:
    """None where the history lacks what the trial refers to."""
    mark = world.marks.get(trial.anchor)
    if mark is None or trial.backup not in world.backups:
        return None
    rng = random.Random(trial.dice)
    beside = _beside(mark, landmarks)
    if beside is None and trial.type in ("time", "xid"):
        return None
    value = None
    match trial.type:
        case "time":
            assert beside is not None
            value = instant(_time(rng, beside, landmarks)).isoformat(sep=" ")
        case "xid":
            assert beside is not None
            around = [*beside.subxids, beside.xid + 1, beside.xid - 1, 4_000_000]
            value = str(beside.xid if rng.random() < 0.8 else rng.choice(around))
        case "lsn":
            value = format_lsn(max(_lsn(rng, mark, beside, landmarks), SEGMENT_BYTES))
        case "name":
            known = [point.name for point in landmarks.points]
            value = rng.choice(known) if known and rng.random() < 0.85 else rng.choice(NAMES)
    return Target(
        type=trial.type, value=value, timeline=trial.timeline, inclusive=trial.inclusive,
        action=trial.action,
    )  # fmt: skip


def _beside(mark: Mark, landmarks: Landmarks) -> Transaction | None:
    """The transaction of the mark's step, or else the next on its timeline, or the last."""
    some = landmarks.transactions.get(mark.timeline) or []
    own = [each for each in some if each.xid == mark.xid]
    later = [each for each in some if each.lsn >= mark.before_lsn]
    return next(iter(own or later or some[-1:]), None)


def _time(rng: random.Random, beside: Transaction, landmarks: Landmarks) -> int:
    everything = [each.time_us for some in landmarks.transactions.values() for each in some]
    if rng.random() < 0.15:
        return (beside.time_us + rng.choice(everything)) // 2
    return (beside.time_us if rng.random() < 0.85 else max(everything)) + rng.choice(_US)


def _lsn(rng: random.Random, mark: Mark, beside: Transaction | None, landmarks: Landmarks) -> int:
    near = [mark.before_lsn, mark.after_lsn, mark.after_lsn]
    if beside:
        near += [beside.lsn, beside.end_lsn]
    point = next((each for each in landmarks.points if each.lsn >= mark.before_lsn), None)
    if point:
        near += [point.lsn, point.end_lsn]
    lsn = rng.choice(near)
    match rng.randrange(10):
        case 0:
            lsn -= lsn % SEGMENT_BYTES
        case 1:
            lsn += -lsn % SEGMENT_BYTES
        case 2:
            lsn -= lsn % _PAGE
        case 3:
            return lsn - lsn % SEGMENT_BYTES + rng.randrange(SEGMENT_BYTES)
    return lsn + rng.choice(_BYTES)


def segment_near(mark: Mark, archive: Path) -> str | None:
    """The archived segment that a mark lies in, on its timeline; else the next one there is."""
    names = sorted(path.name for path in archive.iterdir() if len(path.name) == 24)
    after = [
        name
        for name in names
        if int(name[:8], 16) >= mark.timeline
        and parse_segment_name(name, SEGMENT_BYTES)[1] >= mark.before_lsn // SEGMENT_BYTES
    ]
    return next(iter(after or names), None)
