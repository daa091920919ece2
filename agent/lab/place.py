"""The directory that a laboratory works in: temporary and removed, or named and kept."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.lab.errors import BadPlace
from agent.postgres.account import Account
from parsers.sentences import tr

_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9._/+-]+")


@contextlib.contextmanager
def working_directory(account: Account, keep: Path | None, under: Path) -> Iterator[Path]:
    """A directory that the servers' account owns: `keep`, or a new one under `under`.

    Raises BadPlace, and leaves nothing, where the laboratory could not work.
    """
    wanted = (keep or under).absolute()
    if not _PLAIN_PATH.fullmatch(str(wanted)):
        raise BadPlace(
            tr("the path {path} is used unquoted in shell commands", path=wanted),
            next_step=tr("name one of letters, digits and ._-/ only"),
        )
    was_there = keep is not None and wanted.exists()
    with contextlib.ExitStack() as stack:
        try:
            directory = _make(wanted) if keep else Path(tempfile.mkdtemp(prefix="pl-", dir=wanted))
            if not was_there:
                stack.callback(shutil.rmtree, directory, ignore_errors=True)
            directory.chmod(0o755)
            account.own(directory)
        except OSError as error:
            raise BadPlace(
                tr("cannot use {path}: {reason}", path=wanted, reason=error.strerror),
                next_step=tr("name a directory you can write to (--dir or --keep)"),
            ) from None
        if not account.can_enter(directory):
            raise BadPlace(
                tr(
                    "the account {account}, which the servers run as, cannot enter {directory}",
                    account=account.name,
                    directory=directory,
                ),
                next_step=tr("name a directory under a public one, for instance below /tmp"),
            )
        if keep:
            stack.pop_all()
        yield directory


def _make(directory: Path) -> Path:
    """Make the directory that was named. Raises BadPlace if something is in it already."""
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        why = tr("{directory} is not empty", directory=directory)
        raise BadPlace(why, next_step=tr("name a new directory"))
    return directory
