"""What there is to aim at in an archive: transactions, restore points, records, boundaries."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from parsers.lsn import format_lsn
from parsers.segment import parse_segment_name
from parsers.wal_facts import RestorePoint, Transaction, instant
from parsers.wal_stitch import stitch_run
from rules.outcome import Outcome
from rules.restore import Restore
from rules.target import Target
from tests.histories import POINT_NAMES, Life
from tests.read_wal import scan_file


@dataclass
class Landmarks:
    """What an archive holds, timeline by timeline."""

    transactions: dict[int, list[Transaction]] = field(default_factory=dict)
    points: list[RestorePoint] = field(default_factory=list)
    segments: list[str] = field(default_factory=list)
    begins: dict[int, int] = field(default_factory=dict)  # timeline -> first LSN of its own
    rows: dict[tuple[int, int], int] = field(default_factory=dict)  # (lsn, time) of commit -> value


def read_landmarks(archive: Path, lives: Sequence[Life]) -> Landmarks:
    """Read a healthy archive. `lives` are by timeline, from 1 on."""
    found = Landmarks()
    for timeline, life in enumerate(lives, start=1):
        paths = sorted(archive.glob(f"{timeline:08X}" + "[0-9A-F]" * 16))
        found.segments += [path.name for path in paths]
        begin = life.begin_lsn
        found.begins[timeline] = begin
        mine: list[Transaction] = []
        for stitched in stitch_run(scan_file(path) for path in paths):
            crossing = [stitched.boundary.facts] if stitched.boundary else []
            for facts in (*crossing, stitched.scan.facts):
                mine += [each for each in facts.transactions if each.lsn >= begin]
                found.points += [each for each in facts.restore_points if each.lsn >= begin]
        found.transactions[timeline] = mine
        by_xid = {each.xid: each for each in mine}
        for value, xid in life.rows.items():
            if xid in by_xid and by_xid[xid].kind.is_commit:
                found.rows[by_xid[xid].lsn, by_xid[xid].time_us] = value
    return found


def expected_rows(restore: Restore, outcome: Outcome, landmarks: Landmarks) -> list[int]:
    """The rows of table `seen` in the state that an outcome describes."""
    assert outcome.stop is not None
    stop = outcome.stop
    boundary = stop.lsn if stop.position == "before" else stop.end_lsn
    assert boundary is not None
    redo = outcome.redo_start_lsn or 0
    replayed = {
        (each.lsn, each.time_us)
        for name in outcome.segments_needed
        for each in _ending_in(restore, name)
        if redo <= each.lsn < boundary
    }
    before = {
        (each.lsn, each.time_us)
        for timeline, transactions in landmarks.transactions.items()
        if timeline <= restore.backup.label.timeline
        for each in transactions
        if each.lsn < redo
    }
    return sorted(
        value for key, value in landmarks.rows.items() if key in replayed or key in before
    )


def _ending_in(restore: Restore, name: str) -> Iterator[Transaction]:
    """Transactions whose record starts in a segment, also the one that runs out of it."""
    scan = restore.wal.archived(name) or restore.wal.carried(name)
    assert scan is not None
    yield from scan.facts.transactions
    fragment = scan.tail.fragment if scan.tail else None
    if fragment is None:
        return
    timeline, number = parse_segment_name(name, restore.wal.segment_size)
    after = restore.wal.archived(restore.wal.name(timeline, number + 1))
    if after is not None:
        *_, last = stitch_run([scan, after])
        if last.boundary:
            yield from last.boundary.facts.transactions


# -- targets --------------------------------------------------------------------------------------


def choose_targets(
    rng: random.Random,
    restore: Restore,
    landmarks: Landmarks,
    count: int,
    timelines: Sequence[str] = ("latest",),
) -> Iterator[Target]:
    """Targets of every type, the plain ones first, then at random."""
    types = ["none", "immediate", "time", "lsn", "xid", "name"]
    weights = [1, 1, 5, 6, 4, 4]
    kinds = [*types, *rng.choices(types, weights, k=max(count - len(types), 0))]
    for kind in kinds[:count]:
        target = Target(
            type=kind,
            value=_value(kind, rng, restore, landmarks),
            inclusive=rng.random() < 0.5,
            timeline=rng.choice(list(timelines)),
        )
        yield replace(target, action=rng.choices(("promote", "pause", "shutdown"), (8, 1, 1))[0])


def _value(kind: str, rng: random.Random, restore: Restore, landmarks: Landmarks) -> str | None:
    everything = [each for some in landmarks.transactions.values() for each in some]
    redo = restore.backup.label.start_lsn
    behind = [each for each in everything if each.lsn >= redo] or everything
    pick = rng.choice(behind if rng.random() < 0.9 else everything)
    match kind:
        case "time":
            return instant(_time(rng, pick, behind)).isoformat(sep=" ")
        case "xid":
            others = [*pick.subxids, pick.xid + 1, 4_000_000]
            return str(pick.xid if rng.random() < 0.8 else rng.choice(others))
        case "name":
            return rng.choice((*POINT_NAMES, "nowhere") if rng.random() < 0.3 else POINT_NAMES)
        case "lsn":
            return format_lsn(_lsn(rng, pick, restore, landmarks))
        case _:
            return None


def _time(rng: random.Random, pick: Transaction, behind: list[Transaction]) -> int:
    other = rng.choice(behind).time_us
    last = max(each.time_us for each in behind)
    choices = [pick.time_us, pick.time_us, pick.time_us + 1, pick.time_us - 1,
               (pick.time_us + other) // 2, last, pick.time_us - 86_400_000_000]  # fmt: skip
    return rng.choice(choices)


def _lsn(rng: random.Random, pick: Transaction, restore: Restore, landmarks: Landmarks) -> int:
    size = restore.wal.segment_size
    name = rng.choice(landmarks.segments)
    start = parse_segment_name(name, size)[1] * size
    place = restore.wal.find_record(name, start + rng.randrange(size // 2), None)
    point = rng.choice(landmarks.points or [pick])
    stop = restore.backup.stop_lsn or start
    choices = [pick.lsn, pick.end_lsn, pick.lsn + 1, point.end_lsn, point.lsn, start, stop,
               stop - 1, start + rng.randrange(size), place.lsn if place else start]  # fmt: skip
    return rng.choice(choices)
