"""Whether a page whose checksum differs proves that it is damaged.

A page that the server writes while it is copied may come into the copy in two halves, with the
LSN of the older one; replay writes it again. The server reads such a page twice before it sends it
(src/backend/backup/basebackup.c), cp and rsync do not.
"""

from __future__ import annotations

from collections.abc import Iterable

from parsers.sentences import joined, tr
from rules.model.counted import counted
from rules.model.facts import BackupFacts, DamagedFork

_ON = 1
_FIRST_WITH_ONLINE_CHANGES = 19  # data checksums may be turned on while a backup is taken
_MOST_NAMED = 3


def damaged_forks(backup: BackupFacts) -> tuple[DamagedFork, ...]:
    """The pages that are proven to be damaged."""
    pages = backup.pages
    if pages is None or why_unproven(backup) is not None:
        return ()
    return (*pages.damaged, *pages.headless) if _is_cold(backup) else pages.damaged


def unproven_forks(backup: BackupFacts) -> tuple[DamagedFork, ...]:
    """The pages that are damaged or were half-written when they were copied."""
    pages = backup.pages
    if pages is None:
        return ()
    if why_unproven(backup) is not None:
        return (*pages.damaged, *pages.headless)
    return () if _is_cold(backup) else pages.headless


def why_unproven(backup: BackupFacts) -> str | None:
    """Why a checksum that differs is no proof here; None: it is."""
    if _is_cold(backup):
        return None
    if backup.manifest_error is not None or backup.unlabelled is not None:
        return tr(
            "without the server's manifest, a page copied while it was written looks the same"
        )
    if not _were_on_throughout(backup):
        return tr("data checksums may have been turned on while it was taken")
    return None


def is_map(fork: DamagedFork) -> bool:
    """Whether it is a free space map, which the server mends by itself.

    Recovery may leave one with a checksum that differs: XLogRecordPageWithFreeSpace in
    src/backend/storage/freespace/freespace.c.
    """
    return fork.fork == "fsm"


def named_forks(forks: Iterable[DamagedFork]) -> str:
    """Relation, fork and block of the first ones, and how many more there are."""
    every = list(forks)
    named = joined(", ", (_named(fork) for fork in every[:_MOST_NAMED]))
    more = sum(fork.page_count for fork in every[_MOST_NAMED:])
    return tr("{named} and {more} more", named=named, more=more) if more else named


def _named(fork: DamagedFork) -> str:
    first, *_ = fork.blocks
    others = fork.page_count - 1
    place = tr(
        "{relation} ({fork}) block {first}", relation=fork.relation, fork=fork.fork, first=first
    )
    if not others:
        return place
    return tr("{place} and {others}", place=place, others=counted(others, "other"))


def page_total(forks: Iterable[DamagedFork]) -> int:
    """How many pages there are in all of them."""
    return sum(fork.page_count for fork in forks)


def _is_cold(backup: BackupFacts) -> bool:
    return backup.unlabelled is not None and backup.unlabelled.cold


def _were_on_throughout(backup: BackupFacts) -> bool:
    """Whether data checksums were on from the backup's start, as pg_control tells."""
    control = backup.control
    if control is None:
        return False
    if control.major is not None and control.major < _FIRST_WITH_ONLINE_CHANGES:
        return True
    return (
        control.checkpoint_lsn == backup.label.checkpoint_lsn
        and control.checkpoint.data_checksums == _ON
    )
