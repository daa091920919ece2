"""Damage to an archive, in used and in unused places: one kind of `plan.DAMAGES` a function."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests import damaging
from tests.damaging import rewrite
from tests.truth.aims import segment_near
from tests.truth.plan import DAMAGES, Trial
from tests.truth.world import World

_FINISHED = 1_600_000_000
Damage = Callable[[Path, random.Random], None]


def damage_archive(trial: Trial, world: World, copy: Path) -> Path | None:
    """A copy of the archive with a trial's damage, or the archive itself; None: no place for it."""
    if trial.damage is None:
        return world.archive
    mark = world.marks.get(trial.damaged_near)
    name = segment_near(mark, world.archive) if mark else None
    if name is None:
        return None
    if trial.damage.startswith("history_") and not list(world.archive.glob("*.history")):
        return None
    subprocess.run(["cp", "-al", str(world.archive), str(copy)], check=True)
    KINDS[trial.damage](copy / name, random.Random(trial.dice))
    for path in copy.iterdir():
        if path.stat().st_nlink == 1:  # new; what changed a moment ago may still be written to
            os.utime(path, (_FINISHED, _FINISHED))
    return copy


def _used(data: bytes) -> int:
    return len(data.rstrip(b"\0"))


def flip_unused(path: Path, rng: random.Random) -> None:
    """In what a switch left empty, or the last byte."""
    data = bytearray(path.read_bytes())
    data[rng.randrange(min(_used(data) + 8, len(data) - 1), len(data))] ^= 0xFF
    rewrite(path, bytes(data))


def flip_header(path: Path, rng: random.Random) -> None:
    """In a page's header."""
    data = bytearray(path.read_bytes())
    pages = max(_used(data) // 8192, 1)
    data[rng.randrange(pages) * 8192 + rng.randrange(24)] ^= rng.choice((1, 0x80, 0xFF))
    rewrite(path, bytes(data))


def empty(path: Path, rng: random.Random) -> None:
    rewrite(path, b"")


def zeros(path: Path, rng: random.Random) -> None:
    rewrite(path, bytes(path.stat().st_size))


def two_removed(path: Path, rng: random.Random) -> None:
    others = sorted(each for each in path.parent.iterdir() if len(each.name) == 24 and each != path)
    path.unlink()
    if others:
        rng.choice(others).unlink()


def partial_instead(path: Path, rng: random.Random) -> None:
    path.rename(path.with_name(f"{path.name}.partial"))


def copied_to_next_timeline(path: Path, rng: random.Random) -> None:
    """A segment under the name of another timeline, where there is none."""
    timeline = int(path.name[:8], 16) + 1
    other = path.with_name(f"{timeline:08X}{path.name[8:]}")
    if not other.exists():
        shutil.copy(path, other)


def named_for_its_parent(path: Path, rng: random.Random) -> None:
    """All that a timeline has up to a segment, under the name of the timeline before it."""
    timeline = int(path.name[:8], 16)
    if timeline == 1:
        return
    for each in path.parent.glob(f"{path.name[:8]}[0-9A-F]*"):
        if len(each.name) == 24 and each.name <= path.name:
            each.replace(each.with_name(f"{timeline - 1:08X}{each.name[8:]}"))


def no_file(path: Path, rng: random.Random) -> None:
    """A directory where the segment should be."""
    path.unlink()
    path.mkdir()


def _of_history(change: Callable[[bytes, random.Random], bytes | None]) -> Damage:
    def damage(path: Path, rng: random.Random) -> None:
        history = rng.choice(sorted(path.parent.glob("*.history")))
        changed = change(history.read_bytes(), rng)
        if changed is None:
            history.unlink()
        else:
            rewrite(history, changed)

    return damage


def _garble(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    lines[at] = rng.choice((b"# a comment\n", b"\n", b"x\t0/1000000\twhy\n", b"1\n", lines[at][:-1],
                            lines[at].replace(b"\n", b"\r\n"), lines[at] * 2))  # fmt: skip
    return b"".join(lines)


def stray_history(path: Path, rng: random.Random) -> None:
    """Of a timeline that left somewhere else, or of one whose parent nobody has."""
    known = sorted(int(each.name[:8], 16) for each in path.parent.glob("*.history"))
    number = (known[-1] if known else 1) + rng.choice((1, 1, 2))
    lsn = rng.randrange(1 << 20, 64 << 20)
    parent = rng.choice((1, number - 1, 77))
    (path.parent / f"{number:08X}.history").write_text(f"{parent}\t0/{lsn:X}\tstray\n")


KINDS: dict[str, Damage] = {
    **{fault.__name__: fault for fault in damaging.FAULTS},
    "flip_used": damaging.flip_byte,
    "history_removed": _of_history(lambda data, rng: None),
    "history_cut": _of_history(lambda data, rng: data[: rng.randrange(len(data))]),
    "history_garbled": _of_history(_garble),
    **{
        damage.__name__: damage
        for damage in (
            flip_unused, flip_header, empty, zeros, two_removed, partial_instead,
            copied_to_next_timeline, no_file, stray_history, named_for_its_parent,
        )
    },
}  # fmt: skip
assert set(DAMAGES) <= set(KINDS)
