"""What a known fault of PostgreSQL is, and how sure it is that it reached something.

*Proven*, by the day on which it was made or by the release that made it, is what the check's
severity is for; where the release is not known, a note says how to tell; else nothing is said.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Final

from parsers.sentences import tr
from parsers.values import dataclass
from rules.model.evidence import WalEventsFacts
from rules.model.facts import BackupFacts, BackupsFacts
from rules.model.findings import EvidenceValue, Severity
from rules.model.releases import Release, ReleasesFacts, name_of
from rules.verdict.check import Check, Found, Note, check

_INDEXES: Final = {"GIN": 13, "GiST": 14, "BRIN": 17}  # kind -> resource manager, as in rmgrlist.h


class FaultReach(enum.Enum):
    """Whether a fault reached something."""

    PROVEN = "proven"
    POSSIBLE = "possible"
    NOT_AFFECTED = "not affected"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFault:
    """A fault, the releases without it, and where PostgreSQL says so."""

    mended: Mapping[int, int]  # major -> its first minor release without it; others never had it
    mended_on: date  # the day of those releases: what was made before is by older ones
    notes: str  # which release notes

    def standing(
        self, major: int | None, made_at: datetime | None, by: Release | None
    ) -> FaultReach:
        """By when and by what it was made, as far as either is known."""
        if major is None or major not in self.mended:
            return FaultReach.NOT_AFFECTED
        if self._was_before(made_at) or (by and by.version_num < self._first(major)):
            return FaultReach.PROVEN
        return FaultReach.NOT_AFFECTED if by and by.is_exact else FaultReach.POSSIBLE

    def of_backup(
        self,
        backup: BackupFacts,
        releases: ReleasesFacts | None,
        what: str,
        so: str,
        remedy: str,
        **evidence: EvidenceValue,
    ) -> Iterator[Found]:
        """Say of a backup `what` it is, and what follows of the fault if it has it."""
        made_at, by = _made_at(backup), _maker(backup, releases)
        standing = self.standing(backup.major, made_at, by)
        if standing is FaultReach.NOT_AFFECTED or backup.major is None:
            return
        told = dict(evidence, backup=backup.url, made_at=made_at.isoformat() if made_at else None)
        told["made_by"] = by.in_words if by else None
        first = self._first(backup.major)
        if standing is FaultReach.PROVEN:
            older = by is not None and by.version_num < first
            found = Found(
                tr("{what}; it was made by {release}: {so}", what=what, release=by.in_words, so=so)
                if by and older
                else tr(
                    "{what}; it was made before {date}: {so}", what=what, date=self.mended_on, so=so
                ),
                remedy=remedy,
            )
        else:
            found = Note(
                tr(
                    "{what}; the minor release of PostgreSQL {major} that made it is not known:"
                    " before {release} of {date} {so}",
                    what=what,
                    major=backup.major,
                    release=name_of(first),
                    date=self.mended_on,
                    so=so,
                ),
                remedy=tr(
                    "{how_to_tell} If it was older: {remedy}",
                    how_to_tell=_how_to_tell(name_of(first)),
                    remedy=remedy,
                ),
            )
        found.evidence = told
        yield found

    def of_indexes(self, page: str, kind: str, so: str) -> Check:
        """The check of `page` (a module's name): of a cluster that writes to indexes of a kind, say
        that older ones should be rebuilt.

        An update mends no index: those of a cluster that is older than it may be bad still.
        """

        def found(
            backups: BackupsFacts, events: WalEventsFacts, releases: ReleasesFacts | None
        ) -> Iterator[Found]:
            if _INDEXES[kind] in events.resource_managers:
                yield from self._of_indexes(backups.backups, releases, kind, so)

        found.__module__, found.__name__ = page, page.rpartition(".")[2]
        return check(severity=Severity.INFO)(found)

    def _of_indexes(
        self,
        backups: tuple[BackupFacts, ...],
        releases: ReleasesFacts | None,
        kind: str,
        so: str,
    ) -> Iterator[Found]:
        for backup in backups[-1:]:
            if backup.major is None or backup.major not in self.mended:
                continue
            by, born = _maker(backup, releases), _born(backup.system_identifier)
            standing = self.standing(backup.major, _made_at(backup), by)
            if standing is FaultReach.NOT_AFFECTED and not self._was_before(born):
                continue
            first = name_of(self._first(backup.major))
            tell = ""
            if standing is FaultReach.POSSIBLE:
                tell = tr(". {how_to_tell}", how_to_tell=_how_to_tell(first))
            yield Found(
                tr(
                    "the WAL shows {kind} indexes: of those last built before PostgreSQL {release}"
                    " ({date}) {so}{tell}",
                    kind=kind,
                    release=first,
                    date=self.mended_on,
                    so=so,
                    tell=tell,
                ),
                release=by.in_words if by else None,
                initdb_at=born.isoformat() if born else None,
            )

    def _first(self, major: int) -> int:
        return major * 10000 + self.mended[major]

    def _was_before(self, at: datetime | None) -> bool:
        return at is not None and at.astimezone(UTC).date() < self.mended_on


def _how_to_tell(release: str) -> str:
    return tr(
        "Tell the release that made it, as --server-version {release} or server_version:"
        " '{release}' in the configuration; an agent knows it by dsn or log.",
        release=release,
    )


def _made_at(backup: BackupFacts) -> datetime | None:
    return backup.finished_at or backup.started_at


def _maker(backup: BackupFacts, releases: ReleasesFacts | None) -> Release | None:
    return releases.of_backup(backup) if releases else None


def _born(system_identifier: int | None) -> datetime | None:
    """When initdb ran, which BootStrapXLOG (xlog.c) puts into the upper half of the identifier."""
    if system_identifier is None:
        return None
    return datetime.fromtimestamp(system_identifier >> 32, UTC)
