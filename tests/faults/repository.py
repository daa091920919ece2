"""Faults in repositories of pgBackRest, plain and encrypted: judged by what it then restores."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Final

from parsers.repository.pgbackrest import RepositoryManifest, parse_manifest
from tests.damaging import Fault, remove, rewrite, truncate
from tests.faults.ground import MAJOR
from tests.faults.kinds import ENCRYPTED, REPOSITORY, Kind, flip_any, lengthen_by_bytes
from tests.faults.programs import OURS, PGBACKREST, Said, ask_us, changed, settle
from tests.faults.trial import Tried, score, tried
from tests.fix_backup_tools import SECRET, Story
from tests.tool_damages import Copy, pgbackrest_on, run
from tests.truth.damages import empty

_SEGMENT: Final = re.compile(r"[0-9A-F]{24}(?=-|\Z)")
_COMPLAINS: Final = re.compile(r"status: error|ERROR|WARN")


def in_segment(part: str, fault: Fault) -> Kind:
    name = f"a segment: {_NAMES[fault]}"
    return Kind(part, name, lambda root, rng, label: fault(
        rng.choice(_copy(root, label).segments()[-5:-2]), rng))  # fmt: skip


def in_file(part: str, fault: Fault) -> Kind:
    name = f"a file of a backup: {_NAMES[fault]}"

    def damage(root: Path, rng: Random, label: str) -> None:
        files = sorted(path for path in _copy(root, label).files() if path.stat().st_size)
        fault(rng.choice([path for path in files if path.name != "backup.info"]), rng)

    return Kind(part, name, damage)


def _in_both_manifests(root: Path, rng: Random, label: str) -> None:
    """A byte of a backup's manifest and of its copy, which is read in silence instead."""
    path = root / "backup/main" / label / "backup.manifest"
    flip_any(path, rng)
    rewrite(path.with_suffix(".manifest.copy"), path.read_bytes())


def _in_both_infos(root: Path, rng: Random, label: str) -> None:
    """A byte of a file and of its copy, the same one."""
    kind = rng.choice(("archive", "backup"))
    path = root / kind / "main" / f"{kind}.info"
    flip_any(path, rng)
    rewrite(path.with_suffix(".info.copy"), path.read_bytes())


def _copy(root: Path, label: str) -> Copy:
    return Copy(root, None, label)  # type: ignore[arg-type]


_NAMES: Final = {
    remove: "removed", truncate: "cut", empty: "empty", flip_any: "a bit",
    lengthen_by_bytes: "lengthened",
}  # fmt: skip


def alike(part: str) -> tuple[Kind, ...]:
    """What any tool's repository has: segments and files of backups."""
    return (
        Kind(part, "untouched", lambda root, rng, label: None, healthy=True),
        *(in_segment(part, fault) for fault in _NAMES),
        *(in_file(part, fault) for fault in _NAMES),
    )


KINDS: Final = tuple(
    kind
    for part in (REPOSITORY, ENCRYPTED)
    for kind in (
        *alike(part),
        Kind(part, "`backup.manifest` and its copy: a bit", _in_both_manifests),
        Kind(part, "`archive.info` or `backup.info` and its copy: a bit", _in_both_infos),
    )
)


