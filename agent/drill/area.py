"""The scratch area of one drill, and the remains of drills that were killed.

    <base>/pitr-drill-<random>/    0700, of the account that the server runs under
        lock                       held with flock() as long as the drill lives
        data/ tablespaces/ wal/    the restored cluster, its tablespaces, its WAL on the way
        s/                         its socket; /tmp/pitr-sockets-<random> where the path is too long
        server.log

Whoever gets the lock of an area knows that its drill is dead: the kernel lets go of it, whatever
ended the process. An area gets its name only when its lock is held, so that no other drill takes a
young one for remains. A link of the same name in /var/tmp leads to an area that lies elsewhere:
whoever looks for remains finds it, whichever directory it was told.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

from agent.drill.account import DYNAMIC
from agent.drill.errors import CannotDrill
from agent.drill.guardian import AreaGuardian
from agent.postgres.account import Account
from agent.postgres.installation import COPY_PREFIX
from parsers.sentences import tr
from parsers.values import dataclass

PREFIX: Final = "pitr-drill-"
_UNBORN: Final = ".pitr-drill-new-"
_SOCKETS: Final = "pitr-sockets-"
_UNBORN_SECONDS: Final = 60.0  # an area gets its lock and its name within this
_SOCKET_PATH_LIMIT: Final = 107  # sun_path in <sys/un.h>, less its terminating zero
_SOCKET_NAME: Final = ".s.PGSQL.5432.lock"
_SHORT_PLACE: Final = Path("/tmp")
_LINKS: Final = Path("/var/tmp")
# All that a drill puts into its area; beside it a copy of the server's programs.
_ENTRIES: Final = frozenset({
    "lock", "data", "tablespaces", "wal", "s", "server.log", "tool",
    "config_file", "hba_file", "ident_file",
})  # fmt: skip
_GIVEN: Final = re.compile(PREFIX + r"[a-z0-9_]{8}")
_TRIES: Final = 5
_PAUSE_SECONDS: Final = 0.2
_ROUNDS: Final = 20
_QUIT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Where one drill works. Everything that it writes lies in `path` and `sockets`."""

    path: Path
    sockets: Path
    account: Account
    guardian: AreaGuardian

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
    """A new area under `base`, removed at the end. Raises CannotDrill.

    Links on the way there are followed first: the kernel tells where processes work without them.
    """
    area, lock = _make(base.resolve(), account)
    try:
        yield area
    finally:
        _discard(area)
        os.close(lock)


def _make(base: Path, account: Account) -> tuple[Area, int]:
    try:
        for _ in range(_TRIES):
            unborn = Path(tempfile.mkdtemp(prefix=_UNBORN, dir=base))
            path = base / (PREFIX + unborn.name.removeprefix(_UNBORN))
            try:
                sockets = _make_sockets(path)
            except FileExistsError:  # somebody else's, or made to be in the way: take another name
                unborn.rmdir()
                continue
            try:
                return _bear(unborn, path, sockets, account)
            except BaseException:
                for place in (unborn, sockets):
                    shutil.rmtree(place, ignore_errors=True)
                raise
    except OSError as error:
        raise CannotDrill(
            tr(
                "no scratch area under {base}: {reason}: name a directory that can be written "
                "to with --drill-directory",
                base=base,
                reason=error.strerror,
            )
        ) from None
    raise CannotDrill(
        tr(
            "no free name for a socket directory under {place}: see what is there",
            place=_SHORT_PLACE,
        )
    )


def _bear(unborn: Path, path: Path, sockets: Path, account: Account) -> tuple[Area, int]:
    """Lock an area and give it its name; from then on it is guarded."""
    lock = _lock_new(unborn / "lock")
    try:
        account.own(unborn)
        guardian = AreaGuardian(path, sockets, _LINKS / path.name, account)
        area = Area(path=path, sockets=sockets, account=account, guardian=guardian)
        try:
            unborn.rename(path)
            _link(path)
            for directory in (area.tablespaces, area.wal, sockets):
                account.make_directory(directory)
            _require_entry(area)
        except BaseException:
            _discard(area)
            raise
    except BaseException:
        os.close(lock)
        raise
    return area, lock


def _link(path: Path) -> None:
    """Make an area known outside of its own directory; without it that alone is looked into."""
    if path.parent != _LINKS:
        with contextlib.suppress(OSError):
            (_LINKS / path.name).symlink_to(path)


def _require_entry(area: Area) -> None:
    if not area.account.can_enter(area.path):
        raise CannotDrill(
            tr(
                "the account {account}, which the scratch server runs as, cannot enter "
                "{directory}: name another directory with --drill-directory",
                account=area.account.name,
                directory=area.path.parent,
            )
        )


def _make_sockets(path: Path) -> Path:
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
    return _SHORT_PLACE / (_SOCKETS + path.name.removeprefix(PREFIX))


