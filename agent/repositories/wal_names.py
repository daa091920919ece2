"""WAL in the folders of a tool that keeps PostgreSQL's names, with a suffix or without."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from agent.archive.directory import Listing
from parsers.segment import NameKind, WalName, is_segment_size, parse_wal_name
from rules.model.facts import ArchivedFile, ArchiveFacts

# Of a codec that cannot be read here: the name counts, the content is unknown.
_SUFFIXED: Final = re.compile(r"([0-9A-F]{24})(\.partial)?(\.(?:snappy|lzo|zstd|br))\Z")
_LOG_BYTES: Final = 1 << 32
_DEFAULT_SIZE: Final = 16 << 20


def add_files(files: Iterable[ArchivedFile], listing: Listing) -> None:
    """Take note of every file that is WAL by its name; others are counted."""
    for file in files:
        if parse_wal_name(file.name) is not None:
            listing.add(file.directory, file.name, file)
        elif match := _SUFFIXED.match(file.name):
            listing.known_count += 1
            kind = NameKind.PARTIAL if match[2] else NameKind.SEGMENT
            plain = match[1] + (match[2] or "")
            name = WalName(kind, plain, int(match[1][:8], 16), match[1], match[3])
            listing.add_segment(file, name)
        else:
            listing.other_count += 1


def with_size_by_names(facts: ArchiveFacts) -> ArchiveFacts:
    """The same where nothing but the names tells the size of a segment, as nothing can be read.

    Where they span several logs of 4 GiB, the highest number in one tells how many it has. Within
    one log every size gives the same gaps: the default, unless the names exclude it.
    """
    if facts.segment_size_bytes is not None or not facts.segments:
        return facts
    highest = max(int(name[16:], 16) for name in facts.segments)
    logs = {name[:16] for name in facts.segments}
    per_log = 1 << highest.bit_length()  # of 0xFF: 0x100
    if len(logs) == 1:
        per_log = max(per_log, _LOG_BYTES // _DEFAULT_SIZE)
    size = _LOG_BYTES // per_log
    return replace(facts, segment_size_bytes=size) if is_segment_size(size) else facts
