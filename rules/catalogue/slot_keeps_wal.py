"""A replication slot that nobody uses keeps WAL in pg_wal.

Why it matters
    The archiver may be well: what the slot has not been read up to stays in pg_wal all the same,
    until the volume is full and the server stops with a PANIC, or until max_slot_wal_keep_size is
    reached and the slot is invalidated.
How to look
    SELECT slot_name, active, restart_lsn, wal_status, safe_wal_size FROM pg_replication_slots; from
    17 on also inactive_since. Whose it is tells its name, and pg_stat_replication who is connected.
What to do
    Have its consumer connect again. If there is none any more: SELECT
    pg_drop_replication_slot('NAME'). Set max_slot_wal_keep_size to what pg_wal can spare.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.capacity.held_wal import HeldWalFacts
from rules.model.counted import sized
from rules.model.facts import SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, hold_seconds=300)
def slot_keeps_wal(held: HeldWalFacts, settings: SettingsFacts) -> Iterator[Found]:
    soft = settings.value("max_wal_size")  # in MB: what the server means to keep at most
    if not soft or not soft.isdigit():
        return
    means_to_keep = int(soft) << 20
    for holder in held.slots:
        if not holder.active and holder.held_bytes > means_to_keep:
            yield Found(
                tr(
                    "{slot} of WAL: more than max_wal_size, {limit}",
                    slot=holder.in_words,
                    limit=sized(means_to_keep),
                ),
                slot=holder.slot,
                held_bytes=holder.held_bytes,
                inactive_since=holder.inactive_since.isoformat() if holder.inactive_since else None,
            )
