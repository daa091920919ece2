"""Faults in a pgBackRest repository: judged by what pgBackRest itself then restores."""

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

from tests.damaging import Fault, remove, rewrite, truncate
from tests.faults.kinds import REPOSITORY, Kind, flip_any, lengthen_by_bytes
from tests.faults.programs import OURS, PGBACKREST, Said, ask_us, changed, settle
from tests.faults.trial import Tried, score, tried
from tests.fix_backup_tools import Story
from tests.tool_damages import Copy, pgbackrest_on, run
from tests.truth.damages import empty

_SEGMENT: Final = re.compile(r"[0-9A-F]{24}(?=-)")
_COMPLAINS: Final = re.compile(r"status: error|ERROR|WARN")


def _in_segment(fault: Fault) -> Kind:
    name = f"a segment: {_NAMES[fault]}"
    return Kind(REPOSITORY, name, lambda root, rng, label: fault(
        rng.choice(_copy(root, label).segments()[-5:-2]), rng))  # fmt: skip


def _in_file(fault: Fault) -> Kind:
    name = f"a file of a backup: {_NAMES[fault]}"
    return Kind(REPOSITORY, name, lambda root, rng, label: fault(
        rng.choice(sorted(path for path in _copy(root, label).files() if path.stat().st_size)),
        rng))  # fmt: skip


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
KINDS: Final = (
    Kind(REPOSITORY, "untouched", lambda root, rng, label: None, healthy=True),
    *map(_in_segment, _NAMES),
    *map(_in_file, _NAMES),
    Kind(REPOSITORY, "`backup.manifest` and its copy: a bit", _in_both_manifests),
    Kind(REPOSITORY, "`archive.info` or `backup.info` and its copy: a bit", _in_both_infos),
)


@dataclass
class Repositories:
    """A sound repository of a real cluster; faults are put into copies."""

    story: Story
    home: Path  # in memory: a restore writes a thousand files, each to the disk

    @cached_property
    def source(self) -> Path:
        copy = Path(shutil.copytree(self.story.places[0].url, self.home / "repo", symlinks=True))
        for path in (copy, *copy.rglob("*")):
            self.story.account.own(path)
        return copy

    @cached_property
    def label(self) -> str:
        """The newest backup of the first timeline."""
        (opened,) = self.story.open(1).opened
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
        status, text = run(self.story, [*pgbackrest_on(copy), "verify"])
        said = {
            OURS: ask_us("--repository", copy, "--backup-depth", "checksums"),
            PGBACKREST: Said(found=bool(status or _COMPLAINS.search(text)), text=text),
        }
        segments = [found[0] for name in names if (found := _SEGMENT.search(name))]
        if segments:
            (segment,) = segments
            sound, now = (self._get(root, copy.parent, segment) for root in (self.source, copy))
            harmful = sound != now
        else:
            harmful = not kind.healthy and self.usual != self._restore(copy, copy.parent)
        shown = [*segments, *(_as_shown(name, self.label) for name in names)]
        scores = {program: score(one, shown, None) for program, one in said.items()}
        return tried(kind, seed, harmful, not kind.healthy, scores, said)

    def _get(self, root: Path, home: Path, segment: str) -> bytes | None:
        """A segment as `archive-get` hands it over; None: it does not."""
        into = home / "segment"
        into.unlink(missing_ok=True)
        data = self.story.home / "c" / "data"
        words = [f"--pg1-path={data}", "archive-get", segment, str(into)]
        status, _ = run(self.story, [*pgbackrest_on(root), *words])
        return into.read_bytes() if not status and into.is_file() else None

    def _restore(self, root: Path, home: Path) -> str | None:
        """A digest of all that `restore` of the backup lays down; None: it fails."""
        into = self.story.account.make_directory(home / "restored")
        words = [f"--pg1-path={into}", f"--set={self.label}", "--type=none", "restore"]
        status, _ = run(self.story, [*pgbackrest_on(root), *words])
        digest = hashlib.sha256()
        for path in sorted(each for each in into.rglob("*") if each.is_file()):
            if path.name not in ("postgresql.auto.conf", "recovery.signal"):
                digest.update(os.fsencode(path.relative_to(into)) + b"\0" + path.read_bytes())
        shutil.rmtree(into)
        return None if status else digest.hexdigest()


def _as_shown(name: str, label: str) -> str:
    """How a file of the repository is called by who speaks of the backup's."""
    inside = name.partition(f"{label}/pg_data/")[2].removesuffix(".lz4")
    return inside or name.rpartition("/")[2].removesuffix(".copy")
