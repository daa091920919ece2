"""Faults in compressed tars: judged by gzip, zstd and lz4 themselves, by tar and pg_verifybackup.

A tar that its compressor's own program unpacks without complaint, to the same bytes, is sound.
Where it unpacks other bytes, tar and pg_verifybackup say what is wrong with them.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Final

from tests.damaging import Fault, remove, rewrite, truncate
from tests.faults.ground import Ground
from tests.faults.kinds import PACKED, Kind, flip_any, lengthen_by_bytes, zero_page
from tests.faults.programs import (
    OURS,
    UNPACKERS,
    Said,
    ask_us,
    changed,
    link_copy,
)
from tests.faults.programs import run as run_program
from tests.faults.trial import Tried, score, tried

# How it is called, and what makes it: all read from stdin to stdout.
_PROGRAMS: Final = {"gz": "gzip", "zst": "zstd", "lz4": "lz4"}


def _base(root: Path) -> Path:
    (found,) = root.glob("base.tar.*")
    return found


def _is_there(root: Path) -> bool:
    return any(root.glob("base.tar.*"))


def _compressed(name: str, data: bytes, *options: str) -> bytes:
    command = [_PROGRAMS[name], "-c", *options]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def _in_streams(root: Path, rng: Random, first: str) -> None:
    """Two streams after each other, each of another level: what appending makes, and pigz."""
    path = _base(root)
    name = path.suffix[1:]
    unpacked = [_PROGRAMS[name], "-dc", path]
    data = subprocess.run(unpacked, capture_output=True, check=True).stdout
    at = rng.randrange(len(data))
    rewrite(
        path, _compressed(name, data[:at], f"-{rng.randrange(1, 5)}") + _compressed(name, data[at:])
    )


def _in_base(fault: Fault) -> object:
    return lambda root, rng, first: fault(_base(root), rng)


KINDS: Final = tuple(
    kind
    for name in _PROGRAMS
    for kind in (
        Kind(PACKED, f"`{name}`: untouched", lambda root, rng, first: None, healthy=True),
        Kind(PACKED, f"`{name}`: in two streams", _in_streams, healthy=True),
        *(
            Kind(PACKED, f"`{name}`: {said}", _in_base(fault))  # type: ignore[arg-type]
            for said, fault in {
                "a bit": flip_any, "cut": truncate, "half a page of zeros": zero_page,
                "lengthened": lengthen_by_bytes, "removed": remove,
            }.items()
        ),
    )
)  # fmt: skip


@dataclass
class Packed:
    """The tar backup of the evidence, compressed in each way; faults are put into copies."""

    ground: Ground

    @cached_property
    def sources(self) -> dict[str, Path]:
        return {name: self._pack(name) for name in _PROGRAMS if shutil.which(_PROGRAMS[name])}

    @cached_property
    def sound(self) -> bytes:
        return (self.ground.tar / "base.tar").read_bytes()

    def _pack(self, name: str) -> Path:
        into = self.ground.home / f"packed-{name}"
        shutil.copytree(self.ground.tar, into)
        for path in into.glob("*.tar"):
            packed = path.with_name(f"{path.name}.{name}")
            packed.write_bytes(_compressed(name, path.read_bytes()))
            path.unlink()
        return into

    def try_one(self, kind: Kind, seed: int) -> Tried:
        source = self.sources[kind.name.split("`")[1]]
        home = Path(tempfile.mkdtemp(prefix="f", dir=self.ground.home))
        home.chmod(0o755)
        try:
            copy = home / "copy"
            link_copy(source, copy)
            kind.damage(copy, Random(f"{kind.part} {kind.name} {seed}"), "")
            copy.chmod(0o755)
            names = changed(source, copy)
            if not _is_there(copy):
                names.append("base.tar")  # how what is not there was compressed, nobody can know
            said = {
                OURS: ask_us("--archive", self.ground.archive, "--backup", copy,
                             "--backup-depth", "checksums", "--depth", "names"),
                UNPACKERS: self._unpack(source, copy),
            }  # fmt: skip
            harmful = said[UNPACKERS].found
            scores = {program: score(one, names, None) for program, one in said.items()}
            return tried(kind, seed, self.ground.major, harmful, False, scores, said)
        finally:
            shutil.rmtree(home)

    def _unpack(self, source: Path, copy: Path) -> Said:
        path = copy / _base(source).name
        program = _PROGRAMS[path.suffix[1:]]
        done = subprocess.run([program, "-dc", path], capture_output=True, check=False)
        text = done.stderr.decode(errors="replace")
        if done.returncode or done.stdout == self.sound:
            return Said(found=done.returncode != 0, text=text)
        into = copy.parent / "unpacked"
        into.mkdir()
        tar = subprocess.run(
            ["tar", "-xf", "-", "-C", into], input=done.stdout, capture_output=True, check=False
        )
        shutil.copy(copy / "backup_manifest", into)
        verified = run_program(self.ground, "pg_verifybackup", "-n", into)
        text += tar.stderr.decode(errors="replace") + verified.text
        return Said(found=tar.returncode != 0 or verified.found, text=text)
