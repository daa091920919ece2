"""Which findings follow from which: the cause leads, and what it brings about stands under it.

A segment that is missing shortens the window, breaks the objective and puts targets out of reach:
one thing to repair. Only what is sure is linked: the same segment, or a check whose condition the
other's is. A cause is at least as bad as what follows from it, so no verdict changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from rules.model.findings import Finding, Severity

_WORST_FIRST: Final = (Severity.CRITICAL, Severity.UNKNOWN, Severity.WARNING, Severity.INFO)
_ARCHIVING: Final = (
    "archiving_off",
    "archiver_never_succeeded",
    "archiver_hung",
    "archiver_failing",
    "archiver_falling_behind",
)
_LOST_WAL: Final = ("wal_gap", "wal_damaged", "foreign_system")
_BACKUPS: Final = (
    "backup_chain_missing",
    "backup_files_bad",
    "backup_pages_damaged",
    "backup_wal_missing",
    "backup_wal_unusable",
    "backup_stop_not_archived",
    "backup_without_label",
)
# What follows -> what it may follow from wherever both are found.
_ALWAYS: Final = {
    "archiver_falling_behind": _ARCHIVING[:-1],
    "exposure_over_objective": _ARCHIVING,
    "wal_directory_filling": _ARCHIVING,
    "no_restorable_backup": _BACKUPS,
    "drill_not_run": ("no_restorable_backup",),
    "drill_overdue": ("drill_not_run", "drill_failed"),
}
# What follows -> what it may follow from where both name the same segment.
_BY_SEGMENT: Final = {
    "archived_but_absent": ("wal_gap",),
    "exposure_over_objective": ("wal_gap", "archived_but_absent"),
    "recovery_ends_short": _LOST_WAL,
    "target_behind_gap": _LOST_WAL,
    "backup_wal_missing": _LOST_WAL,
    "backup_wal_unusable": _LOST_WAL,
}
_ONE: Final = ("segment", "beyond")
_RUN: Final = ("first", "last")


def lead(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first, each followed by what it brings about, which says so in `because`."""
    found = sorted(findings, key=_badness)
    causes = {id(each): _cause_of(each, found) for each in found}
    roots = [each for each in found if causes[id(each)] is None]
    return tuple(each for root in roots for each in _with_effects(root, None, found, causes))


def _badness(finding: Finding) -> int:
    return _WORST_FIRST.index(finding.severity)


def _cause_of(finding: Finding, found: Sequence[Finding]) -> Finding | None:
    """The first in the tables' order; None for what stands by itself."""
    if finding.severity is Severity.INFO:
        return None
    for table, linked in ((_BY_SEGMENT, _share_a_segment), (_ALWAYS, None)):
        for cause in table.get(finding.id, ()):
            for each in found:
                bad_enough = not each.note and _badness(each) <= _badness(finding)
                if each.id == cause and bad_enough and (linked is None or linked(each, finding)):
                    return each
    return None


def _share_a_segment(cause: Finding, effect: Finding) -> bool:
    of_cause, of_effect = _span(cause), _span(effect)
    if of_cause is None or of_effect is None:
        return False
    return of_cause[0] <= of_effect[1] and of_effect[0] <= of_cause[1]


def _span(finding: Finding) -> tuple[str, str] | None:
    """The names of the segments that a finding is about; None: it names none."""
    one = [finding.evidence.get(key) for key in _ONE]
    names = [name[:24] for name in one if isinstance(name, str)]
    run = [finding.evidence.get(key) for key in _RUN]
    names += [name for name in run if isinstance(name, str)]
    names = [name for name in names if len(name) == 24]
    return (min(names), max(names)) if names else None


def _with_effects(
    finding: Finding,
    because: Finding | None,
    found: Sequence[Finding],
    causes: dict[int, Finding | None],
) -> Iterator[Finding]:
    yield replace(finding, because=because.id if because else None)
    for each in found:
        if causes[id(each)] is finding:
            yield from _with_effects(each, finding, found, causes)
