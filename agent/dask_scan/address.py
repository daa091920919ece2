"""Where the scheduler of a Dask cluster is."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from typing import Final

from parsers.sentences import tr

MISSING: Final = tr(
    "it needs Dask's distributed, which is not installed here: type"
    "  {python} -m pip install 'distributed>=2026.8'",
    python=sys.executable,
)
_URL: Final = re.compile(
    r"(?:tcp|tls)://(?:[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:]+\]):([0-9]{1,5})", re.ASCII
)


def scheduler_url(text: object) -> str:
    """Check an address.

    >>> scheduler_url("tcp://10.0.0.7:8786")
    'tcp://10.0.0.7:8786'
    """
    found = _URL.fullmatch(text) if isinstance(text, str) else None
    if found is None or not 0 < int(found[1]) < 1 << 16:
        raise ValueError(
            tr("{text!r} is no scheduler: write tcp://host:8786, or tls://host:8786", text=text)
        )
    return found[0]


def is_installed() -> bool:
    """Whether what asks a scheduler is here."""
    return find_spec("distributed") is not None
