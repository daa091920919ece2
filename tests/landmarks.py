"""What there is to aim at in an archive: transactions, restore points, records, boundaries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from parsers.segment import parse_segment_name
from parsers.wal.damage import DamageKind
from parsers.wal.facts import RestorePoint, Transaction
from parsers.wal.page import ANY_TIMELINE
from parsers.wal.stitch import Stitched, stitch_run
from rules.model.outcome import Outcome
from rules.model.restore_inputs import RestoreInputs
from rules.model.timelines import in_order, path_of
from tests.histories import Life
from tests.read_wal import scan_file


@dataclass
class Landmarks:
    """What an archive holds, timeline by timeline."""

    transactions: dict[int, list[Transaction]] = field(default_factory=dict)
    points: list[RestorePoint] = field(default_factory=list)
    segments: list[str] = field(default_factory=list)
    begins: dict[int, int] = field(default_factory=dict)  # timeline -> first LSN of its own
    rows: dict[tuple[int, int], int] = field(default_factory=dict)  # (lsn, time) of commit -> value
    # timeline -> (lsn, value) of rows that were there by then, their commits in no segment
    unarchived: dict[int, list[tuple[int, int]]] = field(default_factory=dict)


def read_landmarks(archive: Path, lives: Sequence[Life]) -> Landmarks:
    """Read a healthy archive. `lives` are by timeline, from 1 on."""
    found = Landmarks()
    for timeline, life in enumerate(lives, start=1):
        paths = sorted(archive.glob(f"{timeline:08X}" + "[0-9A-F]" * 16))
        found.segments += [path.name for path in paths]
        begin = life.begin_lsn
        found.begins[timeline] = begin
        mine: list[Transaction] = []
        for stitched in chain.from_iterable(map(_stitch, _runs(paths))):
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


def _runs(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """The segments of a timeline, parted where one is not there."""
    run: list[Path] = []
    for path in paths:
        size = path.stat().st_size
        if run and _number(path, size) != _number(run[-1], size) + 1:
            yield run
            run = []
        run.append(path)
    yield run


def _number(path: Path, size: int) -> int:
    return parse_segment_name(path.name, size)[1]


def _stitch(run: Sequence[Path]) -> Iterator[Stitched]:
    return stitch_run(scan_file(path) for path in run)


def expected_rows(restore: RestoreInputs, outcome: Outcome, landmarks: Landmarks) -> list[int]:
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
    own = restore.backup.label.timeline
    path = in_order(path_of(own, restore.histories.get(own)))
    before = {
        (each.lsn, each.time_us)
        for stretch in path
        for each in landmarks.transactions.get(stretch.timeline, ())
        if each.lsn < min(redo, stretch.end_lsn or redo)
    }
    lost = {
        value
        for stretch in path
        for lsn, value in landmarks.unarchived.get(stretch.timeline, ())
        if lsn <= min(redo, stretch.end_lsn or redo)
    }
    found = {value for key, value in landmarks.rows.items() if key in replayed or key in before}
    return sorted(found | lost)


def _ending_in(restore: RestoreInputs, name: str) -> Iterator[Transaction]:
    """Transactions whose record starts in a segment, also the one that runs out of it."""
    scan = restore.wal.archived(name) or restore.wal.carried(name)
    if scan is not None and scan.damage and scan.damage.kind is DamageKind.WRONG_TIMELINE:
        scan = restore.wal.scan_from(name, None, ANY_TIMELINE)  # what was not read is not replayed
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
