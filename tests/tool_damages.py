"""docs/verification.md: each kind of damage, what the tool's own verification says, what we say.

    python -m tests.tool_damages     # writes it, on live repositories of Debian's tools

The repositories are those of tests.fix_backup_tools; each damage is done to a copy.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from agent.postgres.account import server_account
from tests.fix_backup_tools import SECRET, Story, barman_at, pgbackrest_at
from tests.fix_place import new_place

PAGE: Final = Path(__file__).parent.parent / "docs" / "verification.md"
_PROGRAM: Final = Path(sys.executable).with_name("pitr-check")
_HEAD: Final = """\
# What the tools' own verification finds

Each damage was done to a copy of a sound repository, made by Debian's pgBackRest 2.45 and
Barman 3.4 of a PostgreSQL 15; then the tool was asked to verify it, and
`pitr-check --repository URL --backup-depth checksums`. `make tool-damages` makes this page anew,
and a test holds it against what the programs say.
"""


@dataclass(frozen=True)
class Copy:
    """A copy of a repository, to be damaged, and what is in it."""

    root: Path
    story: Story
    label: str  # of the newest backup of the first timeline

    def segments(self) -> list[Path]:
        """Those of timeline 1."""
        return [
            path
            for path in sorted(self.root.rglob("00000001*"))
            if path.is_file() and re.match(r"[0-9A-F]{24}(-|$)", path.name)
        ]

    def segment(self) -> Path:
        """One that the newest backup of timeline 1 needs afterwards."""
        return self.segments()[-3]

    def backup(self) -> Path:
        return next(path for path in self.root.rglob(self.label) if path.is_dir())

    def files(self) -> list[Path]:
        """Those of the backup that hold data."""
        found = (path for path in self.backup().rglob("*") if path.is_file())
        return [path for path in found if "/base/" in str(path) or "/bundle/" in str(path)]

    def file(self) -> Path:
        """A file of the backup with data in it."""
        return max(self.files(), key=lambda path: (path.stat().st_size, path.name))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(*paths: Path) -> None:
    for path in paths:
        path.write_bytes(b"")


def store_twice(path: Path) -> None:
    """The same segment with another content, and its SHA-1 in its name."""
    shutil.copy(path, path.with_name(path.name[:25] + "0" * 40 + path.name[65:]))


Damage = Callable[[Copy], object]
_ALIKE: Final[dict[str, Damage]] = {
    "none": lambda it: None,
    "a segment removed": lambda it: it.segment().unlink(),
    "a segment with a flipped bit": lambda it: flip(it.segment()),
    "a segment cut to half": lambda it: cut(it.segment()),
    "an empty segment": lambda it: empty(it.segment()),
    "a file of a backup with a flipped bit": lambda it: flip(it.file()),
    "a file of a backup removed": lambda it: it.file().unlink(),
    "the folder of a backup removed": lambda it: shutil.rmtree(it.backup()),
}
_OF_PGBACKREST: Final[dict[str, Damage]] = {
    "a segment with two contents": lambda it: store_twice(it.segment()),
    "`backup.info` empty": lambda it: empty(it.root / "backup/main/backup.info"),
    "`backup.info` and its copy empty": lambda it: empty(*it.root.glob("backup/main/backup.info*")),
    "`archive.info` and its copy empty": lambda it: empty(
        *it.root.glob("archive/main/archive.info*")
    ),
}
_OF_BARMAN: Final[dict[str, Damage]] = {
    "`backup.info` empty": lambda it: empty(*it.root.rglob(f"{it.label}/backup.info")),
    "`xlog.db` empty": lambda it: empty(*it.root.rglob("*xlog.db")),
}


class Said(NamedTuple):
    """What a program said."""

    status: int
    words: str


def rows(story: Story, number: int, damages: dict[str, Damage]) -> Iterator[str]:
    """The lines of the table for one repository."""
    source = Path(story.places[number - 1].url)
    (opened,) = story.open(number).opened
    label = sorted(opened.labels())[-2]
    usual: set[str] | None = None  # of the sound repository
    for name, damage in damages.items():
        place = new_place("td-")
        try:
            root = place / source.name
            shutil.copytree(source, root, symlinks=True)
            damage(Copy(root, story, label))
            an_hour_ago = time.time() - 3600  # nothing is being written any more
            for path in root.rglob("*"):
                if path.is_file():
                    os.utime(path, (an_hour_ago, an_hour_ago))
            ours, found = _ask_us(story, number, root)
            usual = found if usual is None else usual
            told = _ask_tool(story, number, root, label)
            said = ", ".join(f"`{each}`" for each in sorted(found - usual)) or "nothing"
            yield f"| {name} | {told.words} | {told.status} | {said} | {ours} |"
        finally:
            shutil.rmtree(place)


def _ask_us(story: Story, number: int, root: Path) -> tuple[int, set[str]]:
    """The exit status, and the findings that are more than information."""
    variable = {"PGBACKREST_REPO1_CIPHER_PASS": SECRET} if number == 2 else {}
    done = subprocess.run(
        [_PROGRAM, "--repository", root, "--backup-depth", "checksums", "--workers", "1",
         "--format", "json"],
        capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **variable}, check=False,
    )  # fmt: skip
    findings = json.loads(done.stdout)["findings"]
    return done.returncode, {each["id"] for each in findings if each["severity"] != "info"}


def _ask_tool(story: Story, number: int, root: Path, label: str) -> Said:
    """pgBackRest's verify; Barman's check-backup, and verify-backup after it."""
    account = story.account
    for path in (root, *root.rglob("*")):
        account.own(path)
    own = account.make_directory(root.parent / "own")
    if story.tool == "pgbackrest":
        words, secret = pgbackrest_on(root), {}
        if number == 2:
            words.append("--repo1-cipher-type=aes-256-cbc")
            secret["PGBACKREST_REPO1_CIPHER_PASS"] = SECRET
        return _summary([run(story, [*words, "verify"], secret)])
    config = own / "barman.conf"
    config.write_text(
        story.config.read_text()
        .replace(f"barman_home = {story.home}/barman", f"barman_home = {root}")
        .replace(f"{story.home}/lock", str(own))
    )
    account.own(config)
    asked = ("check-backup", "verify-backup")
    return _summary(
        [run(story, ["barman", "-c", str(config), each, "main", label]) for each in asked]
    )


def pgbackrest_on(root: Path) -> list[str]:
    """pgBackRest with a repository that lies here."""
    return [
        "pgbackrest", "--no-config", "--stanza=main", f"--repo1-path={root}",
        "--log-level-file=off", "--log-level-console=info", "--job-retry=0",
    ]  # fmt: skip


def run(
    story: Story, command: list[str], more: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, str]:
    """The status of a command of the server's account, and what it printed."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace", check=False,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/tmp", **more},
        **story.account.popen_options(),
    )  # fmt: skip
    return done.returncode, done.stdout


