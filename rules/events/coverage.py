"""Which segments hold the WAL of an instant, by the times of what was committed in them.

Commit times are in no order, so the answer is a run of segments: from the last one that has
something of the instant or before it to the first that has something later.
"""

from __future__ import annotations

from collections.abc import Sequence

from parsers.values import dataclass
from parsers.wal.facts import RestorePoint
from rules.events.path_segments import Chapter, MissingSegment
from rules.model.restore_inputs import Wal


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveringSegment:
    """One segment of the answer."""

    segment: str
    is_held: bool
    flaw: str | None  # held, but not all of it can be used
    first_us: int | None  # the earliest time in it; None: it has none, or is not held
    last_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The segments that hold an instant's WAL."""

    at_us: int
    segments: tuple[CoveringSegment, ...]  # empty: the instant lies before all that was read
    is_known: bool  # False: it is later, or earlier, than everything that was read
    next_segment: str | None  # later than everything: where its WAL would come


def find_coverage(
    at_us: int, chapters: Sequence[Chapter], holes: Sequence[MissingSegment], wal: Wal
) -> Coverage:
    """Look among the chapters of a path, in order."""
    pages: list[Chapter | MissingSegment] = sorted(
        (*chapters, *holes), key=lambda page: page.number
    )
    timed = [(index, *times) for index, page in enumerate(pages) if (times := _times(page))]
    before = [index for index, first, _ in timed if first <= at_us]
    after = [index for index, _, last in timed if last > at_us]
    if not before:
        return Coverage(at_us=at_us, segments=(), is_known=False, next_segment=None)
    if not after:
        last = chapters[-1]
        return Coverage(
            at_us=at_us,
            segments=(_covering(pages[before[-1]]),),
            is_known=False,
            next_segment=wal.name(last.timeline, last.number + 1),
        )
    first, end = sorted((before[-1], after[0]))
    run = tuple(_covering(page) for page in pages[first : end + 1])
    return Coverage(at_us=at_us, segments=run, is_known=True, next_segment=None)


def _times(page: Chapter | MissingSegment) -> tuple[int, int] | None:
    """The earliest and the latest time of a segment's transactions and restore points."""
    if isinstance(page, MissingSegment):
        return None
    found: list[int] = []
    for facts in (page.crossing, page.inside):
        times = facts.transactions.times_us
        found += (min(times), max(times)) if times else ()
        found += [event.time_us for event in facts.events if isinstance(event, RestorePoint)]
    return (min(found), max(found)) if found else None


def _covering(page: Chapter | MissingSegment) -> CoveringSegment:
    first, last = _times(page) or (None, None)
    return CoveringSegment(
        segment=page.segment,
        is_held=isinstance(page, Chapter),
        flaw=page.flaw if isinstance(page, Chapter) else None,
        first_us=first,
        last_us=last,
    )
