"""What the segments read say of a cluster, worked out in a thread: seconds on a large archive."""

from __future__ import annotations

from collections.abc import Mapping

from agent.archive.scanner import SegmentReadings, scan_facts
from parsers.wal_scan import Depth
from rules.dated_wal import DatedWalFacts, date_wal
from rules.evidence import WalEventsFacts, WindowsFacts
from rules.facts import ScanFacts
from rules.prediction import is_whole, predict_windows
from rules.restore import Restore
from rules.restore_points import walk_facts
from rules.timelines import TimelineTree
from rules.wal_events import collect_events

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


def predict_all(restores: Mapping[str, Restore], tree: TimelineTree) -> WindowsFacts:
    """Predict what every backup reaches: one that is not whole reaches nothing."""
    return WindowsFacts(
        by_backup={
            url: predict_windows(restore, tree) if is_whole(restore.backup) else ()
            for url, restore in restores.items()
        }
    )
