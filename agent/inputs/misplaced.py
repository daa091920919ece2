"""What lies where an archive or a backup was named and is neither, and the option that is for it.

Asked once a place could not be read as what its option says, or holds WAL as another tool lays it
out. Nothing here judges: it only names what a person would see, from names and first bytes.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from agent.archive.codecs import read_content
from agent.repositories.files import Folder, list_folder
from agent.repositories.recognise import BARMAN, recognise
from agent.repositories.repository import FoundRepo, NotRead
from agent.store.local import stat_path
from agent.store.urls import is_remote
from parsers.segment import parse_wal_name
from parsers.sentences import tr
from rules.model.facts import ArchivedFile

# Folders of repositories, by whose names one is looked for further up.
_IN_REPOSITORIES: Final = frozenset(
    {"archive", "backup", "wals", "base", "incoming", "streaming", "errors", "wal_005",
     "basebackups_005"}
)  # fmt: skip
_HEAD_BYTES: Final = 512
_USTAR: Final = slice(257, 262)
_DUMPS: Final = (
    b"PGDMP",
    b"--\n-- PostgreSQL database dump",
    b"--\n-- PostgreSQL database cluster",
)
_TAR_DUMP: Final = b"toc.dat\0"  # its first member
_PACKED: Final = r"(\.(gz|bz2|xz|zst|lz4))?"
_DUMP_NAME: Final = re.compile(r".*\.(sql|dump|dmp|pgdump|backup|custom)" + _PACKED)
_TAR_NAME: Final = re.compile(r".*\.(tar" + _PACKED + r"|tgz|tbz2?|txz)")
_BASE_TAR: Final = re.compile(r"base\.tar" + _PACKED)
_CONFIGURATION: Final = re.compile(r"(pgbackrest|barman)\.conf|\.?(walg)\.json|.*\.ya?ml")
_IN_PG_WAL: Final = "archive_status"
_PG_WAL_NAMES: Final = ("pg_wal", "pg_xlog")
_A_DUMP: Final = tr(
    "is a dump, which no WAL can be replayed onto: point-in-time recovery starts from a base backup"
    " (pg_basebackup)"
)
_SOME: Final = 20  # of the folders below, each of which is a question to a store


def in_place_of_archive(url: str) -> str | None:
    """What lies at an --archive that is none, and what to type; None: nothing that is known."""
    if said := _of_a_tool(url):
        return said
    folder = _folder(url)
    if folder is None:
        return _file(url)
    if _is_backup(folder):
        return tr("{url} is a base backup: name it with --backup {url}", url=url)
    if _is_data_directory(folder):
        return tr(
            "{url} is a server's data directory: name its WAL with --wal {url}, "
            "and the archive that its archive_command writes to with --archive",
            url=url,
        )
    if _IN_PG_WAL in folder.folders:
        return tr(
            "{url} is a server's pg_wal: name it with --wal {url}, and the "
            "archive that its archive_command writes to with --archive",
            url=url,
        )
    return _dump_in(url, folder)


def in_place_of_wal(url: str) -> str | None:
    """The same of a --wal."""
    if said := _of_a_tool(url):
        return said
    folder = _folder(url)
    return _file(url, tars=True) if folder is None else _dump_in(url, folder)


def in_place_of_backup(url: str, option: str) -> str | None:
    """The same of a --backup or --backups."""
    if said := _of_a_tool(url):
        return said
    folder = _folder(url)
    if folder is None:
        return _file(url, tars=option == "--backup")
    if _is_data_directory(folder) and "backup_label" not in folder.files:
        if "postmaster.pid" in folder.files:
            return tr(
                "{url} is a running server's data directory, not a backup of it: "
                "make one with pg_basebackup -D DIR, and name its WAL with --wal "
                "{url}",
                url=url,
            )
        return None
    if _IN_PG_WAL in folder.folders:
        return tr(
            "{url} is a server's pg_wal: name it with --wal {url}; {option} is for base backups",
            url=url,
            option=option,
        )
    if _is_archive(url, folder):
        return tr(
            "{url} holds archived WAL: name it with --archive {url}; {option} is for base backups",
            url=url,
            option=option,
        )
    if option == "--backup" and any(_is_backup(below) for _, below in _below(url, folder)):
        return tr("{url} holds base backups: name it with --backups {url}", url=url)
    return _dump_in(url, folder)


def in_place_of_backups(url: str, *, alone: bool = False) -> str | None:
    """The same of a --backups that is a repository whose backups are not read as they lie.

    Barman's are, beside an archive; `alone` says that none was named.
    """
    found = _repository(url)
    return _named(url, found) if found and (alone or found.tool != BARMAN) else None


def in_place_of_repository(url: str) -> str | None:
    """The same of a --repository."""
    if found := _repository(url):
        return tr(
            "{url} lies in a repository of {tool}: name its root, --repository {root}",
            url=url,
            tool=found.tool,
            root=found.root,
        )
    if said := _dump(url):
        return said
    folder = _folder(url)
    if folder is None:
        return _file(url)
    if _is_backup(folder):
        return tr("{url} is a base backup of no tool: name it with --backup {url}", url=url)
    if _is_data_directory(folder):
        return tr("{url} is a server's data directory: name its WAL with --wal {url}", url=url)
    if _IN_PG_WAL in folder.folders:
        return tr("{url} is a server's pg_wal: name it with --wal {url}", url=url)
    if _is_archive(url, folder):
        return tr("{url} is an archive of no tool: name it with --archive {url}", url=url)
    below = dict(_below(url, folder))
    options = [f"--archive {place}" for place, inside in below.items() if _holds_wal(inside)]
    options += [f"--backup {place}" for place, inside in below.items() if _is_backup(inside)]
    if options:
        return tr(
            "{url} is of no tool: name what it holds with {options}",
            url=url,
            options=" ".join(options),
        )
    return _dump_in(url, folder)


def is_empty(url: str) -> bool:
    """Whether a folder is there and holds nothing, as the place of what is not mounted."""
    folder = _folder(url)
    return folder is not None and not folder.files and not folder.folders


def is_laid_out_by_another(root: str, file: ArchivedFile) -> bool:
    """Whether a file lies as repositories, data directories and pg_wal have it.

    What pg_wal has inside may be put into any archive: its name is asked for as well.
    """
    if not {*_IN_REPOSITORIES, "pg_wal"}.isdisjoint(file.path.removeprefix(root).split("/")):
        return True
    if is_remote(root) or root.rstrip("/").rpartition("/")[2] not in _PG_WAL_NAMES:
        return False
    try:
        stat_path(f"{root}/{_IN_PG_WAL}")
    except OSError:
        return False
    return True


def _of_a_tool(url: str) -> str | None:
    """A repository or a dump."""
    found = _repository(url)
    return _named(url, found) if found else _dump(url)


def _named(url: str, found: FoundRepo) -> str:
    return tr(
        "{url} is a repository of {tool}: name it with --repository {root}",
        url=url,
        tool=found.tool,
        root=found.root,
    )


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


def _below(url: str, folder: Folder) -> Iterator[tuple[str, Folder]]:
    """The first folders in it."""
    for name in folder.folders[:_SOME]:
        if inside := _folder(f"{url}/{name}"):
            yield f"{url}/{name}", inside


def _is_backup(folder: Folder) -> bool:
    return "backup_label" in folder.files or any(_BASE_TAR.fullmatch(name) for name in folder.files)


def _is_data_directory(folder: Folder) -> bool:
    return "PG_VERSION" in folder.files and "global" in folder.folders


def _is_archive(url: str, folder: Folder, levels: int = 3) -> bool:
    """Flat, or nested by date or timeline: backups are, too, so that some WAL must be seen."""
    if _holds_wal(folder):
        return True
    dated = [name for name in folder.folders if _is_day(name)][:levels]
    below = ((f"{url}/{name}", _folder(f"{url}/{name}")) for name in dated)
    return any(inside and _is_archive(place, inside, levels - 1) for place, inside in below)


def _holds_wal(folder: Folder) -> bool:
    return any(parse_wal_name(name) for name in _some(folder.files))


def _some(names: Iterable[str]) -> Iterator[str]:
    return islice(names, 1000)


def _is_day(name: str) -> bool:
    return re.fullmatch(r"\d{4}(-?\d\d){0,2}|\d\d|[0-9A-F]{16}", name) is not None


def _dump(url: str) -> str | None:
    """Of pg_dump, in any of its formats, compressed or not."""
    folder = _folder(url)
    if folder is None:
        is_dump = _head(url).startswith((*_DUMPS, _TAR_DUMP))
    else:
        is_dump = "toc.dat" in folder.files and _head(f"{url}/toc.dat").startswith(_DUMPS)
    return tr("{url} {is_a_dump}", url=url, is_a_dump=_A_DUMP) if is_dump else None


def _dump_in(url: str, folder: Folder) -> str | None:
    """The first of the dumps that lie in a folder."""
    name = next(filter(_DUMP_NAME.fullmatch, _some(folder.files)), None)
    return None if name is None else _dump(f"{url}/{name}")


def _head(url: str) -> bytes:
    """How a file begins, decompressed; empty for what is no file or cannot be read."""
    return _head_or_none(url) or b""


def _head_or_none(url: str) -> bytes | None:
    try:
        return read_content(url, _HEAD_BYTES).data
    except OSError:
        return None


def _file(url: str, *, tars: bool = False) -> str | None:
    """A single file, where a directory is expected; `tars`: or a tar."""
    directory, _, name = url.rpartition("/")
    head = _head_or_none(url)
    if head is None:
        return None
    if parse_wal_name(name):
        return tr(
            "{url} is one WAL file: name the directory that holds them, --archive {directory}",
            url=url,
            directory=directory or ".",
        )
    if _TAR_NAME.fullmatch(name) or head[_USTAR] == b"ustar":
        return None if tars else _tar(url, name)
    if found := _CONFIGURATION.fullmatch(name):
        return tr(
            "{url} is a configuration: name it with --{option} {url}",
            url=url,
            option=found[1] or found[2] or "config",
        )
    return tr("{url} is a file, and neither WAL nor a backup's tar: name a directory", url=url)


def _tar(url: str, name: str) -> str:
    if _BASE_TAR.fullmatch(name):
        return tr("{url} is a base backup: name it with --backup {url}", url=url)
    return tr(
        "{url} is a tar, which is not read as an archive: unpack it and name "
        "the directory; if it is a base backup, name it with --backup {url}",
        url=url,
    )
