"""What each program says of evidence: ours, PostgreSQL's own, and others'."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import time
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from agent.cli.check import main as pitr_check
from parsers.lsn import parse_lsn
from tests.faults.ground import Ground
from tests.faults.kinds import segments

OURS: Final = "pitr-check"
WALDUMP: Final = "pg_waldump"
VERIFYBACKUP: Final = "pg_verifybackup"
CONTROLDATA: Final = "pg_controldata"
PGACTIVITY: Final = "check_pgactivity"
UNPACKERS: Final = "gzip, zstd, lz4"
PGBACKREST: Final = "pgbackrest verify"
BARMAN_CHECK: Final = "barman verify-backup"
_LSN: Final = re.compile(r"\b[0-9A-F]{1,8}/[0-9A-F]{1,8}\b")
_UNLISTED: Final = "repository_backup_unlisted"  # as information: a backup may be being taken
_PLUGIN: Final = Path(
    os.environ.get("CHECK_PGACTIVITY", "/usr/lib/nagios/plugins/check_pgactivity")
)
_KNOWN_MAGIC: Final = (0xD10D).to_bytes(2, "little")  # 14, the newest that its release 2.6 knows


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a program made of a copy: whether it complained, and in which words."""

    found: bool
    text: str = ""
    lsns: frozenset[int] = frozenset()
    gap: frozenset[str] = frozenset()  # the segments that it calls missing: first and last of each


def ask_us(*words: object) -> Said:
    """pitr-check; what it says beyond information is a complaint."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        status = pitr_check([*map(str, words), "--workers", "1", "--format", "json"])
    return heard(status, json.loads(out.getvalue()))


def heard(status: int, document: dict[str, Any]) -> Said:
    """A document of pitr-check as an answer."""
    findings = document["findings"]
    told = [each for each in findings if each["severity"] != "info" or each["id"] == _UNLISTED]
    damaged = [each for archive in document["archives"] for each in archive["damaged"]]
    gaps = [each for archive in document["archives"] for each in archive["gaps"]]
    return Said(
        found=status != 0 or bool(told),
        text=json.dumps([told, damaged, gaps]),
        lsns=frozenset(parse_lsn(each["lsn"]) for each in damaged if each["lsn"]),
        gap=frozenset(name for each in gaps for name in (each["first"], each["last"])),
    )


def ask(ground: Ground, program: str, *words: object) -> subprocess.CompletedProcess[str]:
    """One of PostgreSQL's programs."""
    return subprocess.run(
        [ground.installation.program(program), *map(str, words)],
        capture_output=True, text=True, errors="replace", check=False,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
    )  # fmt: skip


def run(ground: Ground, program: str, *words: object) -> Said:
    done = ask(ground, program, *words)
    assert done.returncode >= 0, done  # a program that crashes says nothing of what it was given
    complained = done.returncode != 0 or "WARNING" in (done.stdout + done.stderr).upper()
    return Said(found=complained, text=done.stderr + done.stdout if complained else "")


@dataclass(frozen=True)
class Listing:
    """The records from the backup's first segment to the newest that is there."""

    lines: tuple[str, ...]
    said: Said

    @cached_property
    def starts(self) -> list[int]:
        """Where the records begin."""
        return [_lsn(line) for line in self.lines]

    def start_before(self, lsn: int) -> int:
        """Where the record begins that a byte belongs to; 0: there is none before it."""
        number = bisect_right(self.starts, lsn)
        return self.starts[number - 1] if number else 0


def _lsn(line: str) -> int:
    found = re.search(r"lsn: (\S+),", line)
    return parse_lsn(found[1]) if found else 0


def list_records(ground: Ground, archive: Path) -> Listing:
    last = segments(archive)[-1].name
    done = ask(ground, "pg_waldump", "-p", archive, ground.first, last)
    said = Said(
        found=done.returncode != 0,
        text=done.stderr,
        lsns=frozenset(map(parse_lsn, _LSN.findall(done.stderr))),
    )
    return Listing(tuple(line for line in done.stdout.splitlines() if "rmgr: " in line), said)


def has_pgactivity() -> bool:
    return _PLUGIN.exists()


def ask_pgactivity(archive: Path) -> Said:
    """check_pgactivity on a copy whose newest segment says that it is of 14.

    It reads nothing else of any segment, and gives up where it does not know the release.
    """
    newest = segments(archive)[-1]
    data, times = newest.read_bytes(), newest.stat()
    known = newest.with_name("known")
    known.write_bytes(_KNOWN_MAGIC + data[2:])
    os.utime(known, ns=(times.st_atime_ns, times.st_mtime_ns))
    newest.rename(archive / "kept")
    known.rename(newest)
    done = subprocess.run(
        [_PLUGIN, "--service", "archive_folder", "--path", archive, "--warning", "900d",
         "--critical", "999d", "--format", "human"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    (archive / "kept").rename(newest)
    return Said(found=done.returncode != 0, text=done.stdout + done.stderr)


def link_copy(source: Path, copy: Path) -> None:
    """A copy whose files are the source's until they are rewritten."""
    shutil.copytree(source, copy, copy_function=os.link, symlinks=True)


def changed(source: Path, copy: Path) -> list[str]:
    """The files of the source that are others in the copy, or not there."""
    names = (str(path.relative_to(source)) for path in source.rglob("*") if path.is_file())
    return sorted(name for name in names if not _is_same(source / name, copy / name))


def _is_same(one: Path, other: Path) -> bool:
    if not other.is_file():
        return False
    return one.samefile(other) or one.read_bytes() == other.read_bytes()


def first_difference(one: bytes, other: bytes) -> int:
    """The offset of the first byte that differs, or at which the shorter one ends."""
    end = min(len(one), len(other))
    at = next((n for n in range(0, end, 4096) if one[n : n + 4096] != other[n : n + 4096]), end)
    return next((n for n in range(at, min(at + 4096, end)) if one[n] != other[n]), end)


SETTLED: Final = time.time() - 3600


def settle(root: Path) -> None:
    """Date all back, and alike, in every copy: they share files, and nothing is being written."""
    for path in root.rglob("*"):
        os.utime(path, (SETTLED, SETTLED))
