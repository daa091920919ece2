"""Appending to a chain: one writer at a time, each statement on the disk before the next.

A statement is written in two steps, its line and then the head that names it, each flushed. Killed
between any two instructions this leaves a chain that verifies: without the last statement, with a
piece of it that the next writer removes, or with a head that is one statement behind, which the
next writer brings up before it writes. Writers of any process wait for each other at a lock.

What the files say is not believed beyond that: where they end before the head does, the next
statement is numbered after the head, and the hole stays to be seen.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from agent.evidence.directory import (
    HEAD,
    LOCK,
    end_of,
    file_name,
    lines_of,
    read_head,
    statement_files,
)
from agent.evidence.statement import Draft, WalRead, render_statement
from agent.store.local import stat_path
from parsers.errors import ParseError
from parsers.evidence.envelope import Envelope, parse_envelope
from parsers.evidence.statement import (
    HEAD_TYPE,
    PAYLOAD_TYPE,
    Head,
    WalChange,
    parse_head,
    parse_statement,
)
from parsers.sentences import tr
from parsers.values import dataclass
from rules.evidence.inventory import Inventory, changes, everything

if TYPE_CHECKING:
    from agent.evidence.keys import SigningKey

FILE_BYTES: Final = 16 << 20  # a file that has grown to this is followed by another
LIMIT_BYTES: Final = 1 << 30  # of all files: beyond it the oldest go, and a statement says so
LOCK_SECONDS: Final = 60.0


class CannotWriteEvidence(Exception):
    """A statement could not be written. One line for a person."""


class Written(NamedTuple):
    """The newest statement."""

    sequence: int
    digest: str
    dropped: tuple[str, ...] = ()  # files that had to make room


@dataclass(slots=True)
class _Wal:
    """One subject's WAL as the chain has it."""

    archives: tuple[str, ...]
    inventory: Inventory = field(default_factory=Inventory)


@dataclass(slots=True)
class _State:
    """Where the chain stands."""

    at: Head | None  # the newest statement; None: there is none
    file: Path | None  # that the next statement goes to, if it has room
    found: list[str] = field(default_factory=list)  # amiss, to be signed with the next statement
    wal: dict[str, _Wal] = field(default_factory=dict)


