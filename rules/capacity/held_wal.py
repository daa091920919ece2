"""What keeps WAL in pg_wal, how much each holds, and which of them will fill its volume.

The server removes a segment when nobody needs it any more: the archiver, a replication slot,
wal_keep_size (KeepLogSeg in access/transam/xlog.c). What is kept is that of the one that needs the
oldest. A slot holds no more than max_slot_wal_keep_size: then the server invalidates it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from parsers.sentences import tr
from parsers.values import dataclass
from rules.capacity.exposure import RATE_SPAN, ExposureFacts
from rules.model.counted import sized
from rules.model.facts import ArchiveStatusFacts, SettingsFacts, SlotsFacts

_MB: Final = 1 << 20  # the unit of these settings in pg_settings
# A slot that is read moves when its receiver reports, every wal_receiver_status_interval, 10 s;
# that of a base backup, which ends with it, moves alike.
_STEPS: Final = timedelta(seconds=60)
_LOST: Final = "lost"  # wal_status of a slot that was invalidated


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One that keeps WAL."""

    what: str  # for a person
    held_bytes: int
    growth_per_second: float
    limit_bytes: int | None = None  # it never holds more; None: it may hold all
    slot: str | None = None  # its name, where it is one
    active: bool = True  # somebody reads from the slot
    inactive_since: datetime | None = None
    at_least: bool = False  # it was found inactive then, and may have been before

    @property
    def in_words(self) -> str:
        """Who, how much, and since when nobody reads."""
        at = f"{self.inactive_since:%Y-%m-%d %H:%M %Z}" if self.inactive_since else ""
        if self.active:
            told = tr("{what}, holds {size}")
        elif not at:
            told = tr("{what}, inactive, holds {size}")
        elif self.at_least:
            told = tr("{what}, inactive since before {at}, holds {size}")
        else:
            told = tr("{what}, inactive since {at}, holds {size}")
        return tr(told, what=self.what, at=at, size=sized(self.held_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldWalFacts:
    """All that keep WAL at the last poll."""

    holders: tuple[Holder, ...]

    @property
    def slots(self) -> tuple[Holder, ...]:
        return tuple(holder for holder in self.holders if holder.slot is not None)

    def first_to_fill(self, free_bytes: int, directory_bytes: int) -> tuple[Holder, float] | None:
        """Which of them fills the volume first, and in how many seconds; None: none does.

        Segments in pg_wal that nobody holds are used again before more room is.
        """
        held = max((holder.held_bytes for holder in self.holders), default=0)
        room = max(directory_bytes, held) + free_bytes
        found: tuple[Holder, float] | None = None
        for holder in self.holders:
            if holder.growth_per_second <= 0:
                continue
            if holder.limit_bytes is not None and holder.limit_bytes < room:
                continue
            seconds = (room - holder.held_bytes) / holder.growth_per_second
            if found is None or seconds < found[1]:
                found = holder, seconds
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotTrail:
    """What polls saw of the slots, so that it can be told how they move."""

    seen: tuple[SlotsFacts, ...] = ()
    first_inactive: Mapping[str, datetime] | None = None  # slot -> when it was first found so

    def follow(self, slots: SlotsFacts) -> SlotTrail:
        """Add a poll; a clock that was set back starts over."""
        before = self.seen if self.seen and self.seen[-1].read_at < slots.read_at else ()
        if self.seen and self.seen[-1] is slots:
            return self
        recent = tuple(each for each in before if slots.read_at - each.read_at <= RATE_SPAN)
        known = self.first_inactive or {}
        inactive = {s.name: known.get(s.name, slots.read_at) for s in slots.slots if not s.active}
        return SlotTrail(seen=(*recent, slots), first_inactive=inactive)

    def moved_per_second(self, name: str) -> float | None:
        """How fast what it needs moves on; None: it was seen once, or not for long enough."""
        points = [
            (seen.read_at, slot.restart_lsn)
            for seen in self.seen
            for slot in seen.slots
            if slot.name == name and slot.restart_lsn is not None
        ]
        if len(points) < 2:
            return None
        if name not in (self.first_inactive or {}) and points[-1][0] - points[0][0] < _STEPS:
            return None
        (first_at, first), (last_at, last) = points[0], points[-1]
        return max(0, last - first) / (last_at - first_at).total_seconds()


def held_wal(
    insert_lsn: int,
    written_per_second: float,
    trail: SlotTrail,
    settings: SettingsFacts,
    exposed: ExposureFacts | None,
    status: ArchiveStatusFacts | None,
    directory_bytes: int,
) -> HeldWalFacts:
    """The archiver, the slots, and what wal_keep_size keeps."""
    holders = list(_slots(insert_lsn, written_per_second, trail, settings))
    if exposed is not None and exposed.archived_per_second is not None and status is not None:
        # One file that waits is the archiver's next: the rates differ by whole segments then.
        behind = len(status.ready) > 1
        growth = max(0.0, written_per_second - exposed.archived_per_second)
        holders.append(
            Holder(
                what=tr("the archiver"),
                held_bytes=exposed.bytes,
                growth_per_second=growth if behind else 0.0,
            )
        )
    kept = _megabytes(settings, "wal_keep_size")
    if kept:
        holders.append(
            Holder(
                what="wal_keep_size",
                held_bytes=min(kept, directory_bytes),
                growth_per_second=written_per_second if directory_bytes < kept else 0.0,
                limit_bytes=kept,
            )
        )
    return HeldWalFacts(holders=tuple(holders))


def fetched_wal(sizes: Sequence[tuple[datetime, int]], settings: SettingsFacts) -> Holder | None:
    """A restore that fetches WAL faster than restartpoints remove it; None where none is seen.

    Up to max_wal_size the directory grows and shrinks with them: that is no growth.
    """
    soft = _megabytes(settings, "max_wal_size")
    if len(sizes) < 2 or soft is None or sizes[-1][1] <= soft:
        return None
    grows = all(later[1] >= sooner[1] for sooner, later in pairwise(sizes))
    (first_at, first), (last_at, last) = sizes[0], sizes[-1]
    if not grows or last == first:
        return None
    return Holder(
        what=tr("WAL that the restore has fetched"),
        held_bytes=last,
        growth_per_second=(last - first) / (last_at - first_at).total_seconds(),
    )


def _slots(
    insert_lsn: int, written: float, trail: SlotTrail, settings: SettingsFacts
) -> Iterator[Holder]:
    limit = _megabytes(settings, "max_slot_wal_keep_size")
    for slot in trail.seen[-1].slots if trail.seen else ():
        if slot.restart_lsn is None or slot.wal_status == _LOST:
            continue
        moved = trail.moved_per_second(slot.name)
        found = (trail.first_inactive or {}).get(slot.name)
        yield Holder(
            what=tr("replication slot {name}", name=slot.name),
            held_bytes=max(0, insert_lsn - slot.restart_lsn),
            growth_per_second=0.0 if moved is None else max(0.0, written - moved),
            limit_bytes=limit,
            slot=slot.name,
            active=slot.active,
            inactive_since=None if slot.active else slot.inactive_since or found,
            at_least=slot.inactive_since is None,
        )


def _megabytes(settings: SettingsFacts, name: str) -> int | None:
    """None for -1, which is no limit, and for what this major does not have."""
    value = settings.value(name)
    return int(value) * _MB if value and value.isdigit() else None
