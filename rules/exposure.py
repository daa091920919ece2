"""Exposure: what a loss of the server's disk would cost right now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parsers.errors import ParseError
from parsers.segment import parse_segment_name
from rules.evidence import AbsentFacts
from rules.facts import ArchiverFacts, ControlFacts, PositionFacts


def exposure_bytes(facts: Mapping[type, Any]) -> float | None:
    """WAL between the end of what is archived and the insert position, in bytes.

    None when the archiver last archived something else than a segment of the present timeline, or
    when one of the readings is missing. A segment that was reported as archived and is absent
    ends what counts as archived.
    """
    positions: PositionFacts | None = facts.get(PositionFacts)
    archiver: ArchiverFacts | None = facts.get(ArchiverFacts)
    control: ControlFacts | None = facts.get(ControlFacts)
    if positions is None or archiver is None or control is None or positions.insert_lsn is None:
        return None
    absent: AbsentFacts | None = facts.get(AbsentFacts)
    archived_to = _end_of(archiver.last_archived_wal, positions.timeline, control)
    if absent is not None and absent.segments:
        first = absent.segments[0]
        lost_from = _end_of(first, positions.timeline, control)
        archived_to = lost_from - control.segment_size_bytes if lost_from else None
    return float(max(0, positions.insert_lsn - archived_to)) if archived_to else None


def _end_of(wal: str | None, timeline: int | None, control: ControlFacts) -> int | None:
    """LSN of the end of a segment of the present timeline, None for anything else."""
    if wal is None:
        return None
    try:
        of, number = parse_segment_name(wal, control.segment_size_bytes)
    except ParseError:
        return None
    return (number + 1) * control.segment_size_bytes if of == timeline else None
