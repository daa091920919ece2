"""Which holder fills pg_wal, simulated hour by hour, against when it is then full."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rules.capacity.exposure import ExposureFacts
from rules.capacity.forecast import forecast_wal_full
from rules.capacity.held_wal import HeldWalFacts, SlotTrail, fetched_wal, held_wal
from rules.model.facts import (
    ArchiveStatusFacts,
    Setting,
    SettingsFacts,
    Slot,
    SlotsFacts,
    WalVolumeFacts,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MB = 1 << 20
PACE = 2 * MB  # a second
NOTHING_WAITS = ArchiveStatusFacts(
    ready=frozenset(), done=frozenset(), listed_at=NOW, oldest_ready_at=None, oldest_ready=None
)


def settings(**megabytes: int) -> SettingsFacts:
    made = {name: Setting(name=name, setting=str(value)) for name, value in megabytes.items()}
    return SettingsFacts(settings=made)


def slots(at: datetime, **restart_lsn: int | None) -> SlotsFacts:
    made = (
        Slot(name=name, active=False, restart_lsn=lsn, wal_status="reserved", inactive_since=None)
        for name, lsn in restart_lsn.items()
    )
    return SlotsFacts(slots=tuple(made), read_at=at)


def well(archived: float = PACE) -> ExposureFacts:
    return ExposureFacts(
        bytes=MB, seconds=1.0, at_least=False, written_per_second=PACE, archived_per_second=archived
    )


def look(
    seconds: float, *, reads: float = 0.0, lost: bool = False, **limits: int
) -> tuple[HeldWalFacts, int]:
    """The server after so many seconds, with a slot that is read at `reads` of the pace."""
    trail = SlotTrail()
    for back in (300, 0):
        gone = max(0.0, seconds - back)
        restart = None if lost else round(PACE * gone * reads)
        trail = trail.follow(slots(NOW + timedelta(seconds=gone), idle=restart))
    insert, oldest = round(PACE * seconds), round(PACE * seconds * reads)
    directory = insert - oldest
    held = held_wal(insert, PACE, trail, settings(**limits), well(), NOTHING_WAITS, directory)
    return held, directory


@pytest.mark.parametrize("reads", [0.0, 0.5])
def test_a_slot_that_is_not_read_fills_the_volume(reads: float) -> None:
    volume = 100_000 * MB
    actual = NOW + timedelta(seconds=volume / PACE / (1 - reads))
    for hour in range(1, 13):
        now = NOW + timedelta(hours=hour)
        held, directory = look(hour * 3600.0, reads=reads)
        room = WalVolumeFacts(directory="/", size_bytes=volume, free_bytes=volume - directory)
        said = forecast_wal_full(room, held, directory, now)
        assert said is not None and said.full_at is not None and said.holder is not None
        assert abs(said.full_at - actual) <= 0.1 * (actual - now)
        assert said.holder.slot == "idle"
        assert "inactive since before" in said.holder.in_words


@pytest.mark.parametrize(
    ("what", "given"),
    [
        ("it is read as fast as is written", {"reads": 1.0}),
        ("it may hold no more than there is room for", {"max_slot_wal_keep_size": 20_000}),
        ("it was invalidated and holds nothing", {"lost": True}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nothing_is_foreseen_when(what: str, given: dict[str, float]) -> None:
    held, directory = look(3600.0, **given)  # type: ignore[arg-type]
    room = WalVolumeFacts(directory="/", size_bytes=None, free_bytes=100_000 * MB)
    said = forecast_wal_full(room, held, directory, NOW)
    assert said is not None
    assert said.full_at is None


@pytest.mark.parametrize(("seconds", "grows"), [(20.0, False), (120.0, True)])
def test_a_slot_that_is_read_is_watched_over_its_steps(seconds: float, grows: bool) -> None:
    """pg_basebackup's own moves at its reports, each ten seconds, and is no leak before."""
    read = Slot(name="b", active=True, restart_lsn=7, wal_status="reserved", inactive_since=None)
    trail = SlotTrail()
    for at in (NOW, NOW + timedelta(seconds=seconds)):
        trail = trail.follow(SlotsFacts(slots=(read,), read_at=at))
    held = held_wal(9 * MB, PACE, trail, settings(), well(), NOTHING_WAITS, 9 * MB)
    assert [slot.growth_per_second > 0 for slot in held.slots] == [grows]


def test_wal_keep_size_that_has_no_room_fills_it_too() -> None:
    held, directory = look(3600.0, reads=1.0, wal_keep_size=50_000)
    room = WalVolumeFacts(directory="/", size_bytes=None, free_bytes=10_000 * MB)
    said = forecast_wal_full(room, held, directory, NOW)
    assert said is not None and said.full_at is not None and said.holder is not None
    assert said.holder.what == "wal_keep_size"


def test_a_restore_fills_its_disk_with_what_it_fetches() -> None:
    """100 MB a second that no restartpoint removes; up to max_wal_size it may come and go."""
    sizes = [(NOW + timedelta(seconds=15 * n), 2000 * MB + 1500 * MB * n) for n in range(20)]
    found = fetched_wal(sizes, settings(max_wal_size=1024))
    assert found is not None
    room = WalVolumeFacts(directory="/", size_bytes=None, free_bytes=36_000 * MB)
    said = forecast_wal_full(room, HeldWalFacts(holders=(found,)), sizes[-1][1], NOW)
    assert said is not None and said.full_at == NOW + timedelta(seconds=360)
    assert fetched_wal(sizes, settings(max_wal_size=1 << 20)) is None
    back_and_forth = [*sizes, (NOW + timedelta(seconds=300), 1500 * MB)]
    assert fetched_wal(back_and_forth, settings(max_wal_size=1024)) is None


def test_since_when_a_slot_is_inactive_is_remembered() -> None:
    trail = SlotTrail().follow(slots(NOW, idle=5))
    later = trail.follow(slots(NOW + timedelta(hours=1), idle=5))
    assert later.first_inactive == {"idle": NOW}
    gone = later.follow(slots(NOW + timedelta(hours=2)))
    assert gone.first_inactive == {}
