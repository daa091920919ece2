"""One line for Nagios and its kin: `PITR STATUS - message | performance data`.

Follows the Monitoring Plugins development guidelines.
"""

from __future__ import annotations

from agent.printable import printable
from rules.report import Report


def render_nagios(report: Report) -> str:
    """The line, and one more for each further finding (the long output)."""
    lines = [finding.summary for finding in report.findings if finding.severity.value != "info"]
    message = lines[0] if lines else _all_well(report)
    first = f"PITR {report.verdict.value.upper()} - {_clean(message)} | {_performance(report)}"
    return "\n".join([first, *(_clean(line) for line in lines[1:])])


def _all_well(report: Report) -> str:
    count = sum(len(backup.windows) > 0 for backup in report.backups)
    return f"{count} backup(s) restorable, looked at to depth {report.question.depth}"


def _performance(report: Report) -> str:
    segments = sum(len(archive.facts.segments) for archive in report.archives)
    missing = sum(
        gap.segments_count
        for archive in report.archives
        if archive.sequence
        for gap in archive.sequence.gaps
        if not gap.harmless
    )
    damaged = len(report.scan.damaged) if report.scan else 0
    restorable = sum(1 for backup in report.backups if backup.windows)
    return (
        f"segments={segments};;;0 missing_segments={missing};;0;0 "
        f"damaged_segments={damaged};;0;0 restorable_backups={restorable};;1:;0"
    )


def _clean(text: str) -> str:
    """A pipe would begin the performance data, a newline the long output."""
    return printable(text.replace("|", "/").replace("\n", " "))
