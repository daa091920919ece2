"""The workers of a Dask cluster, behind the interface that threads and processes stand behind.

What comes back is checked as any foreign bytes are, and dated by this machine's clock: when it was
asked for. What a worker does not find, or finds changed, is looked at here before it is believed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, cast

from agent.archive.readings import ScannedSegment, is_as_listed, is_settled, is_sound
from agent.archive.stored import is_named_tar
from agent.archive.unreadable import Unreadable, why_unreadable
from agent.archive.workers import StillHangs, new_workers
from agent.dask_scan.link import SchedulerLink
from agent.dask_scan.words import (
    Failed,
    NotThere,
    Question,
    Read,
    encode_question,
)
from agent.deadline import DeadlinePassed, Worker
from agent.ledger.encode import PackedScan, unpack_scan
from agent.repositories.reading import read_with_keys
from agent.store.urls import is_remote
from parsers.errors import ParseError
from parsers.segment import parse_segment_name
from parsers.sentences import tr
from parsers.wal.scan import Depth
from rules.model.counted import counted
from rules.model.facts import ArchivedFile, ChangedFile

SCHEMES: Final = ("tcp://", "tls://")
_LOOK_SECONDS: Final = 30.0  # at a file, on this machine
_DIGEST_BYTES: Final = 32  # SHA-256
_RECORD_BYTES_LEAST: Final = 24  # XLogRecord's header: no segment has more commits than it has room


class DaskWorkers:
    """Asks the workers of one scheduler. What only this process has a key for is read here."""

    def __init__(
        self,
        address: str,
        complain: Callable[[str], None],
        *,
        here: int = 1,
        waits: bool = True,
    ) -> None:
        """`here`: how many files are read by this process at once, of those that it must read.

        `waits`: until the scheduler has heard that it is over; not where others would wait.
        """
        self._address, self._waits = address, waits
        self._complain = complain
        self._link: SchedulerLink | None = None
        self._here = new_workers(here)

    @property
    def count(self) -> int:
        there = self._link.workers if self._link else {}
        return sum(there.values()) or 1

    @property
    def described(self) -> str:
        return counted(len(self._link.workers if self._link else {}), "worker")

    def submit(
        self, subject: Hashable, call: Callable[..., Any], *arguments: Any
    ) -> Future[ScannedSegment]:
        file = cast(ArchivedFile, arguments[0])
        read_here = partial(self._here.submit, subject, call, *arguments)
        in_remote_tar = is_remote(file.directory) and is_named_tar(file.directory)
        if _has_keys(call) or in_remote_tar:
            return read_here()
        if self._link is None:
            self._link = SchedulerLink(self._address, self._complain)
        of_a_tool = isinstance(call, partial) and call.func is read_with_keys
        return self._link.start(_ask(self._link, of_a_tool, *arguments, read_here=read_here))

    def close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close(wait=self._waits)
        self._here.close()


def _has_keys(call: Callable[..., Any]) -> bool:
    """Whether it decrypts: no key leaves this process."""
    return isinstance(call, partial) and call.func is read_with_keys and bool(call.args[0])


async def _ask(
    link: SchedulerLink,
    of_a_tool: bool,
    file: ArchivedFile,
    segment: str,
    segment_size: int,
    depth: Depth,
    *_: object,
    read_here: Callable[[], Future[ScannedSegment]],
) -> ScannedSegment:
    """Raises what `read_segment` does, and NoWorkers."""
    question = Question(
        os.fsencode(file.directory), os.fsencode(file.name), file.size_bytes, file.mtime_ns,
        file.ctime_ns, segment, segment_size, depth, of_a_tool,
    )  # fmt: skip
    asked_at = datetime.now(UTC)
    answer = await link.ask(encode_question(question))
    try:
        if isinstance(answer, Read):
            return _taken(answer, question, asked_at)
        if isinstance(answer, Failed):
            failure = Unreadable(answer.why)
            failure.is_cold, failure.usage = answer.is_cold, answer.usage.counted()
            raise failure
    except ParseError as error:
        raise Unreadable(tr("a worker's answer cannot be used: {why}", why=error.message)) from None
    if not isinstance(answer, NotThere):
        raise Unreadable(tr("a worker answered what was not asked"))
    await _require_change(file, answer.why)
    try:
        return await asyncio.wrap_future(read_here())
    except StillHangs:
        raise Unreadable(tr("an earlier look at it still hangs")) from None


def _taken(answer: Read, question: Question, asked_at: datetime) -> ScannedSegment:
    """Raises ParseError for what cannot be the scan of that segment."""
    size = question.segment_size
    packed = PackedScan(answer.scan, answer.transactions)
    scan = unpack_scan(packed, most_transactions=size // _RECORD_BYTES_LEAST)
    number = parse_segment_name(question.segment, size)[1]
    if scan.start_lsn != number * size or scan.depth != question.depth:
        raise ParseError(tr("it is of another segment, or of another depth"))
    if len(answer.digest) != _DIGEST_BYTES:
        raise ParseError(tr("its digest is none"))
    file = question.file
    changed = None
    if answer.misnamed:
        stored_at = datetime.fromtimestamp(file.mtime_ns / 1e9, UTC)
        changed = ChangedFile(
            segment=question.segment, url=file.path, verified_at=stored_at, by_name=True
        )
    return ScannedSegment(
        read_at=asked_at,
        digest=answer.digest,
        sound=is_sound(scan),
        stable=answer.stable and is_settled(file, asked_at),
        as_listed=True,
        changed=changed,
        packed=packed,
        usage=answer.usage.counted(),
    )


async def _require_change(file: ArchivedFile, why: str) -> None:
    """Raise Unreadable where the file is here as it was listed: the worker looks elsewhere."""
    try:
        same = await Worker("file").run(_LOOK_SECONDS, partial(_is_as_it_was, file))
    except DeadlinePassed:
        raise Unreadable(tr("{why}, and a look at it from here takes too long", why=why)) from None
    except Exception as error:
        raise Unreadable(
            tr("{why}, and from here it {reason}", why=why, reason=why_unreadable(error))
        ) from None
    if same:
        raise Unreadable(tr("{why}: has it the same archive, at the same place?", why=why))


def _is_as_it_was(file: ArchivedFile) -> bool:
    """Whether it lies here with the size and times that were listed. Raises OSError, StoreError."""
    if not is_remote(file.directory):
        return is_as_listed(file, None)
    from agent.store.objects import version_of

    try:
        return is_as_listed(file, version_of(file.path))
    except FileNotFoundError:
        return False
