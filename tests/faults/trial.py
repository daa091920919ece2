"""One fault: put into a copy, put to each program, and judged by PostgreSQL."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from tests.faults.ground import Ground
from tests.faults.kinds import ARCHIVE, PLAIN, TAR, Kind
from tests.faults.programs import (
    CONTROLDATA,
    OURS,
    PGACTIVITY,
    VERIFYBACKUP,
    WALDUMP,
    Listing,
    Said,
    ask_pgactivity,
    ask_us,
    changed,
    first_difference,
    has_pgactivity,
    link_copy,
    list_records,
    run,
    settle,
)

_ALWAYS_RESTORED: Final = 25  # of so many seeds one is restored where nothing is disputed, too
_USUAL: Final = 10  # of so many seeds one is of segments of 16 MiB, the others of 1 MiB


class Score(NamedTuple):
    """What of one fault a program said; None: it has no answer to that."""

    found: bool
    named: bool
    placed: bool | None


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One fault, and what was made of it."""

    part: str
    kind: str
    seed: int
    major: int  # whose evidence it is
    harmful: bool  # a restore reads other bytes than it should, or none
    restored: bool  # a real server was asked
    scores: dict[str, Score] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)

    @property
    def wrong(self) -> bool:
        """We missed it, or saw harm where none is."""
        return self.scores[OURS].found is not self.harmful


