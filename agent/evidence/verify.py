"""Verifying a directory of statements, and today's bytes of an archive against them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, Literal

from agent.archive.codecs import Flaw
from agent.archive.directory import NotAnArchive, list_archive
from agent.archive.progress import OnProgress
from agent.archive.stored import read_stored, require_own
from agent.archive.unreadable import Unreadable, read_guarded, why_unreadable
from agent.errors import CannotCheck
from agent.evidence.directory import read_head, read_lines
from agent.evidence.keys import PublicKeys
from agent.evidence.words import without_secrets
from parsers.sentences import joined, message_of, tr
from parsers.values import dataclass
from rules.evidence.chain import Chain, Proven, judge_chain
from rules.model.facts import ArchivedFile, ArchiveFacts

State = Literal["same", "altered", "absent", "unread"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentToday:
    """A proven segment as it is now."""

    name: str
    state: State
    proven: str  # SHA-256 that was signed
    statement: int  # that signed it last
    today: tuple[str, ...] = ()  # SHA-256 of each file of it that can be read
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveToday:
    """An archive beside what was proven of it."""

    url: str
    proven: str | None  # the subject that it was compared with; None: no statement is about it
    segments: tuple[SegmentToday, ...] = ()
    later: tuple[str, ...] = ()  # archived after the last statement about it
    earlier: tuple[str, ...] = ()  # older than the first segment that was proven
    never_signed: tuple[str, ...] = ()  # between those that were proven

    def of(self, state: State) -> list[SegmentToday]:
        return [each for each in self.segments if each.state == state]


def verify_directory(directory: Path, keys: PublicKeys, expected: Sequence[str]) -> Chain:
    """Judge its chain. Raises CannotCheck where it cannot be read, or holds none."""
    try:
        chain = judge_chain(read_lines(directory), read_head(directory), keys, expected)
    except OSError as error:
        where = error.filename or directory
        raise CannotCheck(
            tr("{where}: {reason}", where=where, reason=error.strerror or error)
        ) from None
    if not chain.links and not chain.problems:
        raise CannotCheck(
            tr(
                "{directory} holds no statements: is it the --evidence of a pitr-check?",
                directory=directory,
            )
        )
    return chain


def list_today(url: str) -> ArchiveFacts:
    """The archive as it is now. Raises CannotCheck where it cannot be listed."""
    try:
        return list_archive(url)
    except NotAnArchive as error:
        raise CannotCheck(message_of(error)) from None


def compare_archive(
    archive: ArchiveFacts,
    chain: Chain,
    workers: int,
    on_progress: OnProgress = lambda *_: None,
) -> ArchiveToday:
    """Read what was proven of an archive again."""
    proven = _about(archive.url, chain)
    if proven is None:
        return ArchiveToday(url=without_secrets(archive.url), proven=None)
    digests = proven.inventory.digests
    segments = []
    with ThreadPoolExecutor(workers) as pool:
        for today in pool.map(partial(_look_at, archive, proven), sorted(digests)):
            segments.append(today)
            on_progress(len(segments), len(digests))
    unknown = sorted(archive.segments.keys() - digests.keys(), key=lambda name: name[8:])
    places = _places(digests)
    first, last = min(places, default=""), max(places, default="")
    return ArchiveToday(
        url=without_secrets(archive.url),
        proven=proven.name,
        segments=tuple(segments),
        later=tuple(name for name in unknown if name[8:] > last),
        earlier=tuple(name for name in unknown if name[8:] < first),
        never_signed=tuple(name for name in unknown if first <= name[8:] <= last),
    )


def _places(names: Iterable[str]) -> list[str]:
    """Where segments lie in the WAL, whatever their timelines."""
    return [name[8:] for name in names]


def _about(url: str, chain: Chain) -> Proven | None:
    """The WAL that this archive is said to hold; where it has moved, the only one there is."""
    named = without_secrets(url)
    about = [each for each in chain.inventories.values() if named in each.archives]
    if not about and len(chain.inventories) == 1:
        about = list(chain.inventories.values())
    return max(about, key=lambda each: max(each.signed_by.values(), default=0), default=None)


def _look_at(archive: ArchiveFacts, proven: Proven, name: str) -> SegmentToday:
    """Read a segment, and its copies; it is the same if all of them are."""
    digest = proven.inventory.digests[name]
    by = proven.signed_by[name]
    file = archive.segments.get(name)
    if file is None:
        return SegmentToday(name=name, state="absent", proven=digest, statement=by)
    found, unread = list[str](), list[str]()
    for each in (file, *archive.copies.get(name, ())):
        try:
            found.append(read_guarded(partial(_digest, each, digest)))
        except (FileNotFoundError, Unreadable) as error:
            unread.append(tr("{name}: {why}", name=each.name, why=why_unreadable(error)))
    other = [each for each in found if each != digest]
    state: State = "altered" if other else "unread" if unread else "same"
    return SegmentToday(
        name=name,
        state=state,
        proven=digest,
        statement=by,
        today=tuple(other or found),
        detail=joined("; ", unread),
    )


def _digest(file: ArchivedFile, proven: str) -> str:
    """SHA-256 of its content, decompressed: of all of it, whatever its length."""
    content = read_stored(file.directory, file.name, _LONGEST_SEGMENT)
    if content.flaw is Flaw.ENCRYPTED:
        raise Unreadable(content.detail)
    digest = hashlib.sha256(content.data).hexdigest()
    if digest != proven:  # and of what else a link leads to not even a digest is told
        require_own(file.directory, file.name, content)
    return digest


_LONGEST_SEGMENT: Final = 1 << 30