# What of their words tells; all else is names and times.
_TELLING: Final = re.compile(
    r"(?:missing|checksum invalid|size invalid|other)(?=: [1-9])|status: (?:ok|error)"
    r"|No usable [a-z.]+ file|invalid checksum|duplicate|backup successfully verified"
    r"|Unknown backup|does not exist|FAILED|not present on disk|checksum mismatch|has size"
    r"|following WAL files? (?:is|are) missing"
)


def _summary(runs: list[tuple[int, str]]) -> Said:
    """The greatest status, and the telling words, each once."""
    words = dict.fromkeys(word for _, text in runs for word in _TELLING.findall(text))
    return Said(max(status for status, _ in runs), ", ".join(words) or "nothing")


def page(pgbackrest: Story, barman: Story) -> str:
    """The whole page."""
    lines = [_HEAD]
    head = "| damage | the tool says | exit | we say | exit |\n|---|---|---|---|---|"
    parts = (
        ("pgBackRest: `pgbackrest verify`", pgbackrest, 1, _ALIKE | _OF_PGBACKREST),
        ("pgBackRest, encrypted and bundled", pgbackrest, 2, _ALIKE),
        ("Barman: `barman check-backup`, `barman verify-backup`", barman, 1, _ALIKE | _OF_BARMAN),
    )
    for title, story, number, damages in parts:
        lines += [f"## {title}\n", head, *rows(story, number, damages), ""]
    return "\n".join(lines)


def main() -> None:
    """Write the page."""
    account = server_account()
    with contextlib.ExitStack() as stack:
        stories = [stack.enter_context(make(account)) for make in (pgbackrest_at, barman_at)]
        PAGE.write_text(page(*stories))


if __name__ == "__main__":
    main()
