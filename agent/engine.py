"""Which engine reads WAL: the compiled one where it was built, else numpy; PITR_ENGINE chooses.

Everything here that scans segments takes `scan_segment` from this module, so that the choice holds
in worker processes too. See `parsers.wal.kernel`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.errors import UsageError
from parsers.sentences import joined, tr
from parsers.wal import kernel
from parsers.wal.kernel import running
from parsers.wal.scan import scan_segment

__all__ = ["check_choice", "engine_lines", "kernel_source", "running", "scan_segment"]

VARIABLE: Final = "PITR_ENGINE"


def _asked_for() -> kernel.Engine | None:
    asked = os.environ.get(VARIABLE)
    return next((engine for engine in kernel.ENGINES if engine == asked), None)


kernel.choose(_asked_for())


def check_choice() -> None:
    """Raise UsageError for a choice that cannot be kept."""
    asked = os.environ.get(VARIABLE)
    if asked and _asked_for() is None:
        raise UsageError(
            tr("{variable}={asked}: choose c or numpy, or unset it", variable=VARIABLE, asked=asked)
        )
    if asked == "c" and kernel.built() is None:
        raise UsageError(
            tr(
                "{variable}=c: the compiled engine is not built (type  pitr-check "
                "--version  to see how to build it, or unset {variable})",
                variable=VARIABLE,
            )
        )


def kernel_source() -> str:
    """Names what the engine that runs was compiled from; empty for numpy."""
    built = kernel.built()
    return str(built.SOURCE) if built is not None and kernel.running() == "c" else ""


def engine_lines() -> Iterator[str]:
    """Say which engine runs; where only the slow one is there, what to type."""
    built = kernel.built()
    if kernel.running() == "c" and built is not None:
        yield tr("WAL engine: compiled ({how})", how=built.CRC)
        return
    if built is not None:
        yield tr("WAL engine: numpy, because {variable} is set to it", variable=VARIABLE)
        return
    missing = list(_missing())
    why = tr(" ({missing})", missing=joined(tr(" and "), missing)) if missing else ""
    yield tr(
        "WAL engine: numpy; the compiled one, about ten times as fast, was not built{why}", why=why
    )
    yield tr("To build it, type:")
    if missing:
        yield f"  {_packages()}"
    yield f"  {_reinstall()}"


def _missing() -> Iterator[str]:
    compilers = (os.environ.get("CC") or "cc", "gcc", "clang")
    if not any(shutil.which(name.split()[0]) for name in compilers):
        yield tr("no C compiler")
    if not _header().is_file():
        yield tr("no {header}", header=_header())


def _header() -> Path:
    import sysconfig

    return Path(sysconfig.get_path("include"), "Python.h")


def _packages() -> str:
    """Of Debian: elsewhere they have other names."""
    headers = "" if _header().is_file() else " python3-dev"
    return f"apt-get install gcc libc6-dev{headers}"


def _reinstall() -> str:
    """The command that installs this program again, from where it came."""
    import json
    import shlex
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import unquote, urlsplit

    pip = f"{shlex.quote(sys.executable)} -m pip install --force-reinstall --no-deps"
    try:
        origin = json.loads(distribution("pitr-agent").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        origin = {}
    source = unquote(urlsplit(origin.get("url", "")).path)
    if "dir_info" in origin and source:
        editable = "-e " if origin["dir_info"].get("editable") else ""
        return f"{pip} {editable}{shlex.quote(source)}"
    return f"{pip} --no-cache-dir --no-binary pitr-agent pitr-agent"
