"""The account that a server of ours runs under.

PostgreSQL refuses to run as root, so root lends itself an unprivileged account that already
exists: nothing is added to the machine.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path
from typing import Any, Final

from parsers.sentences import tr
from parsers.values import dataclass

# Preferred first. initdb needs an account with a passwd entry; `nobody` exists everywhere.
_UNPRIVILEGED: Final = ("postgres", "nobody")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who runs the server. `drop` is False when that is already who we are."""

    name: str
    uid: int
    gid: int
    drop: bool

    def popen_options(self) -> dict[str, Any]:
        """Arguments for subprocess that put the child under this account, apart from our Ctrl-C."""
        options: dict[str, Any] = {"cwd": "/", "start_new_session": True, "umask": 0o077}
        if self.drop:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options

    def make_directory(self, path: Path) -> Path:
        """Make a 0700 directory that this account owns."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.own(path)
        return path

    def own(self, path: Path) -> None:
        """Give one file or directory to this account, never what a link there leads to."""
        if self.drop:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def can_enter(self, directory: Path) -> bool:
        """Tell whether this account can go into `directory`, by doing it."""
        try:
            subprocess.run(
                ["/bin/sh", "-c", 'cd "$1"', "sh", directory],
                capture_output=True,
                check=True,
                **self.popen_options(),
            )
        except (OSError, subprocess.CalledProcessError):
            return False
        return True

    def can_run(self, program: Path) -> bool:
        """Tell whether this account can start `program`, by doing it."""
        try:
            subprocess.run(
                [program, "--version"], capture_output=True, check=True, **self.popen_options()
            )
        except (OSError, subprocess.CalledProcessError):
            return False
        return True


def server_account() -> Account:
    """The account for a server of ours: an unprivileged one for root, else our own.

    Raises LookupError, with a line for a person, where there is none.
    """
    uid = os.geteuid()
    if uid != 0:
        return Account(name=_own_name(uid), uid=uid, gid=os.getegid(), drop=False)
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid, drop=True)
    raise LookupError(
        tr(
            "PostgreSQL does not run as root, and none of {accounts} exists: "
            "run this as an ordinary user",
            accounts=", ".join(_UNPRIVILEGED),
        )
    )


def own_name() -> str:
    """Who runs this, as `peer` sees it; its number where it has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _own_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise LookupError(
            tr(
                "user {uid} has no passwd entry, and initdb wants one: run this as a user that has",
                uid=uid,
            )
        ) from None
