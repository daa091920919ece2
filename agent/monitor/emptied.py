"""An archive that held segments and is empty now: lost, or not mounted?

The directory below a mount point is an empty archive to whoever lists it. So that is *unknown*
until something tells: the directory is the very one that held them (device and inode), or it stays
empty from look to look.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import Final

from agent.archive.directory import NotAnArchive
from agent.ledger.store import Ledger
from agent.store.local import stat_path
from agent.store.urls import is_remote
from parsers.sentences import tr
from parsers.values import dataclass
from rules.model.counted import counted
from rules.model.facts import ArchiveFacts

_LOOKS: Final = 3  # empty ones, of which the last is believed
_SECONDS: Final = 60.0  # that lie between the first and the last of them at least

Identity = tuple[int, int]  # device and inode of a directory


@dataclass(slots=True)
class _Seen:
    """The last look at one archive that showed segments, and the empty ones since."""

    segment_count: int = 0
    identity: Identity | None = None  # None: not known
    empty_since: float | None = None
    empty_count: int = 0


class Emptied:
    """Looks at archives, one after the other. What was seen before a restart the ledger knows."""

    def __init__(self, ledger: Ledger | None, clock: Callable[[], float] = monotonic) -> None:
        self._ledger = ledger
        self._clock = clock
        self._seen: dict[str, _Seen] = {}

    def look(self, url: str, look: Callable[[], ArchiveFacts]) -> ArchiveFacts:
        """List it. Raises NotAnArchive while nobody can say whether it lost what it held."""
        if is_remote(url) and not url.startswith("sftp://"):
            return look()  # a store's listing is proof
        before = _identity(url)
        listed = look()
        identity = before if before == _identity(url) else None
        seen = self._seen.get(url)
        if seen is None:
            seen = self._seen[url] = _Seen(segment_count=self._known_count(url))
        if listed.segments:
            self._seen[url] = _Seen(segment_count=len(listed.segments), identity=identity)
        elif seen.segment_count and not self._is_believed(seen, identity):
            raise NotAnArchive(
                tr(
                    "{url} is empty, and held {segments} at the last look: is it mounted?",
                    url=url,
                    segments=counted(seen.segment_count, "segment"),
                )
            )
        elif seen.segment_count:
            return replace(listed, emptied={url: seen.segment_count})
        return listed

    def _is_believed(self, seen: _Seen, identity: Identity | None) -> bool:
        if identity is not None and identity == seen.identity:
            return True
        now = self._clock()
        seen.empty_since = now if seen.empty_since is None else seen.empty_since
        seen.empty_count += 1
        return seen.empty_count >= _LOOKS and now - seen.empty_since >= _SECONDS

    def _known_count(self, url: str) -> int:
        if self._ledger is None:
            return 0
        self._ledger.open()
        return self._ledger.count_below(url if is_remote(url) else os.path.normpath(url))


def _identity(url: str) -> Identity | None:
    if is_remote(url):
        return None
    try:
        status = stat_path(url)
    except OSError:
        return None
    return status.st_dev, status.st_ino
