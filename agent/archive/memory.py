"""What a reader remembers of files, in this process alone; `ledger_memory` has the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from agent.archive.readings import Job, ScannedSegment
from parsers.wal.scan import Depth
from rules.model.facts import ArchivedFile
from rules.model.scans import JoinedStretch


class Memory:
    """Remembers what was read for as long as the file's size and times stay the same."""

    def __init__(self) -> None:
        self._known: dict[tuple[Job, Depth, int], ScannedSegment] = {}
        self._depth: Depth = "records"
        self._segment_size = 0

    def begin(self, files: Iterable[ArchivedFile], segment_size: int, depth: Depth) -> None:
        """A round begins that will ask for these files."""
        self._segment_size, self._depth = segment_size, depth

    def find(self, job: Job) -> ScannedSegment | None:
        return self._known.get((job, self._depth, self._segment_size))

    def keep(self, job: Job, scanned: ScannedSegment) -> ScannedSegment:
        """Remember a reading, unless the file was just changing; give it, with what it tells."""
        if scanned.stable:
            self._known[job, self._depth, self._segment_size] = scanned
        return scanned

    def forget_all_but(self, files: Iterable[ArchivedFile]) -> None:
        kept = set(files)
        self._known = {key: scan for key, scan in self._known.items() if key[0].file in kept}

    def stretches(self, wanted: Sequence[Job]) -> Mapping[str, JoinedStretch]:
        """Whole stretches that are known joined, by the name of their first segment."""
        return {}

    @property
    def is_due(self) -> bool:
        """True when there is enough to write down."""
        return False

    def flush(self) -> None:
        """Write down what is not written down yet."""
