"""The scratch area of one drill, and the remains of drills that were killed.

    <base>/pitr-drill-<random>/    0700, of the account that the server runs under
        lock                       held with flock() as long as the drill lives
        data/ tablespaces/ wal/    the restored cluster, its tablespaces, its WAL on the way
        s/                         its socket; /tmp/pitr-drill-<random> where the path is too long
        server.log

Whoever gets the lock of an area knows that its drill is dead: the kernel lets go of it, whatever
ended the process. An area gets its name only when its lock is held, so that no other drill takes a
young one for remains.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

from agent.drill.errors import CannotDrill
from agent.postgres.account import Account

PREFIX: Final = "pitr-drill-"
_UNBORN: Final = ".pitr-drill-new-"
_UNBORN_SECONDS: Final = 60.0  # an area gets its lock and its name within this
_SOCKET_PATH_LIMIT: Final = 107  # sun_path in <sys/un.h>, less its terminating zero
_SOCKET_NAME: Final = ".s.PGSQL.5432.lock"
_SHORT_PLACE: Final = Path("/tmp")
_TRIES: Final = 5
_ROUNDS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Where one drill works. Everything that it writes lies in `path` and `sockets`."""

    path: Path
    sockets: Path
    account: Account

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def tablespaces(self) -> Path:
        return self.path / "tablespaces"

    @property
    def wal(self) -> Path:
        return self.path / "wal"

    @property
    def log(self) -> Path:
        return self.path / "server.log"


def default_base() -> Path:
    """Where drills work unless told: /var/tmp is on a disk where /tmp may be memory."""
    place = Path(os.environ.get("TMPDIR") or "/var/tmp")
    return place if place.is_dir() else Path(tempfile.gettempdir())


@contextlib.contextmanager
def scratch_area(base: Path, account: Account) -> Iterator[Area]:
    """A new area under `base`, removed at the end. Raises CannotDrill."""
    area, lock = _make(base.absolute(), account)
    try:
        yield area
    finally:
        _remove(area)
        os.close(lock)


def _make(base: Path, account: Account) -> tuple[Area, int]:
    try:
        for _ in range(_TRIES):
            unborn = Path(tempfile.mkdtemp(prefix=_UNBORN, dir=base))
            path = base / (PREFIX + unborn.name.removeprefix(_UNBORN))
            try:
                sockets = _make_sockets(path, account)
            except FileExistsError:  # somebody else's, or made to be in the way: take another name
                unborn.rmdir()
                continue
            lock = _lock_new(unborn / "lock")
            account.own(unborn)
            unborn.rename(path)
            area = Area(path=path, sockets=sockets, account=account)
            for directory in (area.tablespaces, area.wal, sockets):
                account.make_directory(directory)
            _require_entry(area)
            return area, lock
    except OSError as error:
        raise CannotDrill(
            f"no scratch area under {base}: {error.strerror}: name a directory that can be written "
            "to with --drill-directory"
        ) from None
    raise CannotDrill(
        f"no free name for a socket directory under {_SHORT_PLACE}: look what is there"
    )


def _require_entry(area: Area) -> None:
    if area.account.can_enter(area.path):
        return
    _remove(area)
    raise CannotDrill(
        f"the account {area.account.name}, which the scratch server runs as, cannot enter "
        f"{area.path.parent}: name another directory with --drill-directory"
    )


def _make_sockets(path: Path, account: Account) -> Path:
    """The socket directory: in the area, unless its path is too long, or no plain word."""
    sockets = path / "s"
    plain = not set(str(sockets)) & set("\"', \\%")
    if plain and len(str(sockets / _SOCKET_NAME)) <= _SOCKET_PATH_LIMIT:
        return sockets
    sockets = _short_sockets(path)
    sockets.mkdir(mode=0o700)
    return sockets


def _short_sockets(path: Path) -> Path:
    """Told by the area's name alone, so that the next drill finds it too."""
    return _SHORT_PLACE / path.name


def _lock_new(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    told = {"pid": os.getpid(), "started_at": datetime.now(UTC).isoformat(timespec="seconds")}
    os.write(lock, json.dumps(told).encode())
    return lock


def _remove(area: Area) -> None:
    """Take the area away. What cannot be removed is left for the next drill."""
    _end_processes(area)
    for directory in (area.sockets, area.path):
        shutil.rmtree(directory, ignore_errors=True)


# -- what a killed drill left ---------------------------------------------------------------------


def sweep(base: Path, account: Account) -> list[Path]:
    """Remove the areas under `base` whose drill is dead, its server with them; tell which."""
    removed: list[Path] = []
    for path in sorted(base.absolute().glob(f"{PREFIX}*")):
        lock = _take(path, account)
        if lock is None:
            continue
        with contextlib.closing(os.fdopen(lock)):
            sockets = path / "s"
            short = _short_sockets(path)
            if short != path and _is_ours(short, account):
                sockets = short
            _remove(Area(path=path, sockets=sockets, account=account))
        removed.append(path)
    for path in base.absolute().glob(f"{_UNBORN}*"):
        if _is_ours(path, account) and time.time() - path.stat().st_mtime > _UNBORN_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
    return removed


def _take(path: Path, account: Account) -> int | None:
    """The lock of an area that nobody holds; None when its drill lives, or it is not ours."""
    if not _is_ours(path, account):
        return None
    try:
        # Without a lock it was half removed: areas get their name when they have one.
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _is_ours(path: Path, account: Account) -> bool:
    """A real directory of ours or of the server's account: a stranger's is not touched."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid in (os.geteuid(), account.uid)


def _end_processes(area: Area) -> None:
    """Kill what of the scratch server is still there: all its processes work in `data`.

    One that was killed may have started another just before; one that is killed starts none.
    """
    for _ in range(_ROUNDS):
        found = [process for process in psutil.process_iter() if _works_in(process, area)]
        if not found:
            return
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=10)


def _works_in(process: psutil.Process, area: Area) -> bool:
    try:
        return process.uids().real == area.account.uid and Path(process.cwd()) == area.data
    except (psutil.Error, OSError):
        return False
