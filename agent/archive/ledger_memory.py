"""What a reader remembers of files in a ledger, beyond the end of this process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from agent.archive.memory import Memory
from agent.archive.readings import Job, ScannedSegment, read_segment, unread_scan
from agent.archive.stretches import Known, find_stretches
from agent.archive.unreadable import Unreadable, why_unreadable
from agent.ledger.encode import PackedScan, unpack_scan
from agent.ledger.store import FileRow, Ledger, Place
from parsers.errors import ParseError
from parsers.values import dataclass
from parsers.wal.scan import Depth, SegmentScan
from rules.model.facts import ArchivedFile, ChangedFile
from rules.model.scans import JoinedStretch

_BATCH_FILES: Final = 256  # written down together, or what came within
_BATCH_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Recall:
    """Where a scan is to be fetched from: there is one for each of very many segments."""

    memory: LedgerMemory
    row: FileRow
    job: Job
    depth: Depth

    def __call__(self) -> SegmentScan:
        return self.memory.recall(self.row, self.job, self.depth)


class LedgerMemory(Memory):
    """Holds rows; scans are fetched when asked for."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger
        self._rows: dict[Place, FileRow] = {}
        self._pending: list[tuple[FileRow, PackedScan, Job, ScannedSegment]] = []
        self._pending_since = 0.0
        self._now = datetime.now(UTC)
        self._wrote = False

    def begin(self, files: Iterable[ArchivedFile], segment_size: int, depth: Depth) -> None:
        super().begin(files, segment_size, depth)
        self._wrote = False
        self._now = datetime.now(UTC)
        self._ledger.open()
        self._rows = self._ledger.rows({file.directory for file in files}, depth)
        # A row says it all, and another process may know better. What the ledger would not take
        # (a full disk, a file that is not a ledger) is known here alone.
        self._known = {
            key: known
            for key, known in self._known.items()
            if known.recall is None and self._row(key[0]) is None
        }

    def find(self, job: Job) -> ScannedSegment | None:
        known = super().find(job) if self._known else None
        if known is not None:
            return known
        row = self._row(job)
        if row is None or (row.changed_read_at is not None and self._ledger.is_spoilt(row)):
            return None
        return ScannedSegment(
            read_at=row.read_at,
            digest=row.digest,
            stable=True,
            sound=row.sound,
            changed=_changed(job, row.changed_read_at),
            recall=_Recall(self, row, job, self._depth),
        )

    def _row(self, job: Job) -> FileRow | None:
        """What is known of the file as it is now."""
        row = self._rows.get((job.file.directory, job.file.name))
        if row is None or not row.same_format or row.file != job.file:
            return None
        if row.read_at > self._now:
            return None  # no reading of ours, or by a clock that was wrong
        return row if row.segment_size == self._segment_size else None

    def recall(self, row: FileRow, job: Job, depth: Depth) -> SegmentScan:
        """Fetch a scan; where the ledger fails after all, read the file in its stead."""
        packed = self._ledger.packed(row)
        if packed is not None:
            try:
                return unpack_scan(packed)
            except ParseError:
                pass
        try:
            return read_segment(job.file, job.name, row.segment_size, depth).scan
        except (FileNotFoundError, Unreadable) as error:
            return unread_scan(job.file, job.name, row.segment_size, why_unreadable(error))

    def keep(self, job: Job, scanned: ScannedSegment) -> ScannedSegment:
        content, packed = scanned.digest, scanned.packed
        if not scanned.stable or content is None or packed is None:
            return scanned
        row = self._rows.get((job.file.directory, job.file.name))
        before = _sound_content(row) if row else None
        if before is not None and (before[0] == content or len(before[0]) != len(content)):
            before = None  # the same; or a digest of another kind, of a release before
        if before is not None and row is not None and self._ledger.is_spoilt(row):
            before = None  # nothing that a damaged ledger says is held against a file
        digest, at = before or (None, None)
        scanned = replace(scanned, changed=_changed(job, at))
        known = FileRow(
            job.file, self._depth, self._segment_size, scanned.read_at, content,
            scanned.sound, digest, at,
        )  # fmt: skip
        self._pending.append((known, packed, job, scanned))
        if len(self._pending) == 1:
            self._pending_since = monotonic()
        return super().keep(job, scanned)

    def forget_all_but(self, files: Iterable[ArchivedFile]) -> None:
        super().forget_all_but(files)
        kept = list(files)
        self._ledger.forget_all_but({file.directory for file in kept}, kept)

    def flush(self) -> None:
        pending, self._pending = self._pending, []
        if not pending:
            return
        self._wrote = True
        rows = self._ledger.write((row, packed) for row, packed, _, _ in pending)
        for row, (_, _, job, scanned) in zip(rows, pending, strict=False):
            # The ledger has it: a first look at a large archive need not hold all of it.
            scanned.recall = _Recall(self, row, job, self._depth)
            scanned.packed = scanned.held = None

    def stretches(self, wanted: Sequence[Job]) -> Mapping[str, JoinedStretch]:
        if self._depth != "records":
            return {}
        if self._wrote:  # what was written down has its number now
            self._now = datetime.now(UTC)
            self._rows = self._ledger.rows({job.file.directory for job in wanted}, self._depth)
        known = [
            Known(job, row, _Recall(self, row, job, self._depth))
            for job in wanted
            if not job.compare and (row := self._row(job)) is not None and row.sound
        ]
        return find_stretches(self._ledger, known, self._segment_size)

    @property
    def is_due(self) -> bool:
        late = monotonic() - self._pending_since >= _BATCH_SECONDS
        return bool(self._pending) and (late or len(self._pending) >= _BATCH_FILES)


def _sound_content(row: FileRow) -> tuple[bytes, datetime] | None:
    """The digest of what a file held when it was sound, and when that was read last."""
    if row.changed_digest is not None and row.changed_read_at is not None:
        return row.changed_digest, row.changed_read_at
    return (row.digest, row.read_at) if row.sound else None


def _changed(job: Job, verified_at: datetime | None) -> ChangedFile | None:
    if verified_at is None:
        return None
    return ChangedFile(segment=job.name, url=job.file.path, verified_at=verified_at)