def _lock_new(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    told = {"pid": os.getpid(), "started_at": datetime.now(UTC).isoformat(timespec="seconds")}
    os.write(lock, json.dumps(told).encode())
    return lock


def _discard(area: Area) -> None:
    _remove(area.path, area.sockets, area.account)
    area.guardian.dismiss()


def _remove(path: Path, sockets: Path, account: Account) -> None:
    """Take an area away. What cannot be removed is left for the next drill."""
    _end_processes(path / "data", account)
    for directory in (sockets, path):
        for _ in range(_TRIES):  # a guardian or another drill may be removing it as well
            shutil.rmtree(directory, ignore_errors=True)
            if not directory.exists():
                break
            time.sleep(_PAUSE_SECONDS)
    link = _LINKS / path.name
    if link.is_symlink() and not path.exists() and _is_owned(link, account):
        link.unlink(missing_ok=True)


# -- what a killed drill left ---------------------------------------------------------------------


def sweep(base: Path, account: Account) -> list[Path]:
    """Remove the areas whose drill is dead, its server with them; tell which.

    Looked into are `base`, the directory where drills work unless told, and what links lead to.
    """
    bases = dict.fromkeys((base.resolve(), default_base().resolve(), _LINKS.resolve(), _LINKS))
    known = dict.fromkeys(path for place in bases for path in _areas_in(place, account))
    removed: list[Path] = []
    for path in known:
        lock = _take(path, account)
        if lock is None:
            continue
        with contextlib.closing(os.fdopen(lock)):
            sockets = path / "s"
            owner = replace(account, uid=path.lstat().st_uid)
            if _is_ours(_short_sockets(path), owner):
                sockets = _short_sockets(path)
            _remove(path, sockets, owner)
        removed.append(path)
    for place in bases:
        for path in place.glob(f"{_UNBORN}*"):
            if _is_ours(path, account) and time.time() - path.stat().st_mtime > _UNBORN_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
    return removed


def _areas_in(place: Path, account: Account) -> Iterator[Path]:
    """What lies in a directory, and what links of ours there lead to."""
    for path in sorted(place.glob(f"{PREFIX}*")):
        if not path.is_symlink():
            yield path
        elif place == _LINKS and _is_owned(path, account):
            area = path.readlink()
            if area.name == path.name and area.is_dir():
                yield area
            elif area.parent.is_dir():  # it was removed by hand
                path.unlink(missing_ok=True)


def _take(path: Path, account: Account) -> int | None:
    """The lock of an area that no process holds; None when its drill lives, or it is not ours."""
    try:
        if not (_is_ours(path, account) and _is_area(path)):
            return None
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


def _is_area(path: Path) -> bool:
    """Whether a drill made it, and nobody else put anything there: any directory may be called so.

    One that is half removed may be empty; then its name is one that mkdtemp() gives.
    """
    names = {entry.name for entry in os.scandir(path)}
    private = stat.S_IMODE(path.stat().st_mode) == 0o700
    ours = all(name in _ENTRIES or name.startswith(COPY_PREFIX) for name in names)
    return private and ours and (bool(names) or _GIVEN.fullmatch(path.name) is not None)


def _is_ours(path: Path, account: Account) -> bool:
    """A real directory of ours or of a server's account: a stranger's is not touched."""
    if not path.is_dir() or path.is_symlink():
        return False
    return _is_owned(path, account) or _is_locked_by_us(path)


def _is_locked_by_us(path: Path) -> bool:
    """Root drills under one account and another: the lock stays its own."""
    try:
        lock = (path / "lock").lstat()
    except OSError:
        return False
    return os.geteuid() == 0 and lock.st_uid == 0 and stat.S_ISREG(lock.st_mode)


def _is_owned(path: Path, account: Account) -> bool:
    try:
        uid = path.lstat().st_uid
    except OSError:
        return False
    return uid in (os.geteuid(), account.uid) or (os.geteuid() == 0 and uid in DYNAMIC)


def _end_processes(data: Path, account: Account) -> None:
    """End what of the scratch server is still there: all its processes work in `data`.

    Not the shell of a person who looks around there: that has a terminal. Told to quit, a server
    gives its shared memory back; what does not listen is killed. One that was killed may have
    started another just before; one that is killed starts none.
    """
    for how in (signal.SIGQUIT, *[signal.SIGKILL] * _ROUNDS):
        found = [each for each in psutil.process_iter() if _works_in(each, data, account)]
        if not found:
            return
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.send_signal(how)
        psutil.wait_procs(found, timeout=_QUIT_SECONDS)


def _works_in(process: psutil.Process, data: Path, account: Account) -> bool:
    try:
        works_there = process.uids().real == account.uid and Path(process.cwd()) == data
        return works_there and process.terminal() is None
    except (psutil.Error, OSError):
        return False
