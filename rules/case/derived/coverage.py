"""When the archived segments were read last."""

from __future__ import annotations

from rules.case.engine import derived
from rules.drill.coverage import ReadTimes
from rules.model.facts import ArchiveFacts, ScanFacts


@derived(slow=True)
def read_times(archive: ArchiveFacts, scan: ScanFacts) -> ReadTimes:
    names = archive.segments.keys()
    read = (at.timestamp() for name, at in scan.read_at.items() if name in names)
    return ReadTimes(segments_count=len(names), read_at=sorted(read))
