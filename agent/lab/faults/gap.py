"""A segment in the middle of the archive is gone."""

from __future__ import annotations

from typing import Final

from agent.lab.faults.archived_segment import choose_middle_segment, put_back, set_aside
from agent.lab.faults.fault import Fault
from agent.lab.laboratory import Laboratory
from parsers.sentences import tr


def _break_it(lab: Laboratory) -> str:
    segment = choose_middle_segment(lab)
    set_aside(lab, segment)
    segment.unlink()
    return tr("removed {segment} from the middle of the archive", segment=segment.name)


GAP: Final = Fault(
    name="gap",
    summary=tr("an archived segment in the middle is removed"),
    findings=frozenset({"wal_gap"}),
    break_it=_break_it,
    mend=put_back,
)
