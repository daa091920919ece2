"""The names of scratch areas, by which others leave them alone: what lies there is no backup.

Apart from `area`, which gives them, for whoever lists archives and need not load all that.
"""

from __future__ import annotations

from typing import Final

_PREFIXES: Final = ("pitr-drill-", ".pitr-drill-new-")


def is_scratch(name: str) -> bool:
    """Whether a directory of this name is a drill's scratch area."""
    return name.startswith(_PREFIXES)
