"""What lies where an archive or a backup was named and is neither, and the option that is for it.

Asked once a place could not be read as what its option says, or holds WAL as another tool lays it
out. Nothing here judges: it only names what a person would see, from names and first bytes.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from typing import Final

from agent.repositories.files import Folder, list_folder, read_range
from agent.repositories.recognise import recognise
from agent.repositories.repository import FoundRepo, NotRead
from parsers.segment import parse_wal_name
from rules.model.facts import ArchivedFile

# Folders of repositories, by whose names one is looked for further up.
_IN_REPOSITORIES: Final = frozenset(
    {"archive", "backup", "wals", "base", "incoming", "wal_005", "basebackups_005"}
)
_HEAD_BYTES: Final = 512
_USTAR: Final = slice(257, 262)
_DUMPS: Final = (
    b"PGDMP",
    b"--\n-- PostgreSQL database dump",
    b"--\n-- PostgreSQL database cluster",
)
_TAR_DUMP: Final = b"toc.dat\0"  # its first member
_COMPRESSED_TAR: Final = re.compile(r"\.(tar(\.(gz|bz2|xz|zst|lz4))?|tgz|tbz2?|txz)$")
_BASE_TAR: Final = re.compile(r"base\.tar(\.(gz|bz2|xz|zst|lz4))?$")
_A_DUMP: Final = (
    "is a dump, which no WAL can be replayed onto: point-in-time recovery starts from a base backup"
    " (pg_basebackup)"
)


def in_place_of_archive(url: str) -> str | None:
    """What lies at an --archive that is none, and what to type; None: nothing that is known."""
    for said in _everywhere(url):
        return said
    folder = _folder(url)
    if folder is None:
        return _file_in_place_of_archive(url)
    if any(_BASE_TAR.match(name) for name in folder.files) or "backup_label" in folder.files:
        return f"{url} is a base backup: name it with --backup {url}"
    if _is_data_directory(folder):
        return (
            f"{url} is a server's data directory: name its WAL with --wal {url}, and the archive"
            " that its archive_command writes to with --archive"
        )
    return None


def in_place_of_backup(url: str, option: str) -> str | None:
    """The same of a --backup or --backups."""
    for said in _everywhere(url):
        return said
    folder = _folder(url)
    if folder is None:
        return None
    if _is_data_directory(folder) and "backup_label" not in folder.files:
        if "postmaster.pid" in folder.files:
            return (
                f"{url} is a running server's data directory, not a backup of it: make one with "
                f"pg_basebackup -D DIR, and name its WAL with --wal {url}"
            )
        return None
    if _holds_wal(folder) or any(_is_day(name) for name in folder.folders):
        return (
            f"{url} holds archived WAL: name it with --archive {url}; {option} is for base backups"
        )
    return None


def in_place_of_backups(url: str) -> str | None:
    """The same of a --backups that is a repository whose backups are not read as they lie."""
    found = _repository(url)
    if found is None or found.tool == "Barman":
        return None
    return f"{url} is a repository of {found.tool}: name it with --repository {found.root}"


def in_place_of_repository(url: str) -> str | None:
    """The same of a --repository."""
    folder = _folder(url)
    if folder is None:
        return _dump(url)
    if "backup_label" in folder.files or any(_BASE_TAR.match(name) for name in folder.files):
        return f"{url} is a base backup of no tool: name it with --backup {url}"
    if _is_data_directory(folder):
        return f"{url} is a server's data directory: name its WAL with --wal {url}"
    if _holds_wal(folder):
        return f"{url} is an archive of no tool: name it with --archive {url}"
    return _dump(url)


def is_laid_out_by_a_tool(root: str, file: ArchivedFile) -> bool:
    """Whether a file lies as archives of repositories and data directories have it."""
    below = file.path.removeprefix(root).split("/")
    return not {*_IN_REPOSITORIES, "pg_wal"}.isdisjoint(below)


def _everywhere(url: str) -> Iterator[str]:
    """A repository or a dump, wherever it was named."""
    if found := _repository(url):
        yield f"{url} is a repository of {found.tool}: name it with --repository {found.root}"
    if said := _dump(url):
        yield said


def _repository(url: str) -> FoundRepo | None:
    """The repository that a place is, holds or lies in."""
    here = url.rstrip("/") or "/"
    with contextlib.suppress(NotRead, OSError):
        return recognise(here)
    for place in _above(here):
        with contextlib.suppress(NotRead, OSError):
            found = recognise(place)
            if here.startswith(f"{found.root.rstrip('/')}/"):  # not one that lies beside it
                return found
    return None


def _above(url: str) -> Iterator[str]:
    """The folders on the way whose names repositories have, innermost first, and what is above."""
    parts = url.rstrip("/").split("/")
    for index in range(len(parts) - 1, 0, -1):
        if parts[index] in _IN_REPOSITORIES:
            yield "/".join(parts[: index + 1])
            yield "/".join(parts[:index]) or "/"


def _folder(url: str) -> Folder | None:
    """What lies in a folder; None for what is no folder or cannot be listed."""
    try:
        return list_folder(url)
    except OSError:
        return None


def _is_data_directory(folder: Folder) -> bool:
    return "PG_VERSION" in folder.files and "global" in folder.folders


def _holds_wal(folder: Folder) -> bool:
    return any(parse_wal_name(name) for name in _some(folder.files))


def _some(names: Iterable[str]) -> Iterator[str]:
    return (name for _, name in zip(range(1000), names, strict=False))


def _is_day(name: str) -> bool:
    return re.fullmatch(r"\d{4}(-?\d\d){0,2}|[0-9A-F]{16}", name) is not None


def _dump(url: str) -> str | None:
    """Of pg_dump, in any of its formats."""
    folder = _folder(url)
    if folder is None:
        return f"{url} {_A_DUMP}" if _head(url).startswith((*_DUMPS, _TAR_DUMP)) else None
    if "toc.dat" in folder.files and _head(f"{url}/toc.dat").startswith(_DUMPS):
        return f"{url} {_A_DUMP}"
    dumps = [name for name in _some(folder.files) if _is_dump_name(name)]
    if dumps and _head(f"{url}/{dumps[0]}").startswith(_DUMPS):
        return f"{url}/{dumps[0]} {_A_DUMP}"
    return None


def _is_dump_name(name: str) -> bool:
    return name.endswith((".sql", ".dump", ".dmp", ".pgdump", ".backup", ".custom"))


def _head(url: str) -> bytes:
    try:
        return read_range(url, 0, _HEAD_BYTES)
    except OSError:
        return b""


def _file_in_place_of_archive(url: str) -> str | None:
    """A single file, where WAL is expected in a directory."""
    name = url.rpartition("/")[2]
    head = _head(url)
    if not head:
        return None
    if parse_wal_name(name):
        directory = url.rpartition("/")[0] or "."
        return f"{url} is one WAL file: name the directory that holds them, --archive {directory}"
    if _BASE_TAR.match(name):
        return f"{url} is a base backup: name it with --backup {url}"
    if _COMPRESSED_TAR.search(name) or head[_USTAR] == b"ustar":
        return (
            f"{url} is a tar, which is not read as an archive: unpack it and name the directory; "
            f"if it is a base backup, name it with --backup {url}"
        )
    return None
