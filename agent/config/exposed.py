"""Secrets that a configuration leaves open: files that every account of the machine can read."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from agent.config.alerts import AlertsConfig
from agent.config.model import ClusterConfig
from agent.printable import printable

log: Final = logging.getLogger("pitr.config")

_SECRET_KEYS: Final = ("password", "sslpassword")


def warn_of_passwords(
    path: Path, clusters: Sequence[ClusterConfig], alerts: AlertsConfig | None = None
) -> None:
    """Say so when one of these files is open to all: of a configuration, and what it names."""
    held = [f"the dsn of {each.name}" for each in clusters if _has_password(each.dsn)]
    files: list[Path] = []
    for receiver in alerts.notify if alerts else ():
        endpoint = receiver.alertmanager or receiver.webhook
        if endpoint is None:
            continue
        if endpoint.url_file is not None:
            files.append(endpoint.url_file)
        elif urlsplit(endpoint.url).password:
            held.append("the url of a receiver")
    for cluster in clusters:
        files += [
            Path(each.passphrase_file) for each in cluster.repositories if each.passphrase_file
        ]
    if held and is_open_to_all(path):
        _warn(path, f"holds a password ({', '.join(held)})")
    warn_of_files(files, "holds a secret")


def warn_of_files(paths: Iterable[Path], what: str) -> None:
    for path in dict.fromkeys(paths):
        if is_open_to_all(path):
            _warn(path, what)


def is_open_to_all(path: Path) -> bool:
    """Whether an account that has nothing to do with it can read the file."""
    try:
        found = path.resolve(strict=True)
        if not found.stat().st_mode & stat.S_IROTH:
            return False
        return all(above.stat().st_mode & stat.S_IXOTH for above in found.parents)
    except OSError:
        return False


def _warn(path: Path, what: str) -> None:
    named = printable(os.fspath(path))
    log.warning(
        "%s %s, and every account of this machine can read it: type  chmod o-rwx %s",
        named, what, named,
    )  # fmt: skip


def _has_password(dsn: str | None) -> bool:
    if not dsn:
        return False
    from psycopg.conninfo import conninfo_to_dict

    return any(map(conninfo_to_dict(dsn).get, _SECRET_KEYS))
