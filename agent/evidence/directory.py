"""The files of a chain: `00000001.jsonl` and so on, each named for its first statement, and `head`.

They are read as any evidence is, by whoever could write there: only regular files, and a line of
any length cannot fill the memory.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple

from agent.store.local import open_file, read_file, scan_directory
from rules.evidence.chain import Line

HEAD: Final = "head"
LOCK: Final = "lock"
# Above any that a writer makes: 20,000 segments and a verdict cut to size are 5 MB.
LINE_MAX_BYTES: Final = 64 << 20
_NAME: Final = re.compile(r"(\d{8,})\.jsonl")


def file_name(sequence: int) -> str:
    return f"{sequence:08d}.jsonl"


def statement_files(directory: Path) -> list[Path]:
    """The files of statements, in their order. Raises OSError."""
    with scan_directory(directory) as entries:
        found = [
            (int(match[1]), entry.name)
            for entry in entries
            if (match := _NAME.fullmatch(entry.name))
        ]
    return [directory / name for _, name in sorted(found)]


def read_lines(directory: Path) -> Iterator[Line]:
    """Every line of every file. Raises OSError."""
    for path in statement_files(directory):
        yield from lines_of(path)


def lines_of(path: Path) -> Iterator[Line]:
    """The lines of one file. Raises OSError."""
    with open_file(path) as file:
        number = 0
        while data := file.readline(LINE_MAX_BYTES):
            number += 1
            ended = data.endswith(b"\n")
            if not ended and len(data) == LINE_MAX_BYTES:
                _skip(file)
                ended = True  # it is none of ours, and is said to be altered
            bare = data.removesuffix(b"\n")
            yield Line(path.name, number, hashlib.sha256(bare).hexdigest(), bare, ended)


class End(NamedTuple):
    """How a file ends."""

    line: bytes | None  # the last whole line, without its end; None: there is none, or it is huge
    whole_bytes: int  # up to the end of that line
    size_bytes: int


def end_of(path: Path) -> End:
    """Read from the end, however large the file is. Raises OSError."""
    with open_file(path) as file:
        size = at = file.seek(0, io.SEEK_END)
        data = b""
        while at > 0 and data.count(b"\n") < 2 and len(data) < LINE_MAX_BYTES:
            step = min(at, max(1 << 16, len(data)))
            at -= step
            file.seek(at)
            data = file.read(step) + data
    ended, end, _ = data.rpartition(b"\n")
    if not end:
        return End(None, 0, size)
    whole = at + len(ended) + 1
    _, found, line = ended.rpartition(b"\n")
    return End(line if found or at == 0 else None, whole, size)


def _skip(file: IO[bytes]) -> None:
    while (rest := file.readline(LINE_MAX_BYTES)) and not rest.endswith(b"\n"):
        pass


def read_head(directory: Path) -> bytes | None:
    """What the head's file holds; None: there is none. Raises OSError."""
    try:
        return read_file(directory / HEAD, 1 << 16)
    except FileNotFoundError:
        return None
