"""What was read of backups down to their contents, for as long as their files stay the same.

A backup of a terabyte is read once, not at every scan; again when it is older than `reverify`,
because a disk may rot without a sign.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from time import monotonic

from agent.backups.describe import BackupDepth
from agent.backups.find import read_any_backup
from agent.store.local import stat_path, walk_tree
from agent.store.paths import AnyPath, StorePath, look_at
from parsers.values import dataclass
from rules.model.facts import BackupFacts


@dataclass(frozen=True, slots=True)
class _Reading:
    depth: BackupDepth
    files: bytes  # what they looked like
    read_at: float  # monotonic
    facts: BackupFacts


class BackupMemory:
    """The last reading of each backup."""

    def __init__(self, reverify_seconds: float) -> None:
        self._reverify_seconds = reverify_seconds
        self._readings: dict[AnyPath, _Reading] = {}

    def read(self, path: AnyPath, depth: BackupDepth) -> BackupFacts:
        """Read a backup, or give what was read of it. Raises NotABackup."""
        if depth in ("label", "files") and not isinstance(path, StorePath):
            return read_any_backup(path, depth)
        files, now = _look_of(path), monotonic()
        known = self._readings.get(path)
        same = known is not None and (known.depth, known.files) == (depth, files)
        if known is not None and same and now - known.read_at < self._reverify_seconds:
            return known.facts
        facts = read_any_backup(path, depth)
        if facts.unread_files:  # it may be read the next time
            self._readings.pop(path, None)
        else:
            self._readings[path] = _Reading(depth, files, now, facts)
        return facts


def _look_of(path: AnyPath) -> bytes:
    """A digest of the names, sizes and times of all files; a file that vanishes changes it."""
    digest = blake2b(digest_size=16)
    for line in sorted(_objects(path) if isinstance(path, StorePath) else _files(str(path))):
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.digest()


def _objects(root: StorePath) -> Iterator[str]:
    for path in root.walk():
        yield f"{path}\0{look_at(path)}\n"


def _files(root: str) -> Iterator[str]:
    for directory, _, names in walk_tree(root, followlinks=True):
        for name in names:
            at = f"{directory}/{name}"
            try:
                seen = stat_path(at)
            except OSError as error:
                yield f"{at}\0{error.errno}\n"
            else:
                yield f"{at}\0{seen.st_size} {seen.st_mtime_ns} {seen.st_ctime_ns}\n"