@dataclass
class Repositories:
    """A sound repository of a real cluster; faults are put into copies."""

    story: Story
    home: Path  # in memory: a restore writes a thousand files, each to the disk
    number: int = 1  # 2: the encrypted one

    @cached_property
    def source(self) -> Path:
        place = self.story.places[self.number - 1]
        copy = Path(shutil.copytree(place.url, self.home / f"repo{self.number}", symlinks=True))
        for path in (copy, *copy.rglob("*")):
            self.story.account.own(path)
        return copy

    @cached_property
    def label(self) -> str:
        """The newest backup of the first timeline."""
        (opened,) = self.story.open(self.number).opened
        return sorted(opened.labels())[-2]

    @cached_property
    def usual(self) -> str | None:
        return self._restore(self.source, self.home)

    def try_one(self, kind: Kind, seed: int) -> Tried:
        home = Path(tempfile.mkdtemp(prefix="f", dir=self.home))
        try:
            home.chmod(0o755)
            copy = home / "repo"
            shutil.copytree(self.source, copy, symlinks=True)
            kind.damage(copy, Random(f"{kind.part} {kind.name} {seed}"), self.label)
            settle(copy)
            for path in (home, copy, *copy.rglob("*")):
                self.story.account.own(path)
            return self._judge(kind, seed, copy)
        finally:
            shutil.rmtree(home)

    def _judge(self, kind: Kind, seed: int, copy: Path) -> Tried:
        names = changed(self.source, copy)
        said = {OURS: self.ask_us(copy), **self.verify(copy)}
        segments = [found[0] for name in names if (found := _SEGMENT.search(name))]
        harmful = not kind.healthy and self.harms(copy, segments)
        shown = [*segments, *(each for name in names for each in self._as_shown(name))]
        scores = {program: score(one, shown, None) for program, one in said.items()}
        return tried(kind, seed, MAJOR, harmful, not kind.healthy, scores, said)

    def _as_shown(self, name: str) -> list[str]:
        """How a file of the repository is called by who speaks of the backup's."""
        if "/bundle/" in name:
            number = int(name.rpartition("/")[2])
            return [file.path for file in self._manifest.files if file.bundle == number]
        inside = re.search(rf"{self.label}/(?:pg_data|data)/(.*?)(?:\.lz4)?\Z", name)
        return [inside[1] if inside else name.rpartition("/")[2].removesuffix(".copy")]

    @cached_property
    def _manifest(self) -> RepositoryManifest:
        """The backup's own, as pgBackRest hands it over."""
        place = f"backup/main/{self.label}/backup.manifest"
        command = [
            "pgbackrest", "--no-config", f"--repo1-path={self.source}", "--log-level-file=off",
            "--log-level-console=off", "--repo1-cipher-type=aes-256-cbc", "--stanza=main",
            "repo-get", place,
        ]  # fmt: skip
        status, text = run(self.story, command, {"PGBACKREST_REPO1_CIPHER_PASS": SECRET})
        assert status == 0, text
        return parse_manifest(text.encode())

    # -- what Barman does otherwise --------------------------------------------------------------

    def ask_us(self, copy: Path) -> Said:
        words = ("--repository", copy, "--backup-depth", "checksums")
        if self.number == 1:
            return ask_us(*words)
        os.environ["PGBACKREST_REPO1_CIPHER_PASS"] = SECRET
        try:
            return ask_us(*words)
        finally:
            del os.environ["PGBACKREST_REPO1_CIPHER_PASS"]

    def verify(self, copy: Path) -> dict[str, Said]:
        """What the tool's own verification says."""
        status, text = self._run(copy, "verify")
        return {PGBACKREST: Said(found=bool(status or _COMPLAINS.search(text)), text=text)}

    def harms(self, copy: Path, segments: list[str]) -> bool:
        """Whether the tool lays down other bytes than of the sound repository, or none."""
        if not segments:
            return self.usual != self._restore(copy, copy.parent)
        (segment,) = segments
        sound, now = (self._get(root, copy.parent, segment) for root in (self.source, copy))
        return sound != now

    def _run(self, root: Path, *words: str) -> tuple[int, str]:
        command, secret = pgbackrest_on(root), {}
        if self.number == 2:
            command.append("--repo1-cipher-type=aes-256-cbc")
            secret["PGBACKREST_REPO1_CIPHER_PASS"] = SECRET
        return run(self.story, [*command, *words], secret)

    def _get(self, root: Path, home: Path, segment: str) -> bytes | None:
        """A segment as `archive-get` hands it over; None: it does not."""
        into = home / "segment"
        into.unlink(missing_ok=True)
        data = self.story.home / "c" / "data"
        status, _ = self._run(root, f"--pg1-path={data}", "archive-get", segment, str(into))
        return into.read_bytes() if not status and into.is_file() else None

    def _restore(self, root: Path, home: Path) -> str | None:
        """A digest of all that `restore` of the backup lays down; None: it fails."""
        into = self.story.account.make_directory(home / "restored")
        status, _ = self._run(
            root, f"--pg1-path={into}", f"--set={self.label}", "--type=none", "restore"
        )
        digest = digest_of(into, "postgresql.auto.conf", "recovery.signal")
        shutil.rmtree(into)
        return None if status else digest


def digest_of(directory: Path, *but: str) -> str:
    """Of all files in it, but for those of these names: they say when and whence."""
    digest = hashlib.sha256()
    for path in sorted(each for each in directory.rglob("*") if each.is_file()):
        if path.name not in but:
            digest.update(os.fsencode(path.relative_to(directory)) + b"\0" + path.read_bytes())
    return digest.hexdigest()
