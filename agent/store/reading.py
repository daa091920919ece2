"""Opening one file, wherever it lies. Imports are few on purpose: fetch-wal runs once a segment."""

from __future__ import annotations

import errno
from typing import IO, TYPE_CHECKING

from agent.store.local import WAY_OUT, NotAFile, leaves, open_file
from agent.store.urls import is_remote

if TYPE_CHECKING:
    from agent.store.entries import Version


def open_at(place: str, within: str | None = None, first_bytes: int | None = None) -> IO[bytes]:
    """Open the file of a path here, or of an address. Raises OSError, as open_file does.

    With `within`, a directory or prefix, no link is followed that leads out of it. Of what lies in
    a store `first_bytes` are asked for at once.
    """
    if not is_remote(place):
        return open_file(place, within=within)
    from agent.store.objects import HEAD_BYTES, open_object

    if within is not None and leads_out(place, within):
        raise NotAFile(errno.EXDEV, WAY_OUT, place)
    return open_object(place, first_bytes or HEAD_BYTES)


def leads_out(place: str, root: str) -> bool:
    """Whether a file is a link to what lies outside of `root`. Raises StoreError."""
    if not is_remote(place):
        return leaves(place, root)
    from agent.store.objects import leaves as leaves_host

    return leaves_host(place, root)


def version_read(file: IO[bytes]) -> Version | None:
    """Which version of an object an open file reads; None: of a file here."""
    version: Version | None = getattr(file, "version", None)
    return version
