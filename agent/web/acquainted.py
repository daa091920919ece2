"""Who was let in before, so that after a restart he need not queue with whoever guesses passwords.

A password is known again by eight bits of its keyed digest, kept beside the ledger. They admit
nobody, bcrypt still decides: they only say whose turn comes first. Of a flood of guesses one in 256
comes first too, which bcrypt keeps up with; and whoever steals the file has gained a factor of 256,
where a digest of the password would have spared him bcrypt.
"""

from __future__ import annotations

import hmac
import os
from pathlib import Path
from typing import Final

from agent.state_file import StateFile

_KEY_BYTES: Final = 32
_KEY: Final = ("key", "", 0)


class Acquainted:
    """Belongs to one thread. Without a path, until the process ends."""

    def __init__(self, path: Path | None) -> None:
        self._file = StateFile(path, "who was let in")
        self._tags: dict[str, str] = {}
        key = ""
        for kind, name, _, value in self._file.rows():
            if kind == _KEY[0]:
                key = value
            elif kind == "tag":
                self._tags[name] = value
        try:
            self._key = bytes.fromhex(key)
        except ValueError:
            self._key = b""
        if len(self._key) != _KEY_BYTES:
            self._key, self._tags = os.urandom(_KEY_BYTES), {}
            self._file.put(_KEY, self._key.hex())

    def seems(self, name: str, hashed: bytes, password: bytes) -> bool:
        """Whether this may be the password with which `name` was let in last."""
        return self._tags.get(name) == self._tag(name, hashed, password)

    def remember(self, name: str, hashed: bytes, password: bytes) -> None:
        """It was the right one."""
        tag = self._tag(name, hashed, password)
        if self._tags.get(name) != tag:
            self._tags[name] = tag
            self._file.put(("tag", name, 0), tag)
            self._file.save()

    def close(self) -> None:
        self._file.close()

    def _tag(self, name: str, hashed: bytes, password: bytes) -> str:
        said = b"\0".join((hashed, name.encode(), password))
        return hmac.digest(self._key, said, "sha256")[:1].hex()
