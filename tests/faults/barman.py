"""Faults in a Barman repository: judged by what `barman recover` lays down, WAL and all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from tests.damaging import Fault, remove, rewrite, truncate
from tests.faults.kinds import BARMAN, Kind, flip_any
from tests.faults.programs import BARMAN_CHECK, Said, ask_us
from tests.faults.repository import Repositories, alike, digest_of
from tests.tool_damages import run
from tests.truth.damages import empty


def _in(pattern: str, fault: Fault) -> object:
    """In a file of the server, or of the backup where the pattern has its label."""

    def damage(root: Path, rng: Random, label: str) -> None:
        (path,) = root.glob(pattern.format(label=label))
        fault(path, rng)

    return damage


def _drop_line(path: Path, rng: Random) -> None:
    """One of a segment that the newest backup of the first timeline needs."""
    lines = path.read_bytes().splitlines(keepends=True)
    needed = [line for line in lines if line.startswith(b"00000001") and b"." not in line[:25]]
    lines.remove(rng.choice(needed[-4:-1]))
    rewrite(path, b"".join(lines))


def _leave_strangers(root: Path, rng: Random, label: str) -> None:
    """What copies that were broken off leave behind."""
    for folder in ("incoming", "streaming", "wals/0000000100000000"):
        (root / "main" / folder / ".tmp.x").write_bytes(rng.randbytes(50))


KINDS: Final = (
    *alike(BARMAN),
    Kind(BARMAN, "strange files beside", _leave_strangers, healthy=True),
    *(
        Kind(BARMAN, f"{name}: {said}", _in(pattern, fault))  # type: ignore[arg-type]
        for name, pattern, faults in (
            ("`backup.info`", "main/base/{label}/backup.info",
             {"a bit": flip_any, "cut": truncate, "empty": empty, "removed": remove}),
            ("`xlog.db`", "main/wals/xlog.db",
             {"a bit": flip_any, "a line removed": _drop_line, "empty": empty, "removed": remove}),
        )
        for said, fault in faults.items()
    ),
)  # fmt: skip


@dataclass
class BarmanRepositories(Repositories):
    """A sound one of a real cluster; faults are put into copies."""

    def ask_us(self, copy: Path) -> Said:
        # A day later: what has no backup.info yet may be a backup that is being taken.
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        return ask_us("--repository", copy, "--backup-depth", "checksums", "--now", tomorrow)

    def verify(self, copy: Path) -> dict[str, Said]:
        runs = [self._barman(copy, each, self.label) for each in ("check-backup", "verify-backup")]
        return {
            BARMAN_CHECK: Said(
                found=any(status for status, _ in runs), text="".join(text for _, text in runs)
            )
        }

    def harms(self, copy: Path, segments: list[str]) -> bool:
        return self.usual != self._restore(copy, copy.parent)

    def _restore(self, root: Path, home: Path) -> str | None:
        into = self.story.account.make_directory(home / "restored")
        status, _ = self._barman(root, "recover", self.label, str(into))
        digest = digest_of(into, ".barman-recover.info")
        shutil.rmtree(into)
        return None if status else digest

    def _barman(self, root: Path, command: str, label: str, *words: str) -> tuple[int, str]:
        """A command with the repository that lies here."""
        own = self.story.account.make_directory(root.parent / f"own-{root.name}")
        config = own / "barman.conf"
        config.write_text(
            self.story.config.read_text()
            .replace(f"barman_home = {self.story.home}/barman", f"barman_home = {root}")
            .replace(f"{self.story.home}/lock", str(own))
        )
        self.story.account.own(config)
        return run(self.story, ["barman", "-c", str(config), command, "main", label, *words])
