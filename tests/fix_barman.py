"""Barman's newest release, of PyPI, beside Debian's.

pip installs it once into an environment of the system's Python that the account of the test servers
can read, beside the servers that npm brings.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from typing import Final

import pytest

from agent.postgres.account import Account
from tests.fix_backup_tools import Story, barman_at
from tests.fix_tools import lack
from tests.npm_servers import directory

_BARMAN: Final = "barman==3.19.1"
# Without what Barman asks for: psycopg2 would have to be compiled.
_PARTS: Final = ((_BARMAN, "--no-deps"), ("psycopg2-binary==2.9.*", "python-dateutil"))
_PYTHON: Final = "/usr/bin/python3"


@pytest.fixture(scope="session")
def newest_barman_story(account: Account) -> Iterator[Story]:
    with barman_at(account, newest_barman()) as story:
        yield story


def newest_barman() -> str:
    """The path of the program. Where it cannot be installed, the test is skipped."""
    place = directory() / _BARMAN.replace("==", "-")
    whole = place / "whole"
    directory().mkdir(mode=0o755, parents=True, exist_ok=True)
    with (directory() / "barman.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            shutil.rmtree(place, ignore_errors=True)
            try:
                _run(_PYTHON, "-m", "venv", str(place))
                for words in _PARTS:
                    _run(f"{place}/bin/pip", "install", "--quiet", *words)
            except (OSError, subprocess.CalledProcessError):
                lack("Barman 3.19", f"apt-get install python3-venv; pip must find {_BARMAN}")
            whole.touch()
    return f"{place}/bin/barman"


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
