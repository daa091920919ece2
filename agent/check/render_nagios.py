"""One line for Nagios and its kin: `PITR STATUS - message | performance data`.

Follows the Monitoring Plugins development guidelines.
"""

from __future__ import annotations

from typing import Final

from agent.language import say
from agent.printable import printable
from parsers.sentences import trn
from rules.verdict.report import Report

_UNKNOWN: Final = "U"  # what a plugin says for a value that it could not determine


def render_nagios(report: Report) -> str:
    """The line, and one more for each further finding (the long output)."""
    lines = [finding.summary for finding in report.findings if finding.severity.value != "info"]
    message = lines[0] if lines else _all_well(report)
    first = f"PITR {report.verdict.value.upper()} - {_clean(message)} | {_performance(report)}"
    return "\n".join([first, *(_clean(line) for line in lines[1:])])


def _all_well(report: Report) -> str:
    count = sum(len(backup.windows) > 0 for backup in report.backups)
    return trn(
        "{n} backup restorable, checked to depth {depth}",
        "{n} backups restorable, checked to depth {depth}",
        count,
        depth=report.depth,
    )


def _performance(report: Report) -> str:
    counts = (_segments(report), _missing(report), _damaged(report), _restorable(report))
    segments, missing, damaged, restorable = (_UNKNOWN if n is None else str(n) for n in counts)
    return (
        f"segments={segments};;;0 missing_segments={missing};;0;0 "
        f"damaged_segments={damaged};;0;0 restorable_backups={restorable};;1:;0"
    )


def _segments(report: Report) -> int | None:
    listed = [len(archive.facts.segments) for archive in report.archives]
    return sum(listed) if listed else None


def _missing(report: Report) -> int | None:
    sequences = [archive.sequence for archive in report.archives]
    if not sequences or any(each is None for each in sequences):
        return None
    gaps = (gap for each in sequences if each is not None for gap in each.gaps)
    return sum(gap.segments_count for gap in gaps if not gap.harmless)


def _damaged(report: Report) -> int | None:
    return len(report.scan.damaged) if report.scan else None


def _restorable(report: Report) -> int | None:
    """A backup that is known to be restorable counts, whatever is not known of others."""
    count = sum(1 for backup in report.backups if backup.windows)
    return count if count or report.restorable is not None else None


def _clean(text: str) -> str:
    """A pipe would begin the performance data, a newline the long output."""
    return printable(say(text).replace("|", "/").replace("\n", " "))
