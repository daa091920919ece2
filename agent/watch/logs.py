"""Where the log of a restore lies: the collector's directory, the server's stderr, or a file.

`pg_ctl -l` and Debian's pg_ctlcluster have the server write to a file that no setting names: while
it runs, its open files tell; before and after, only that the file lies where they put it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import psutil

_TRUE: Final = frozenset({"on", "true", "yes", "1", "t", "y"})
_SIGNALS: Final = ("recovery.signal", "standby.signal")
_DEBIANS: Final = "/var/log/postgresql"


def find_log(
    pgdata: Path, settings: Mapping[str, str], postmaster: psutil.Process | None, main: Path
) -> Path | None:
    """The file or directory; None where nothing shows it. `main`: its postgresql.conf."""
    if settings.get("logging_collector", "off").lower() in _TRUE:
        directory = pgdata / settings.get("log_directory", "log")
        return directory if directory.is_dir() else None
    return _open_file(postmaster) if postmaster else _written_since(pgdata, main)


def _open_file(process: psutil.Process) -> Path | None:
    """The file that the postmaster's stderr goes to."""
    for descriptor in ("2", "1"):
        link = Path("/proc", str(process.pid), "fd", descriptor)
        try:
            target = link.readlink()
        except OSError:
            continue
        if target.is_file():
            return target
    return None


def _written_since(pgdata: Path, main: Path) -> Path | None:
    """The newest log that this directory's server may have written.

    A base backup holds the log of the server that it was taken of, if that lay there: one that was
    written to before the directory was made ready is none of this restore. The time of the last
    change of the inode tells, for no copy preserves it.
    """
    since = _made_ready_at(pgdata)
    found: list[tuple[float, Path]] = []
    for path in _candidates(pgdata, main):
        try:
            written = path.stat().st_mtime if path.is_file() else 0.0
        except OSError:
            continue
        if since is not None and written >= since:
            found.append((written, path))
    return max(found)[1] if found else None


def _made_ready_at(pgdata: Path) -> float | None:
    ready = [_changed_at(pgdata / name) for name in _SIGNALS]
    at = [each for each in ready if each is not None]
    return max(at) if at else _changed_at(pgdata / "PG_VERSION")


def _changed_at(path: Path) -> float | None:
    try:
        return path.stat().st_ctime
    except OSError:
        return None


def _candidates(pgdata: Path, main: Path) -> Iterator[Path]:
    yield from pgdata.glob("*.log")
    yield pgdata / "logfile"  # as the manual's examples call it
    if main.parent != pgdata:  # a cluster of Debian's
        link = main.parent / "log"
        version, name = main.parent.parent.name, main.parent.name
        yield link if link.is_symlink() else Path(_DEBIANS, f"postgresql-{version}-{name}.log")
