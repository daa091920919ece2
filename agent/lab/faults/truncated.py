"""An archived segment is cut short, as by a copy that a full disk ended."""

from __future__ import annotations

import os
from typing import Final

from agent.lab.faults.archived_segment import choose_middle_segment, put_back, set_aside
from agent.lab.faults.fault import Fault
from agent.lab.laboratory import Laboratory
from parsers.sentences import tr


def _break_it(lab: Laboratory) -> str:
    segment = choose_middle_segment(lab)
    set_aside(lab, segment)
    size = segment.stat().st_size
    kept = size // 2 + 1234  # no page boundary, as real copies end
    os.truncate(segment, kept)
    return tr(
        "cut {segment} short: {kept} of {size} bytes are left",
        segment=segment.name,
        kept=kept,
        size=size,
    )


TRUNCATED: Final = Fault(
    name="truncated",
    summary=tr("an archived segment is cut short"),
    findings=frozenset({"wal_damaged"}),
    break_it=_break_it,
    mend=put_back,
)
