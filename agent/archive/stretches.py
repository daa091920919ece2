"""Stretches of segments that the ledger knows joined: a warm look need not go one by one."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import Final, NamedTuple

from agent.archive.readings import Job
from agent.ledger.encode import pack_joined, unpack_joined
from agent.ledger.store import FileRow, Ledger, RunRow
from parsers.errors import ParseError
from parsers.segment import parse_segment_name
from parsers.wal.facts import Transactions
from parsers.wal.join import join_scans
from parsers.wal.scan import SegmentScan
from rules.model.scans import JoinedStretch

_SEGMENTS: Final = 64  # of a stretch, from a multiple on: which ones it has depends on no neighbour


class Known(NamedTuple):
    """One file that the ledger knows, sound, and how to get its scan."""

    job: Job
    row: FileRow
    fetch: Callable[[], SegmentScan]


def find_stretches(
    ledger: Ledger, known: Sequence[Known], segment_size: int
) -> Mapping[str, JoinedStretch]:
    """The stretches that can be joined, by the name of their first segment; new ones are kept."""
    blocks = list(_blocks(known, segment_size))
    kept = ledger.runs({block[0].job.file.directory for block in blocks})
    found: dict[str, JoinedStretch] = {}
    fresh: list[RunRow] = []
    for block in blocks:
        file = block[0].job.file
        first = (file.directory, file.name)
        run, members = kept.get(first), _members(block)
        if run is None or run.members != members:
            run = _make(block, first, members)
            fresh.append(run)
        joined = _load(block, run)
        if joined is not None:
            found[block[0].job.name] = joined
    ledger.write_runs(fresh)
    return found


def _blocks(known: Sequence[Known], segment_size: int) -> Iterator[list[Known]]:
    """Whole groups of segments with successive numbers."""
    groups: dict[tuple[str, int], dict[int, Known]] = {}
    for each in known:
        _, number = parse_segment_name(each.job.name, segment_size)
        group = groups.setdefault((each.job.name[:8], number // _SEGMENTS), {})
        group[number] = each
    for group in groups.values():
        if len(group) == _SEGMENTS:
            yield [group[number] for number in sorted(group)]


def _members(block: Sequence[Known]) -> bytes:
    """Names the rows of a block. A row that is rewritten has another number."""
    numbers = (each.row.id for each in block)
    return blake2b(struct.pack(f"<{len(block)}q", *numbers), digest_size=16).digest()


def _make(block: Sequence[Known], first: tuple[str, str], members: bytes) -> RunRow:
    joined = join_scans([each.fetch() for each in block])
    packed = pack_joined(joined) if joined else (b"", b"")
    return RunRow(first, members, *packed)


def _load(block: Sequence[Known], run: RunRow) -> JoinedStretch | None:
    if not run.scan:
        return None
    try:
        whole = unpack_joined(run.scan, run.summary, partial(_fetch_transactions, block))
    except ParseError:
        return None
    if whole.segments != len(block):
        return None
    return JoinedStretch(names=tuple(each.job.name for each in block), whole=whole)


def _fetch_transactions(block: Sequence[Known]) -> Transactions:
    joined = join_scans([each.fetch() for each in block])
    return joined.scan.facts.transactions if joined else Transactions()
