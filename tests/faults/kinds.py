"""The kinds of faults, and the healthy cases beside them: each damages a copy by a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from tests.damaging import Fault, flip_byte, remove, rewrite, truncate
from tests.truth.damages import KINDS as OF_SEGMENTS

# What is damaged, and by whom it is read.
ARCHIVE: Final = "a segment in an archive"
HISTORY: Final = "a timeline history"
PLAIN: Final = "a plain backup"
TAR: Final = "a tar backup"
PACKED: Final = "a compressed tar backup"
REPOSITORY: Final = "a pgBackRest repository"
ENCRYPTED: Final = "a pgBackRest repository, encrypted and bundled"
BARMAN: Final = "a Barman repository"
OWN: Final = "our own files, and their writers"


@dataclass(frozen=True)
class Kind:
    """One kind of fault. `damage` gets the root of the copy; archives have the first segment."""

    part: str
    name: str
    damage: Callable[[Path, Random, str], object]
    healthy: bool = False  # nothing that a restore needs is touched


def segments(archive: Path) -> list[Path]:
    return sorted(path for path in archive.iterdir() if len(path.name) == 24)


def _in_segment(fault: Fault) -> Callable[[Path, Random, str], object]:
    """In one that recovery reads, with others after it."""

    def damage(archive: Path, rng: Random, first: str) -> None:
        needed = [path for path in segments(archive) if path.name >= first]
        fault(rng.choice(needed[:-1]), rng)

    return damage


def _in_file(fault: Fault, *names: str) -> Callable[[Path, Random, str], object]:
    """In one of these, or in any file with data."""

    def damage(backup: Path, rng: Random, first: str) -> None:
        chosen = [backup / name for name in names] or sorted(
            path
            for folder in ("base", "global")
            for path in (backup / folder).rglob("*")
            if path.is_file() and path.stat().st_size and path.name != "pg_control"
        )
        fault(rng.choice(chosen), rng)

    return damage


def flip_any(path: Path, rng: Random) -> None:
    """One bit of any byte."""
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    rewrite(path, bytes(data))


def lengthen_by_bytes(path: Path, rng: Random) -> None:
    rewrite(path, path.read_bytes() + rng.randbytes(rng.choice((1, 8192))))


def swap(path: Path, rng: Random) -> None:
    """Another file's page in its place, its checksum whole: an older copy, or a lost write."""
    data = bytearray(path.read_bytes())
    pages = len(data) // 8192
    if pages < 2:
        flip_any(path, rng)
        return
    one, other = rng.sample(range(pages), 2)
    at, to = one * 8192, other * 8192
    data[at : at + 8192] = data[to : to + 8192]
    if bytes(data) == path.read_bytes():
        flip_any(path, rng)
        return
    rewrite(path, bytes(data))


def zero_page(path: Path, rng: Random) -> None:
    data = bytearray(path.read_bytes())
    written = [at for at in range(0, len(data), 4096) if any(data[at : at + 4096])]
    at = rng.choice(written)
    data[at : at + 4096] = bytes(len(data[at : at + 4096]))
    rewrite(path, bytes(data))


def remove_last(archive: Path, rng: Random, first: str) -> None:
    for path in segments(archive)[-rng.randrange(1, 4) :]:
        path.unlink()


def prune(archive: Path, rng: Random, first: str) -> None:
    for path in segments(archive):
        if path.name < first and rng.random() < 0.9:
            path.unlink()
        else:
            break


def add_strangers(archive: Path, rng: Random, first: str) -> None:
    """What copies leave behind, beside whole segments."""
    newest = segments(archive)[-1].name
    for name in (f"{newest}.tmp", ".nfs0000001", "README"):
        (archive / name).write_bytes(rng.randbytes(100))


KINDS: Final = (
    Kind(ARCHIVE, "untouched", lambda root, rng, first: None, healthy=True),
    Kind(ARCHIVE, "the newest not there yet", remove_last, healthy=True),
    Kind(ARCHIVE, "the oldest pruned", prune, healthy=True),
    Kind(ARCHIVE, "strange files beside", add_strangers, healthy=True),
    Kind(PLAIN, "untouched", lambda root, rng, first: None, healthy=True),
    Kind(TAR, "untouched", lambda root, rng, first: None, healthy=True),
    *(
        Kind(ARCHIVE, name, _in_segment(OF_SEGMENTS[fault]))
        for name, fault in {
            "removed": "remove", "two removed": "two_removed", "`.partial` instead":
            "partial_instead", "a directory instead": "no_file", "empty": "empty",
            "cut": "truncate", "lengthened": "lengthen", "all zeros": "zeros",
            "zeros from somewhere on": "zero_tail", "a byte in use": "flip_used",
            "a byte of a page header": "flip_header", "a byte after its end": "flip_unused",
            "of another system": "foreign_system", "a neighbour's content": "another_segment",
        }.items()
    ),
    Kind(PLAIN, "a bit of a data file", _in_file(flip_any)),
    Kind(PLAIN, "half a page of zeros", _in_file(zero_page)),
    Kind(PLAIN, "a page of another place", _in_file(swap)),
    Kind(PLAIN, "a data file cut", _in_file(truncate)),
    Kind(PLAIN, "a data file lengthened", _in_file(lengthen_by_bytes)),
    Kind(PLAIN, "a data file removed", _in_file(remove)),
    Kind(PLAIN, "`backup_label`: a byte", _in_file(flip_byte, "backup_label")),
    Kind(PLAIN, "`backup_label` removed", _in_file(remove, "backup_label")),
    Kind(PLAIN, "`backup_manifest`: a byte", _in_file(flip_byte, "backup_manifest")),
    Kind(PLAIN, "`backup_manifest` cut", _in_file(truncate, "backup_manifest")),
    Kind(PLAIN, "`pg_control`: a byte", _in_file(flip_byte, "global/pg_control")),
    Kind(PLAIN, "`pg_control` cut", _in_file(truncate, "global/pg_control")),
    Kind(
        PLAIN, "`pg_control` removed",
        _in_file(remove, "global/pg_control"),
    ),
    Kind(TAR, "`base.tar`: a bit", _in_file(flip_any, "base.tar")),
    Kind(TAR, "`base.tar` cut", _in_file(truncate, "base.tar")),
    Kind(TAR, "`base.tar`: half a page of zeros", _in_file(zero_page, "base.tar")),
    Kind(TAR, "`base.tar` removed", _in_file(remove, "base.tar")),
)  # fmt: skip
