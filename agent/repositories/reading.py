"""Segments of a repository: read in workers with its keys, and held against their names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from agent.archive import ciphers
from agent.archive.ciphers import Cipher
from agent.archive.codecs import BrokenStream, open_stream
from agent.archive.readings import FLAW_KINDS, JournalsOf, ScannedSegment, read_segment
from agent.archive.stored import read_stored
from parsers.repository.pgbackrest import parse_stored_name
from parsers.sentences import tr
from parsers.wal.damage import UNDECODABLE, DamageKind
from parsers.wal.scan import Depth
from rules.model.facts import ArchivedFile, ChangedFile

_MOST_PIECES: Final = 4096  # of a megabyte: four times the largest segment


def read_with_keys(
    keys: Mapping[str, Cipher],
    file: ArchivedFile,
    name: str,
    segment_size: int,
    depth: Depth,
    compare: bool = False,
    pack: bool = False,
    journals: JournalsOf | None = None,
) -> ScannedSegment:
    """Read one file as `read_segment` does. Runs in a worker process, which has no keys yet.

    Nothing is remembered of a file that could not be decrypted: the next time there may be a key.
    """
    ciphers.adopt(keys)
    scanned = read_segment(file, name, segment_size, depth, compare, pack, journals=journals)
    if not scanned.sound:
        return _look_closer(scanned, file, segment_size, pack)
    if not _is_as_named(file, segment_size):
        stored_at = datetime.fromtimestamp(file.mtime_ns / 1e9, UTC)
        changed = ChangedFile(segment=name, url=file.path, verified_at=stored_at, by_name=True)
        return replace(scanned, stable=False, changed=changed)
    return scanned


def _look_closer(
    scanned: ScannedSegment, file: ArchivedFile, segment_size: int, pack: bool
) -> ScannedSegment:
    """Tell a file that cannot be decoded, which no tool hands over, from one with bad WAL in it."""
    scan = scanned.scan
    if scan.damage is None:
        return scanned
    if scan.damage.kind is DamageKind.ENCRYPTED:
        return replace(scanned, stable=False)
    broken = _where_it_breaks(file, segment_size)
    if broken is None:
        return scanned
    detail = tr("cannot be decoded: {error}", error=broken)
    assert detail.startswith(UNDECODABLE), "which is how others know it"
    told = replace(scan, damage=replace(scan.damage, kind=FLAW_KINDS[broken.flaw], detail=detail))
    if not pack:
        return replace(scanned, held=told)
    from agent.ledger.encode import pack_scan

    return replace(scanned, held=None, packed=pack_scan(told))


def _where_it_breaks(file: ArchivedFile, segment_size: int) -> BrokenStream | None:
    """Why decompressing or decrypting a file ends in an error; None: it gives what it gives."""
    try:
        with open_stream(file.path, expected_bytes=segment_size) as stream:
            for _ in range(_MOST_PIECES):
                if not stream.read():
                    return None
    except BrokenStream as error:
        return error
    return None


def _is_as_named(file: ArchivedFile, segment_size: int) -> bool:
    """Whether the content has the SHA-1 that pgBackRest put into the name, where it did."""
    stored = parse_stored_name(file.name)
    if stored is None:
        return True
    content = read_stored(file.directory, file.name, segment_size)
    return content.flaw is not None or hashlib.sha1(content.data).hexdigest() == stored.sha1
