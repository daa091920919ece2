"""Names of clusters as one segment of a URL's path, whatever is in them.

Browsers take `..` out of a path even as `%2e%2e`, and reverse proxies decode `%2F`: such characters
are quoted twice, so that what is left after one decoding still is one harmless segment.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

# Also what a proxy or a browser may take for a separator or for a directory.
_QUOTED_TWICE: Final = re.compile(r"[%/\\?#;]|^\.{1,2}$")


def path_segment(name: str) -> str:
    """The segment, ready to stand in a link.

    >>> path_segment("a/b"), path_segment(".."), path_segment("é")
    ('a%252Fb', '%252E%252E', '%C3%A9')
    """
    return quote(_QUOTED_TWICE.sub(_quote_all, name), safe="")


def names_meant(segment: str) -> tuple[str, ...]:
    """The names that a decoded segment may stand for: ours first, then one written by hand."""
    return unquote(segment), segment


def _quote_all(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())
