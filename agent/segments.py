"""What the segments read say of a cluster, worked out in a thread: seconds on a large archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.archive.scanner import SegmentReadings, scan_facts
from parsers.wal_scan import Depth
from rules.dated_wal import DatedWalFacts, date_wal
from rules.evidence import WalEventsFacts, WindowsFacts
from rules.facts import BackupFacts, ScanFacts
from rules.prediction import is_whole, predict_windows
from rules.restore import Restore
from rules.restore_points import walk_facts
from rules.timelines import TimelineTree
from rules.wal_events import collect_events
from rules.windows import Window

SEGMENT_FACTS = (ScanFacts, WalEventsFacts, DatedWalFacts)


def look_into(
    readings: SegmentReadings,
    depth: Depth,
    tree: TimelineTree,
    segment_size: int,
    system_identifier: int | None,
) -> dict[type, object]:
    """Facts by their type: of SEGMENT_FACTS those that this depth gives."""
    found: dict[type, object] = {
        ScanFacts: scan_facts(readings, depth, tree, segment_size, system_identifier)
    }
    if depth == "records":
        walked = list(walk_facts(readings.as_scans(), tree, segment_size))
        found[WalEventsFacts] = collect_events(walked, tree, segment_size)
        found[DatedWalFacts] = date_wal(walked, tree)
    return found


def predict_all(
    backups: Sequence[BackupFacts], restores: Mapping[str, Restore], tree: TimelineTree
) -> WindowsFacts:
    """Predict what every backup reaches: nothing for one that is not whole.

    What no restore could be made of is not known.
    """
    return WindowsFacts(by_backup={each.url: _predict(each, restores, tree) for each in backups})


def _predict(
    backup: BackupFacts, restores: Mapping[str, Restore], tree: TimelineTree
) -> tuple[Window, ...] | None:
    if not is_whole(backup):
        return ()
    restore = restores.get(backup.url)
    return predict_windows(restore, tree) if restore is not None else None
