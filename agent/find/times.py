"""The times of a search: as they were typed, and as the restored server would read them."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from agent.backups.zone import server_zone
from agent.errors import UsageError
from parsers.errors import ParseError
from parsers.sentences import tr
from parsers.values import dataclass
from rules.model.facts import BackupsFacts
from rules.model.goal import WrittenTime

_REVERSED: Final = tr("--from is later than --to")
_SHIFT_US: Final = 86_400_000_000 - 1  # less than a day: clocks are set back by up to that much
_UTC: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstantsAsked:
    """TimestampTz; what is None was not asked."""

    since_us: int | None = None
    until_us: int | None = None
    around_us: int | None = None
    covers_us: int | None = None
    note: str = ""  # what had to be assumed; empty: nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class FindTimes:
    """As they were typed."""

    since: WrittenTime | None = None
    until: WrittenTime | None = None
    around: WrittenTime | None = None
    covers: WrittenTime | None = None

    @property
    def needs_zone(self) -> bool:
        """One of them names no zone."""
        every = (self.since, self.until, self.around, self.covers)
        return any(each is not None and each.zone is None for each in every)

    def refuse_reversed(self) -> None:
        """Raises UsageError where --from is later than --to in whatever zone they are read."""
        if self.since is None or self.until is None:
            return
        zoneless = (self.since.zone is None) + (self.until.zone is None)
        apart_us = self.since.in_zone(_UTC) - self.until.in_zone(_UTC)
        if zoneless != 1 and apart_us > (_SHIFT_US if zoneless else 0):
            raise UsageError(_REVERSED)

    def read(self, found: BackupsFacts | None) -> InstantsAsked:
        """Read them in the zone of the backups. Raises UsageError."""
        zone, source = server_zone(found)

        def us(option: str, written: WrittenTime | None) -> int | None:
            try:
                return None if written is None else written.in_zone(zone)
            except ParseError as error:
                raise UsageError(
                    tr("{option}: {error}", option=option, error=error.message)
                ) from None

        note = tr(
            "times without a zone were read as {zone} ({source})", zone=zone.key, source=source
        )
        asked = InstantsAsked(
            since_us=us("--from", self.since),
            until_us=us("--to", self.until),
            around_us=us("--around", self.around),
            covers_us=us("--covers", self.covers),
            note=note if self.needs_zone else "",
        )
        if None not in (asked.since_us, asked.until_us) and asked.since_us > asked.until_us:  # type: ignore[operator]
            raise UsageError(_REVERSED)
        return asked
