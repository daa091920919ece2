"""When the WAL was written: places of it that have a time, to lay LSNs on a time axis.

Only a few records have one: commits, aborts, restore points, checkpoints and the end of a recovery.
What lies between two of them was written between their times, by the clocks of those who wrote.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Final

from parsers.values import dataclass
from parsers.wal.facts import (
    POSTGRES_EPOCH,
    CheckpointRecord,
    DatedPlace,
    EndOfRecovery,
    Facts,
    RestorePoint,
    instant,
)
from rules.archive.restore_points import (
    PlacedRestorePoint,
    Walked,
    begin_of,
    list_restore_points,
)
from rules.model.timelines import Stretch, Timeline, TimelineTree

_PLACES_MAX: Final = 4096  # of one timeline; beyond it every second one goes
_EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_EPOCH_SECONDS: Final = int(POSTGRES_EPOCH.timestamp())


Places = Sequence[DatedPlace]  # in LSN order


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedWalFacts:
    """What has a time in the WAL that was read, by the timeline that wrote it."""

    places: Mapping[int, Places]
    restore_points: tuple[PlacedRestorePoint, ...] = ()


def date_wal(walked: Iterable[tuple[int, Facts]], tree: TimelineTree) -> DatedWalFacts:
    """Walk through everything that was read, once."""
    pieces: Walked = list(walked)
    found: dict[int, list[DatedPlace]] = defaultdict(list)
    for timeline, facts in pieces:
        own = begin_of(tree, timeline)
        found[timeline] += (place for place in _places(facts) if place.lsn >= own)
    return DatedWalFacts(
        places={timeline: _thin(sorted(places)) for timeline, places in found.items() if places},
        restore_points=tuple(list_restore_points(pieces, tree)),
    )


def _places(facts: Facts) -> Iterator[DatedPlace]:
    yield from facts.transactions.sample()
    for event in facts.events:
        if isinstance(event, EndOfRecovery | RestorePoint):
            yield DatedPlace(event.lsn, event.time_us)
        elif isinstance(event, CheckpointRecord):
            yield DatedPlace(event.lsn, (event.time - _EPOCH_SECONDS) * 1_000_000)


def _thin(places: list[DatedPlace]) -> Places:
    """Few enough to draw; nobody's transactions are lost of the count."""
    while len(places) > _PLACES_MAX:
        pairs = zip(places[::2], [*places[1::2], None], strict=False)
        places = [one if two is None else _join(one, two) for one, two in pairs]
    return tuple(places)


def _join(one: DatedPlace, two: DatedPlace) -> DatedPlace:
    return two._replace(transactions=one.transactions + two.transactions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dating:
    """Where an LSN lies in time: between the dated places around it, on the path to a timeline."""

    tree: TimelineTree
    places: Mapping[int, Places]
    # From when to when each timeline was written to, of those of which something has a time.
    extents: Mapping[int, tuple[datetime, datetime]]
    _paths: dict[int, tuple[Stretch, ...]] = field(default_factory=dict, repr=False, compare=False)

    def before(self, timeline: int, lsn: int) -> datetime | None:
        """The time of the last place at or before an LSN; None: there is none."""
        for stretch in self._dated_path(timeline):
            if stretch.begin_lsn > lsn:
                continue
            places = self.places.get(stretch.timeline, ())
            end = lsn if stretch.end_lsn is None else min(lsn, stretch.end_lsn - 1)
            at = bisect_right(places, end, key=_lsn)
            if at:
                return sane_instant(places[at - 1].time_us)
        return None

    def at_or_after(self, timeline: int, lsn: int) -> datetime | None:
        """The time of the first place at or after an LSN; None: there is none."""
        for stretch in reversed([*self._dated_path(timeline)]):
            if stretch.end_lsn is not None and stretch.end_lsn <= lsn:
                continue
            places = self.places.get(stretch.timeline, ())
            at = bisect_left(places, lsn, key=_lsn)
            if at < len(places) and (stretch.end_lsn is None or places[at].lsn < stretch.end_lsn):
                return sane_instant(places[at].time_us)
        return None

    def _dated_path(self, timeline: int) -> Sequence[Stretch]:
        """The stretches of a path that have places, newest first: few, however long the path.

        A timeline that only others' histories name adds itself to its parent's path.
        """
        chain, node = [], self.tree.timelines.get(timeline)
        while node and node.id not in self._paths and self.tree.is_repeated(node):
            chain.append(node)
            node = self.tree.timelines.get(node.parent or 0)
        path = self._paths.get(node.id) if node else ()
        if node is not None and path is None:
            whole = reversed(self.tree.path(node.id))
            path = self._paths[node.id] = tuple(s for s in whole if self.places.get(s.timeline))
        for child in reversed(chain):
            path = self._paths[child.id] = (*self._own(child), *_up_to(path or (), child))
        return path or ()

    def _own(self, node: Timeline) -> Iterator[Stretch]:
        if self.places.get(node.id):
            yield Stretch(timeline=node.id, begin_lsn=node.switch_lsn or 0, end_lsn=None)

    def forked_at(self, timeline: int) -> datetime | None:
        """The time of the parent's WAL where a timeline left it; None: it has no parent, or no."""
        node = self.tree.timelines.get(timeline)
        if node is None or node.parent is None or node.switch_lsn is None:
            return None
        return self.before(node.parent, node.switch_lsn - 1)


def make_dating(tree: TimelineTree, places: Mapping[int, Places]) -> Dating:
    """`places` by the timeline that wrote them, each in LSN order."""
    extents = {}
    for timeline, own in places.items():
        times = [place.time_us for place in own]
        if times:
            extents[timeline] = sane_instant(min(times)), sane_instant(max(times))
    return Dating(tree=tree, places=places, extents=extents)


def _up_to(path: Sequence[Stretch], child: Timeline) -> Iterator[Stretch]:
    """What a timeline leaves of its parent's path, newest first."""
    begin = child.switch_lsn or 0
    for stretch in path:
        if stretch.begin_lsn < begin:
            end = begin if stretch.end_lsn is None else min(stretch.end_lsn, begin)
            yield replace(stretch, end_lsn=end)


def time_of_point(dated: DatedWalFacts, name: str, timeline: int | str) -> datetime | None:
    """When a restore point was made: on a timeline, or the newest of its name; None: nowhere."""
    times = [
        placed.point.time_us
        for placed in dated.restore_points
        if placed.point.name == name and timeline in (placed.timeline, "latest", "current")
    ]
    return sane_instant(times[-1]) if times else None


def sane_instant(time_us: int) -> datetime:
    """An instant that an axis can have: damaged or hostile WAL says any time."""
    return sane(instant(time_us))


def sane(at: datetime) -> datetime:
    """The same, within what an axis can have."""
    return min(max(at, _EARLIEST), _LATEST)


def _lsn(place: DatedPlace) -> int:
    return place.lsn
