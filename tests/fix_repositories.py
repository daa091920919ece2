"""Repositories of other tools, made by the tools themselves, and what real restores from them did.

Some lie in tests/data/repositories; beside the sources there may be more (`shared/samples`), which
are then used as well.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.repositories.opening import RepoPlace, open_repository
from agent.repositories.repository import Repository
from tests.fix_tools import lack
from tests.unpack import unpack_tar

_HERE = Path(__file__).parent / "data" / "repositories"
_FURTHER = Path(__file__).parents[2] / "shared" / "samples" / "foreign"
_READ = ("br_", "bm_", "bc_", "wg_")
KEY = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"  # of wg_zstd_sodium_gap


def _paths() -> dict[str, Path]:
    found = {path.name.removesuffix(".tar.xz"): path for path in _FURTHER.glob("*/*.tar.xz")}
    found |= {path.name.removesuffix(".tar.xz"): path for path in _HERE.glob("*.tar.xz")}
    return {case: path for case, path in sorted(found.items()) if case.startswith(_READ)}


PATHS = _paths()


@dataclass(frozen=True)
class Sample:
    """One repository, unpacked, and its truth."""

    case: str
    root: Path
    truth: dict[str, Any]

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of its repositories."""
        return tuple(n for n in (1, 2) if (self.root / f"repo{n}").exists()) or (1,)

    def url(self, number: int = 1) -> str:
        if self.case.startswith("br_"):
            return str(self.root / f"repo{number}")
        return str(self.root / "bucket" if self.case.startswith("bc_") else self.root)

    def passphrase(self, number: int = 1) -> bytes | None:
        found = (self.truth.get("cipher_pass") or {}).get(str(number))
        return found.encode() if found else None

    @property
    def environment(self) -> dict[str, str]:
        """The secrets, by the tools' own names."""
        named = {f"PGBACKREST_REPO{n}_CIPHER_PASS": self.passphrase(n) for n in self.numbers}
        secrets = {name: value.decode() for name, value in named.items() if value}
        if self.truth.get("key_hex"):
            secrets |= {
                "WALG_LIBSODIUM_KEY": self.truth["key_hex"],
                "WALG_LIBSODIUM_KEY_TRANSFORM": "hex",
            }
        return os.environ | secrets

    def open(self, number: int = 1, label: str | None = None) -> Repository:
        place = RepoPlace(url=self.url(number), number=number, passphrase=self.passphrase(number))
        return open_repository(place, label)


class Samples:
    """The samples, each unpacked once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unpacked: dict[str, Sample] = {}

    def __call__(self, case: str) -> Sample:
        if case not in PATHS:
            lack(f"the sample {case}", "put shared/samples beside the sources", in_ci=False)
        if case not in self._unpacked:
            root = self._folder / case
            unpack_tar(PATHS[case], self._folder / f"{case}.d")
            inside = self._folder / f"{case}.d" / case
            (inside if inside.is_dir() else inside.parent).rename(root)
            truth = PATHS[case].with_name(f"{case}.truth.json")
            self._unpacked[case] = Sample(case, root, json.loads(truth.read_text()))
        return self._unpacked[case]


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    return Samples(tmp_path_factory.mktemp("repositories"))


def look_of(root: Path) -> list[tuple[str, int, int, bytes]]:
    """Every file below a folder: name, mode, time of change and content."""
    found: list[tuple[str, int, int, bytes]] = []
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found.append((str(path), status.st_mode, status.st_mtime_ns, data))
    return found


def check_repository(
    program: Path, *options: str, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """`pitr-check` as a person runs it."""
    command = [str(program), *options, "--workers", "1"]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
