"""Whose repository lies there, by several of its names together: never by one alone.

A person may name the root, a stanza's or server's own folder, or the folder above the root.
"""

from __future__ import annotations

from agent.denied import unread
from agent.repositories.files import Folder, exists, list_folder
from agent.repositories.repository import FoundRepo, NotRead
from parsers.sentences import tr

PGBACKREST, BARMAN, BARMAN_CLOUD, WALG = "pgBackRest", "Barman", "barman-cloud", "WAL-G"
_READ = tr("pgBackRest, Barman, barman-cloud and WAL-G")
_BARMAN_FOLDERS = {"wals", "base", "incoming", "streaming", "errors"}


def recognise(url: str, exactly: str | None = None) -> FoundRepo:
    """Tell whose repository it is. Raises NotRead: none, several, or one not read yet.

    `exactly` is the tool whose root it is said to be.
    """
    url = url.rstrip("/") or "/"
    try:
        top = list_folder(url)
        found = _look(url, top)
        if exactly is None:
            found = found or _look_above(url) or _look_below(url, top)
    except FileNotFoundError:
        raise NotRead(tr("{path}: there is no such directory", path=url)) from None
    except OSError as error:
        raise NotRead(unread(error, url)) from None
    if exactly is not None and (not found or found[0].tool != exactly):
        raise NotRead(tr("{url}: no repository of {tool} lies there", url=url, tool=exactly))
    if not found:
        raise NotRead(
            tr(
                "{url} is no repository of {tools}: name its root with --repository",
                url=url,
                tools=_READ,
            )
        )
    if len(found) > 1:
        roots = ", ".join(each.root for each in found)
        raise NotRead(
            tr("{url} holds several repositories: name one of {roots}", url=url, roots=roots)
        )
    return found[0]


def _look(url: str, top: Folder) -> list[FoundRepo]:
    """What the folder itself is."""
    folders = set(top.folders)
    if {"archive", "backup"} & folders and (stanzas := _stanzas(url, folders)):
        return [FoundRepo(PGBACKREST, url, stanzas)]
    if {"wal_005", "basebackups_005"} & folders:
        return [FoundRepo(WALG, url, ())]
    servers = tuple(name for name in top.folders if _is_server(f"{url}/{name}"))
    if servers:
        return [FoundRepo(BARMAN, url, servers)]
    cloud = tuple(name for name in top.folders if _is_cloud_server(f"{url}/{name}"))
    if cloud:
        return [FoundRepo(BARMAN_CLOUD, url, cloud)]
    _refuse_others(url, folders)
    return []


def _look_above(url: str) -> list[FoundRepo]:
    """The folder is of one stanza or server: its root is above it."""
    root, _, name = url.rpartition("/")
    if _is_server(url):
        return [FoundRepo(BARMAN, root, (name,))]
    if _is_cloud_server(url):
        return [FoundRepo(BARMAN_CLOUD, root, (name,))]
    above, _, kind = root.rpartition("/")
    if kind in ("archive", "backup") and exists(f"{url}/{kind}.info"):
        return [FoundRepo(PGBACKREST, above, (name,))]
    if name in ("archive", "backup") and (stanzas := _stanzas(root, {name})):
        return [FoundRepo(PGBACKREST, root, stanzas)]
    if name in ("wal_005", "basebackups_005"):
        return [FoundRepo(WALG, root, ())]
    return []


def _look_below(url: str, top: Folder) -> list[FoundRepo]:
    return [
        found
        for name in top.folders
        for found in _look(f"{url}/{name}", list_folder(f"{url}/{name}"))
    ]


def _stanzas(url: str, folders: set[str]) -> tuple[str, ...]:
    found: set[str] = set()
    for kind in ("archive", "backup"):
        if kind not in folders:
            continue
        for name in list_folder(f"{url}/{kind}").folders:
            info = f"{url}/{kind}/{name}/{kind}.info"
            if exists(info) or exists(f"{info}.copy"):
                found.add(name)
    return tuple(sorted(found))


def _is_server(url: str) -> bool:
    return len(_BARMAN_FOLDERS & _folders(url)) >= 4


def _is_cloud_server(url: str) -> bool:
    folders = _folders(url)
    if not {"wals", "base"} & folders or "incoming" in folders:
        return False
    if "wals" in folders:
        listed = list_folder(f"{url}/wals")
        return any(len(name) == 16 for name in listed.folders)
    backups = list_folder(f"{url}/base").folders
    return any(exists(f"{url}/base/{name}/backup.info") for name in backups[:1])


def _folders(url: str) -> set[str]:
    try:
        return set(list_folder(url).folders)
    except FileNotFoundError:
        return set()


def _refuse_others(url: str, folders: set[str]) -> None:
    """Name the tools whose repositories are known by their looks, and not read yet."""
    tool = None
    if {"backups", "wal"} <= folders and _holds(f"{url}/backups", "pg_probackup.conf"):
        tool = "pg_probackup"
    elif _holds_folders(url, folders, {"xlog", "basebackup"}):
        tool = "pghoard"
    elif _holds_pgmoneta(url, folders):
        tool = "pgmoneta"
    if tool:
        raise NotRead(
            tr(
                "{url} is a repository of {tool}, which is not read yet: {tools} are",
                url=url,
                tool=tool,
                tools=_READ,
            )
        )


def _holds(url: str, name: str) -> bool:
    return any(exists(f"{url}/{each}/{name}") for each in list_folder(url).folders)


def _holds_folders(url: str, folders: set[str], wanted: set[str]) -> bool:
    return wanted <= folders or any(wanted <= _folders(f"{url}/{name}") for name in folders)


def _holds_pgmoneta(url: str, folders: set[str]) -> bool:
    """Its WAL is flat and ends in .zstd, .partial and the like, or its backups have a sha512."""
    for place in (url, *(f"{url}/{name}" for name in folders)):
        inside = _folders(place)
        if "backup" in inside and _holds(f"{place}/backup", "backup.sha512"):
            return True
        if "wal" in inside:
            names = list_folder(f"{place}/wal").files
            if any(name.endswith((".zstd", ".zstd.aes")) for name in names):
                return True
    return False
