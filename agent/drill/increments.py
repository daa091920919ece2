"""Increments of a chain of backups, applied to the files below them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from agent.backups.layers import INCREMENT
from agent.drill.errors import CannotDrill
from parsers.errors import ParseError
from parsers.files.increment import BLOCK_BYTES, FIXED_BYTES, parse_increment
from parsers.sentences import tr

_OF_AN_INCREMENT: Final = b"INCREMENTAL FROM "  # lines of backup_label that a whole backup lacks


def apply_increments(paths: Iterable[Path]) -> set[Path]:
    """Put every increment among these files in its place; tell which files there are then."""
    whole: set[Path] = set()
    for path in paths:
        if not path.name.startswith(INCREMENT):
            whole.add(path)
            continue
        target = path.with_name(path.name.removeprefix(INCREMENT))
        if not target.is_file():
            raise CannotDrill(
                tr("{name} is an increment of a file that no backup below it has", name=path.name)
            )
        try:
            _apply(path, target)
        except ParseError as error:
            why = tr("{name}: {error}: the backup is not whole", name=path.name, error=error)
            raise CannotDrill(why) from None
        path.unlink()
        whole.add(target)
    return whole


def _apply(path: Path, target: Path) -> None:
    with path.open("rb") as increment, target.open("r+b") as file:
        head = parse_increment(increment.read(FIXED_BYTES))
        increment.seek(head.blocks_at)
        numbers = increment.read(4 * head.block_count)
        if len(numbers) < 4 * head.block_count:
            raise ParseError(tr("an increment that is cut short"), offset=head.blocks_at)
        file.truncate(head.file_bytes)
        increment.seek(head.data_at)
        for (number,) in struct.iter_unpack("<I", numbers):
            block = increment.read(BLOCK_BYTES)
            if len(block) < BLOCK_BYTES:
                raise ParseError(tr("an increment that is cut short"), offset=increment.tell())
            file.seek(number * BLOCK_BYTES)
            file.write(block)


def make_label_whole(label: Path) -> None:
    """Take out of backup_label what an increment's says: the server would refuse to start."""
    if label.is_file():
        lines = label.read_bytes().splitlines(keepends=True)
        label.write_bytes(b"".join(line for line in lines if not line.startswith(_OF_AN_INCREMENT)))
