"""The bytes of one archived file: a file as it is, compressed, or a member of a tar.

Reading a member runs through the tar up to it, which is why a segment inside a tar is read only
when it lies nowhere else.
"""

from __future__ import annotations

from pathlib import Path

from agent.archive.codecs import Content, read_content
from rules.facts import ArchivedFile


def read_stored(file: ArchivedFile, limit_bytes: int) -> Content:
    """Read at most `limit_bytes` of a file's content. Raises OSError, FileNotFoundError."""
    if Path(file.directory).is_file():
        from agent.archive.tar import read_member

        return read_member(file.directory, file.name, limit_bytes)
    return read_content(file.path, limit_bytes)
