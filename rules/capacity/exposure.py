"""Exposure: what a loss of the server's disk would cost right now, in bytes and in seconds.

Bytes are the WAL between the end of what is archived and the insert position. Seconds are the age
of the oldest transaction that ended after it. No view tells when a transaction ended, so polls
leave a trail: where the server wrote, and how many transactions had ended, at which instant. An
idle server writes WAL too (checkpoints, the snapshots of running transactions); while no
transaction ended, nobody has anything to lose. That is told by the whole snapshot: xmax alone
stands still while a transaction older than the newest one ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from parsers.segment import parse_segment_name, parse_wal_name
from parsers.values import dataclass
from rules.model.evidence import AbsentFacts, KnownFacts
from rules.model.facts import ArchiverFacts, ControlFacts, PositionFacts

# How far back rates are taken from.
RATE_SPAN: Final = timedelta(minutes=10)
# SizeOfXLogLongPHD (access/xlog_internal.h): no record begins before it in a segment.
_HEADER_BYTES: Final = 40
# Nobody looked for longer: what ended meanwhile ended at an instant that nobody knows.
_UNSEEN: Final = timedelta(minutes=2)
_KEPT_MAX: Final = 40  # footprints kept over a restart
_TRAIL_MAX: Final = 2000  # footprints kept; beyond it every second of the older half goes


class Footprint(NamedTuple):
    """What one poll saw of a primary."""

    at: datetime  # the server's clock
    timeline: int
    insert_lsn: int
    snapshot: str  # changes when a transaction that has an xid ends
    archived_to_lsn: int | None  # None: not known at that poll


Trail = tuple[Footprint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTrail:
    """A trail that outlives the agent, and the server that left it."""

    system_identifier: int
    trail: Trail


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureFacts:
    """What a restore from the archive would not bring back."""

    bytes: int
    seconds: float | None  # None: it cannot be told whether what ended last is archived
    at_least: bool  # `seconds` is a lower bound: of something older it cannot be told
    written_per_second: float | None  # bytes; None: the trail is too short
    archived_per_second: float | None
    # The first absent segment, after which what is archived is out of reach; None: there is none.
    beyond: str | None = None
    unarchived_seconds: float | None = None  # of `seconds`, what is in no archive yet; where known


def follow(trail: Trail, known: KnownFacts) -> Trail:
    """Add what the last poll saw.

    A server that is in recovery, was promoted, or is a different one starts over.
    """
    positions = known.get(PositionFacts)
    if positions is None:
        return trail
    if positions.insert_lsn is None or positions.timeline is None or positions.snapshot is None:
        return ()
    trail = trail if trail and trail[-1].timeline == positions.timeline else ()
    # Its clock was set back, or an older copy of it runs.
    if trail and (
        trail[-1].at > positions.server_at or trail[-1].insert_lsn > positions.insert_lsn
    ):
        trail = ()
    before = trail[-1].archived_to_lsn if trail else None
    step = Footprint(
        at=positions.server_at,
        timeline=positions.timeline,
        insert_lsn=positions.insert_lsn,
        snapshot=positions.snapshot,
        archived_to_lsn=_archived_to(known, positions.timeline, before),
    )
    if trail and trail[-1].at == step.at:
        trail = trail[:-1]
    return _shorten((*trail, step))


def condense(trail: Trail) -> Trail:
    """What of a trail is worth keeping over a restart: the answer is the same, its bytes are few.

    Of a stretch in which nothing ended its two ends tell all. What is still too long is thinned,
    but for the two polls that the answer rests on now.
    """
    ends = [
        step
        for index, step in enumerate(trail)
        if index in (0, len(trail) - 1)
        or not trail[index - 1].snapshot == step.snapshot == trail[index + 1].snapshot
    ]
    if len(ends) <= _KEPT_MAX:
        return tuple(ends)
    return _thin(ends, -(-len(ends) // (_KEPT_MAX - 3)), len(ends))


def exposure(trail: Trail, known: KnownFacts | None = None) -> ExposureFacts | None:
    """What a disk loss would cost at the last poll; None when it is not known what is archived.

    `known` are the facts of that poll: they tell what is archived after a segment that is absent.
    """
    if not trail or trail[-1].archived_to_lsn is None:
        return None
    last, archived_to = trail[-1], trail[-1].archived_to_lsn
    since, at_least = _exposed_since(trail, archived_to)
    recent = [step for step in trail if last.at - step.at <= RATE_SPAN]
    archived = [(s.at, s.archived_to_lsn) for s in recent if s.archived_to_lsn is not None]
    beyond, end = _beyond(known, last.timeline) if known else (None, None)
    unarchived = _exposed_since(trail, end)[0] if end is not None else since
    return ExposureFacts(
        bytes=max(0, last.insert_lsn - archived_to),
        seconds=(last.at - since).total_seconds() if since else None,
        at_least=at_least,
        written_per_second=written_per_second(trail),
        archived_per_second=_rate(archived),
        beyond=beyond,
        unarchived_seconds=(last.at - unarchived).total_seconds() if unarchived else None,
    )


def written_per_second(trail: Trail) -> float | None:
    """How fast WAL is written; None: the trail is too short."""
    recent = [step for step in trail if trail[-1].at - step.at <= RATE_SPAN]
    return _rate([(step.at, step.insert_lsn) for step in recent])


def _beyond(known: KnownFacts, timeline: int) -> tuple[str | None, int | None]:
    """The first absent segment of a timeline, and the end of what is archived in spite of it."""
    absent, archiver, control = (
        known.get(AbsentFacts), known.get(ArchiverFacts), known.get(ControlFacts),
    )  # fmt: skip
    lost = _absent_of(absent, timeline)
    if not lost or archiver is None or control is None:
        return None, None
    end = _end_of(archiver, timeline, control.segment_size_bytes)
    return (lost[0], end) if end is not None else (None, None)


def _exposed_since(trail: Sequence[Footprint], archived_to: int) -> tuple[datetime | None, bool]:
    """The instant after which something ended that is not archived; and whether it may be earlier.

    What ended between two polls between which the archived WAL ends as well may lie on either side
    of that end, and never counts: an idle server's last commit would look exposed for ever.
    """
    safe = _last_safe(trail, archived_to)
    if safe == len(trail) - 1:
        return trail[safe].at, False
    if safe is not None and trail[safe].insert_lsn >= archived_to:
        after = trail[safe + 1]  # something ended between the two
        unseen = after.at - trail[safe].at > _UNSEEN
        return (after.at, True) if unseen else (trail[safe].at, False)
    rest = trail if safe is None else trail[safe + 1 :]
    later = (step.at for step in rest if step.snapshot != rest[0].snapshot)
    return next(later, None), True


def _last_safe(trail: Sequence[Footprint], archived_to: int) -> int | None:
    """The last poll of which it was seen that all transactions ended so far are archived."""
    safe: int | None = None
    for index, step in enumerate(trail):
        if _holds(archived_to, step) or (
            safe is not None and step.snapshot == trail[safe].snapshot
        ):
            safe = index
    return safe


def _holds(archived_to: int, step: Footprint) -> bool:
    """Whether the archive had every record then. After a switch the next page has its header."""
    return step.insert_lsn <= archived_to + _HEADER_BYTES


def _rate(seen: Sequence[tuple[datetime, int]]) -> float | None:
    """Bytes a second from the first to the last; None for fewer than two."""
    if len(seen) < 2:
        return None
    (first_at, first), (last_at, last) = seen[0], seen[-1]
    return max(0, last - first) / (last_at - first_at).total_seconds()


def _shorten(trail: Trail) -> Trail:
    """Drop what no answer needs any more, and thin what is left when it grows too long."""
    last = trail[-1]
    keep_from = 0
    for index, step in enumerate(trail):
        safe = last.archived_to_lsn is not None and _holds(last.archived_to_lsn, step)
        if safe and last.at - step.at > RATE_SPAN:
            keep_from = index
    kept = trail[keep_from:]
    if len(kept) <= _TRAIL_MAX:
        return kept
    return _thin(kept, 2, len(kept) // 2)


def _thin(steps: Sequence[Footprint], every: int, until: int) -> Trail:
    """Keep one of so many before `until`; always those that the answer rests on now."""
    archived_to = steps[-1].archived_to_lsn
    safe = _last_safe(steps, archived_to) if archived_to is not None else None
    rests_on = {len(steps) - 1, *((safe, safe + 1) if safe is not None else ())}
    return tuple(
        step
        for number, step in enumerate(steps)
        if number >= until or number % every == 0 or number in rests_on
    )


def _archived_to(known: KnownFacts, timeline: int, before: int | None) -> int | None:
    """End of what is archived of this timeline.

    The archiver sends files in the order of their names, so a `.backup` tells of the segment that
    it is named after. A history file tells nothing: what was known `before` holds. A segment that
    was reported as archived and is absent ends what counts.
    """
    archiver = known.get(ArchiverFacts)
    control = known.get(ControlFacts)
    if archiver is None or control is None:
        return None
    size = control.segment_size_bytes
    lost = _absent_of(known.get(AbsentFacts), timeline)
    if lost:
        return parse_segment_name(lost[0], size)[1] * size
    end = _end_of(archiver, timeline, size)
    return before if end is None else max(end, before or 0)


def _absent_of(absent: AbsentFacts | None, timeline: int) -> list[str]:
    """What was reported as archived on a timeline and is not there, the oldest first."""
    return [name for name in absent.segments if int(name[:8], 16) == timeline] if absent else []


def _end_of(archiver: ArchiverFacts, timeline: int, size: int) -> int | None:
    """End of the segment that was archived last; None where that is not told."""
    name = parse_wal_name(archiver.last_archived_wal or "")
    if name is None or name.segment is None:
        return None
    of, number = parse_segment_name(name.segment, size)
    return (number + 1) * size if of == timeline else None
