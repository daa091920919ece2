"""How a caller is told how far the reading of segments is."""

from __future__ import annotations

from typing import Protocol


class OnProgress(Protocol):
    """Told again and again; what it does with it is quick."""

    def __call__(self, done: int, total: int, read_bytes: int = 0, by: str = "", /) -> object:
        """Files done and files in all; bytes of the former as they are stored, and who reads."""