@dataclass
class Campaign:
    """The sound evidence, and what is known of it."""

    ground: Ground

    @cached_property
    def sound(self) -> Listing:
        return list_records(self.ground, self.ground.archive)

    @cached_property
    def sound_end(self) -> str | None:
        end = self.ground.restore(self.ground.archive)
        assert end is not None
        return end

    def try_one(self, kind: Kind, seed: int) -> Tried:
        source = {ARCHIVE: self.ground.archive, PLAIN: self.ground.plain, TAR: self.ground.tar}
        judge = {ARCHIVE: self._archive, PLAIN: self._plain, TAR: self._tar}[kind.part]
        home = Path(tempfile.mkdtemp(prefix="f", dir=self.ground.home))
        home.chmod(0o755)
        try:
            copy = home / "copy"
            link_copy(source[kind.part], copy)
            kind.damage(copy, Random(f"{kind.part} {kind.name} {seed}"), self.ground.first)
            copy.chmod(0o755)
            return judge(kind, seed, copy)
        finally:
            shutil.rmtree(home)

    # -- archives --------------------------------------------------------------------------------

    def _archive(self, kind: Kind, seed: int, copy: Path) -> Tried:
        ground = self.ground
        names = changed(ground.archive, copy)
        settle(copy)
        said = {
            OURS: ask_us("--archive", copy, "--backup", ground.plain, "--backup-depth", "label")
        }
        needed = not ground.usual and any(not (copy / name).is_file() for name in names)
        differs = needed and not kind.healthy
        if not differs:  # else it waits five seconds for what is not there
            listing = list_records(ground, copy)
            said[WALDUMP] = listing.said
            differs = listing.said.found or listing.lines != self.sound.lines
        if has_pgactivity() and ground.usual:  # it knows no other size
            said[PGACTIVITY] = ask_pgactivity(copy)
        asked = differs is not said[OURS].found or seed % _ALWAYS_RESTORED == 0
        if kind.healthy:
            harmful, asked = False, False
        elif asked:
            harmful = ground.restore(copy) != self.sound_end
        else:
            harmful = differs
        place = self._placed(copy, names)
        scores = {program: score(one, names, place(one)) for program, one in said.items()}
        if PGACTIVITY in scores:
            scores[PGACTIVITY] = scores[PGACTIVITY]._replace(placed=None)
        return tried(kind, seed, ground.major, harmful, asked, scores, said)

    def _placed(self, copy: Path, names: list[str]) -> Callable[[Said], bool | None]:
        """Whether an answer says the place: the segments that are missing, or the record."""
        absent = {name for name in names if not (copy / name).is_file()}
        if absent:
            return lambda said: (
                bool(absent & said.gap) if said.gap else any(n in said.text for n in absent)
            )
        if not names:
            return lambda said: None
        (name,) = names
        old, new = ((root / name).read_bytes() for root in (self.ground.archive, copy))
        if len(old) != len(new):
            return lambda said: None  # the size says it all
        size = self.ground.segment_bytes
        number = int(name[8:16], 16) * ((1 << 32) // size) + int(name[16:], 16)
        at = number * size + first_difference(old, new)
        begin = self.sound.start_before(at)
        return lambda said: any(begin <= lsn <= at for lsn in said.lsns)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """The files of the plain backup, and their inodes."""
        root = self.ground.plain
        files = (path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)): path.stat().st_ino for path in files}

    def _changed(self, copy: Path) -> list[str]:
        """As `changed`, of links to a thousand files: one look at each."""
        return sorted(
            name for name, number in self._numbers.items() if not _is_link(copy / name, number)
        )

    # -- backups ---------------------------------------------------------------------------------

    def _plain(self, kind: Kind, seed: int, copy: Path) -> Tried:
        names = self._changed(copy)
        said = {
            OURS: self._ask_us_of(copy),
            VERIFYBACKUP: run(self.ground, "pg_verifybackup", "-n", copy),
        }
        if "pg_control" in kind.name:
            said[CONTROLDATA] = run(self.ground, "pg_controldata", copy)
        told = said[VERIFYBACKUP].found
        asked = told is not said[OURS].found
        harmful = told
        if kind.healthy:
            harmful = False
        elif asked:
            harmful = self.ground.restore(self.ground.archive, copy) != self.sound_end
        scores = {program: score(one, names, None) for program, one in said.items()}
        restored = asked and not kind.healthy
        return tried(kind, seed, self.ground.major, harmful, restored, scores, said)

    def _ask_us_of(self, copy: Path) -> Said:
        archive = self.ground.archive
        return ask_us(
            "--archive", archive, "--backup", copy, "--backup-depth", "checksums",
            "--depth", "names",
        )  # fmt: skip

    def _tar(self, kind: Kind, seed: int, copy: Path) -> Tried:
        names = changed(self.ground.tar, copy)
        said = {OURS: self._ask_us_of(copy), VERIFYBACKUP: self._unpack_and_verify(copy)}
        harmful = said[VERIFYBACKUP].found
        if names == ["base.tar"] and (copy / "base.tar").exists():
            names += self._members(copy)
        scores = {program: score(one, names, None) for program, one in said.items()}
        return tried(kind, seed, self.ground.major, harmful, False, scores, said)

    def _members(self, copy: Path) -> list[str]:
        """The members of a tar that has its length in which the bytes differ."""
        old, new = (self.ground.tar / "base.tar").read_bytes(), (copy / "base.tar").read_bytes()
        at = first_difference(old, new)
        with tarfile.open(self.ground.tar / "base.tar") as whole:
            ends = [(each.offset_data + each.size + 511, each.name) for each in whole]
        return [name.removeprefix("./") for end, name in ends if end >= at][:1]

    def _unpack_and_verify(self, copy: Path) -> Said:
        """What tar says, and pg_verifybackup of what tar unpacked: all releases have that."""
        into = copy.parent / "unpacked"
        into.mkdir()
        done = subprocess.run(
            ["tar", "-xf", copy / "base.tar", "-C", into], capture_output=True, text=True,
            errors="replace", check=False,
        )  # fmt: skip
        shutil.copy(copy / "backup_manifest", into)
        verified = run(self.ground, "pg_verifybackup", "-n", into)
        found = done.returncode != 0 or verified.found
        return replace(verified, found=found, text=done.stderr + verified.text)


@dataclass
class Campaigns:
    """Evidence of segments of 16 MiB, and of such of 1 MiB, which cost a fraction."""

    usual: Campaign
    small: Campaign

    def try_one(self, kind: Kind, seed: int) -> Tried:
        return (self.usual if seed % _USUAL == 1 else self.small).try_one(kind, seed)


def _is_link(path: Path, number: int) -> bool:
    try:
        return path.lstat().st_ino == number
    except FileNotFoundError:
        return False


def score(said: Said, names: Iterable[str], placed: bool | None) -> Score:
    """How an answer does on the files that are damaged."""
    named = said.found and any(name in said.text for name in names)
    return Score(said.found, named, placed if said.found or placed is None else False)


def tried(
    kind: Kind, seed: int, major: int, harmful: bool, restored: bool, scores: dict[str, Score],
    said: dict[str, Said],
) -> Tried:  # fmt: skip
    return Tried(
        part=kind.part, kind=kind.name, seed=seed, major=major, harmful=harmful, restored=restored,
        scores=scores, words={program: one.text[:600] for program, one in said.items()},
    )  # fmt: skip
