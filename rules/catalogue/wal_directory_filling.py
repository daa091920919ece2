"""pg_wal will be full before long: something keeps WAL there as fast as it is written.

Why it matters
    When the volume of pg_wal is full the server stops with a PANIC and does not start again until
    there is room. WAL that waits for the archiver, or that a replication slot needs, is never
    removed to make some.
How to look
    df on the volume of pg_wal, SELECT * FROM pg_stat_archiver, SELECT slot_name, wal_status,
    safe_wal_size FROM pg_replication_slots. The finding names what holds the WAL.
What to do
    Fix what holds it: the archiver, or a slot without a consumer (SELECT
    pg_drop_replication_slot('NAME') when there is none any more). The server then removes WAL by
    itself. Until then enlarge the volume. Never delete files in pg_wal by hand.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from parsers.sentences import tr
from rules.capacity.forecast import WalFullFacts
from rules.model.counted import sized
from rules.model.findings import Severity
from rules.verdict.check import Found, check

_SOON: Final = timedelta(hours=12)


@check(severity=Severity.CRITICAL, hold_seconds=300)
def wal_directory_filling(forecast: WalFullFacts, now: datetime) -> Iterator[Found]:
    if forecast.full_at is not None and forecast.full_at - now < _SOON:
        holder = forecast.holder
        yield Found(
            tr(
                "at this rate pg_wal will be full at {full_at:%Y-%m-%d %H:%M %Z}: {free} are free"
                " and it grows by {rate}/s{holder}",
                full_at=forecast.full_at,
                free=sized(forecast.free_bytes),
                rate=sized(forecast.growth_per_second),
                holder=tr("; {holder}", holder=holder.in_words) if holder else "",
            ),
            full_at=forecast.full_at.isoformat(),
            free_bytes=forecast.free_bytes,
            growth_bytes_per_second=round(forecast.growth_per_second),
            held_by=holder.what if holder else None,
        )
