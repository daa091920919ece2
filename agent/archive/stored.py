"""The bytes of one archived file: a file as it is, compressed, or a member of a tar.

Reading a member runs through the tar up to it, which is why a segment inside a tar is read only
when it lies nowhere else.
"""

from __future__ import annotations

import os

from agent.archive.codecs import Content, read_content


def read_stored(directory: str, name: str, limit_bytes: int) -> Content:
    """Read at most `limit_bytes` of a file in `directory`, or of a member of the tar of that name.

    Raises OSError, FileNotFoundError.
    """
    if os.path.isfile(directory):  # noqa: PTH113 - pathlib costs start-up time
        from agent.archive.tar import read_member

        return read_member(directory, name, limit_bytes)
    return read_content(f"{directory}/{name}", limit_bytes)