class EvidenceWriter:
    """Appends to the chain in one directory. Any thread may use it, as any process may."""

    def __init__(
        self,
        directory: Path,
        key: SigningKey,
        *,
        limit_bytes: int = LIMIT_BYTES,
        file_bytes: int = FILE_BYTES,
        lock_seconds: float = LOCK_SECONDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._directory = directory
        self._key = key
        self._limit_bytes = limit_bytes
        self._file_bytes = file_bytes
        self._lock_seconds = lock_seconds
        self._clock = clock
        self._own = key.public_keys
        self._known: _State | None = None  # as we left it: nobody may have written since

    def write(self, draft: Draft) -> Written:
        """Append a statement, and whatever belongs before it. Raises CannotWriteEvidence."""
        try:
            with self._locked():
                return self._write(draft)
        except OSError as error:
            self._known = None
            where, why = error.filename or self._directory, error.strerror or error
            raise CannotWriteEvidence(tr("{where}: {why}", where=where, why=why)) from None

    def _write(self, draft: Draft) -> Written:
        state = self._state()
        dropped = self._make_room(state)
        *before, last = self._wal_of(state, draft.wal)
        for change in before:
            self._append(state, Draft(kind="wal", cluster=draft.cluster), change)
        self._append(state, draft, last)
        self._known = state
        assert state.at is not None
        return Written(state.at.sequence, state.at.digest, dropped)

    # -- where the chain stands ------------------------------------------------------------------

    def _state(self) -> _State:
        """As the files say, under the lock; a piece of a statement at their end is removed."""
        known, self._known = self._known, None
        files = statement_files(self._directory)
        for path in files[-1:]:
            _remove_torn_end(path)
        head, last = self._head(), self._last(files)
        if known is not None and known.at == head == last:
            return known
        at, found = _stand(head, last, known.at if known else None)
        state = _State(at=at, file=files[-1] if files else None, found=found)
        if at is not None and not found and (head is None or head.digest != at.digest):
            self._put_head(at)  # its writer was ended between the two
        for path in files[-1:]:
            _replay(path, state.wal)
        return state

    def _head(self) -> Head | None:
        try:
            envelope = parse_envelope((read_head(self._directory) or b"").removesuffix(b"\n"))
            return parse_head(envelope.payload) if self._is_believed(envelope) else None
        except ParseError:
            return None

    def _last(self, files: Sequence[Path]) -> Head | None:
        """The newest statement that can be believed; None: there is none."""
        for path in reversed(files):
            if (line := end_of(path).line) is not None and (last := self._read(line)) is not None:
                return last
            for each in reversed([*lines_of(path)]):
                if (last := self._read(each.data)) is not None:
                    return last
        return None

    def _read(self, line: bytes) -> Head | None:
        try:
            envelope = parse_envelope(line)
            if not self._is_believed(envelope):
                return None
            statement = parse_statement(envelope.payload)
        except ParseError:
            return None
        return Head(chain=statement.chain, sequence=statement.sequence, digest=_sha256(line))

    def _is_believed(self, envelope: Envelope) -> bool:
        """What says that it is ours must be; what another key signed, only a verifier can tell."""
        return envelope.key_id != self._key.id or self._own(envelope) is not None

    # -- what is appended ------------------------------------------------------------------------

    def _wal_of(self, state: _State, read: WalRead | None) -> list[WalChange | None]:
        """What is to be said of WAL that was read; the last goes with what was found of it."""
        if read is None:
            return [None]
        new = read.name not in state.wal  # whatever a writer that was ended had begun to say of it
        known = state.wal.setdefault(read.name, _Wal(read.archives))
        known.archives = read.archives
        return [
            *changes(
                known.inventory, read.name, read.archives, read.digests, read.listed, whole=new
            )
        ]

    def _append(self, state: _State, draft: Draft, change: WalChange | None) -> None:
        """Its line, flushed; then the head, flushed."""
        before = state.at
        chain, sequence = (before.chain, before.sequence + 1) if before else (uuid.uuid4().hex, 1)
        if state.file is None:
            state.file = self._directory / file_name(sequence)
        payload = render_statement(
            draft,
            change,
            chain=chain,
            sequence=sequence,
            previous=before.digest if before else None,
            at=self._clock(),
            found=tuple(state.found),
        )
        line = self._key.sign(PAYLOAD_TYPE, payload)
        self._put_line(state.file, line)
        state.at, state.found = Head(chain=chain, sequence=sequence, digest=_sha256(line)), []
        self._put_head(state.at)

    def _put_line(self, path: Path, line: bytes) -> None:
        new = not path.exists()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o640)
        try:
            size = os.fstat(descriptor).st_size
            try:
                _write_all(descriptor, line + b"\n")
                os.fsync(descriptor)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(descriptor, size)  # a full disk keeps no piece of it
                raise
        finally:
            os.close(descriptor)
        if new:
            self._sync_directory()

    def _put_head(self, head: Head) -> None:
        said = {"chain": head.chain, "sequence": head.sequence, "sha256": head.digest}
        data = self._key.sign(HEAD_TYPE, json.dumps(said, separators=(",", ":")).encode()) + b"\n"
        path = self._directory / f"{HEAD}.new"
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640
        )
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        path.replace(self._directory / HEAD)
        self._sync_directory()

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    # -- room ------------------------------------------------------------------------------------

    def _make_room(self, state: _State) -> tuple[str, ...]:
        """Begin a file where the last one is full, and drop the oldest beyond the limit."""
        # What a list of all segments takes is no reason to begin another at once.
        full = self._file_bytes + 128 * sum(len(w.inventory.digests) for w in state.wal.values())
        if state.file is None or not state.file.exists() or _size(state.file) < full:
            return ()
        state.file = None
        for name, wal in sorted(state.wal.items()):
            for change in everything(wal.inventory, name, wal.archives):
                self._append(state, Draft(kind="wal"), change)
        return self._drop(state)

    def _drop(self, state: _State) -> tuple[str, ...]:
        """What goes is named by a signed statement first: it is no hole."""
        files = statement_files(self._directory)
        sizes = {path: _size(path) for path in files}
        going: list[Path] = []
        while len(files) - len(going) > 1 and sum(sizes.values()) > self._limit_bytes:
            path = files[len(going)]
            going.append(path)
            del sizes[path]
        last = self._last(going)
        if last is None:
            return ()
        names = tuple(path.name for path in going)
        removed = {
            "through": last.sequence,
            "sha256": last.digest,
            "files": list(names),
            "limit_bytes": self._limit_bytes,
        }
        self._append(state, Draft(kind="removal", body={"removed": removed}), None)
        for path in going:
            path.unlink()
        return names

    # -- the lock --------------------------------------------------------------------------------

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time. It ends with its process, however that ends."""
        self._directory.mkdir(mode=0o750, exist_ok=True)
        descriptor = os.open(
            self._directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640
        )
        try:
            deadline = time.monotonic() + self._lock_seconds
            while not _lock(descriptor):
                if time.monotonic() > deadline:
                    raise CannotWriteEvidence(
                        tr(
                            "{directory}: another writer has held it for {seconds:g} s",
                            directory=self._directory,
                            seconds=self._lock_seconds,
                        )
                    )
                time.sleep(0.02)
            yield
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_torn_end(path: Path) -> None:
    """Remove what a writer that was ended has left of a line."""
    end = end_of(path)
    if end.whole_bytes != end.size_bytes:
        os.truncate(path, end.whole_bytes)


def _stand(
    head: Head | None, last: Head | None, known: Head | None
) -> tuple[Head | None, list[str]]:
    """Where the chain goes on, and what is amiss with it.

    `known` is where this very process left it. What is not there any more keeps its number: the
    next statement comes after it, and the hole stays to be seen.
    """
    newest = max(filter(None, (last, head, known)), key=lambda each: each.sequence, default=None)
    found = []
    if last and head is None and last.sequence > 1:
        found.append("the head was not there: the end may have been cut")
    if last and head and last.sequence > head.sequence + 1:
        found.append(f"the head was of statement {head.sequence}, before {last.sequence}")
    if last and head and last.sequence == head.sequence and last.digest != head.digest:
        found.append(f"statement {last.sequence} was not the one that the head names")
        newest = head
    gone = (last.sequence if last else 0) + 1
    if newest and newest.sequence >= gone:
        found.append(f"the end was cut before statement {gone}")
    return newest, found


def _replay(path: Path, wal: dict[str, _Wal]) -> None:
    """The WAL as the newest file has it: it begins with all that was known."""
    for line in lines_of(path):
        try:
            change = parse_statement(parse_envelope(line.data).payload).wal
        except ParseError:
            continue  # it is named when the chain is verified
        if change is not None:
            known = wal.setdefault(change.name, _Wal(change.archives))
            known.archives = change.archives
            known.inventory.take(change)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _size(path: Path) -> int:
    return stat_path(path).st_size


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
