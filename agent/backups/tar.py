"""One base backup in tar format, compressed or not, read as streams and never unpacked.

pg_basebackup -Ft writes base.tar, one OID.tar for each tablespace, pg_wal.tar and, beside them, the
manifest. A data directory that a person packed into one tar is read as well: its files may lie
under a folder, with manifest and pg_wal among them. A tar that breaks off is a bad file of the
backup.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from agent.archive.codecs import READABLE_SUFFIXES
from agent.archive.tar import BrokenTar, read_members
from agent.backups.describe import (
    BackupDepth,
    NotABackup,
    Pieces,
    describe,
    is_there,
    read_label,
    read_manifest,
    read_mapped,
)
from agent.backups.files import chunks, files_to_compare, look_through, wrong_size
from agent.backups.noted import noted
from agent.backups.settings import (
    CONFIGURATION,
)
from agent.backups.tar_contents import IS_TAR, TABLESPACE, Contents, wal_tar
from agent.denied import reason
from agent.store.paths import AnyPath, entries_of
from parsers.files.backup_manifest import BackupManifest, ManifestFile
from parsers.sentences import tr
from rules.model.facts import BackupFacts, BackupTablespace, UnreadSettings

if TYPE_CHECKING:
    from agent.backups.pages import PageCheck

_NOT_READ: Final = UnreadSettings(
    CONFIGURATION[0], tr("at depth label a tar is read no further than its backup_label")
)
BASE_NAMES: Final = tuple(f"base.tar{suffix}" for suffix in ("", *READABLE_SUFFIXES))


def is_tar_backup(path: AnyPath) -> bool:
    """Tell whether a path is a tar, or a directory with a base.tar in it."""
    if path.is_dir():
        return base_tar(path) is not None
    return is_there(path) and IS_TAR(path.name) is not None


def read_tar_backup(path: AnyPath, depth: BackupDepth) -> BackupFacts:
    """Read one backup in tar format: its directory, or its base tar. Raises NotABackup."""
    base = path if path.is_file() else base_tar(path)
    if base is None:
        raise NotABackup(tr("{path}: no base.tar in it", path=path))
    found = Contents(base)
    found.read(base, "", stop_at_label=depth == "label")
    found.strip_folder()
    pieces = found.pieces(base.parent)
    if depth == "label":
        pieces.unread_settings = [_NOT_READ]
    else:
        pieces.take_settings(found.configuration(), complete=found.is_complete)
    manifest, _ = read_manifest(pieces)
    if depth == "label":
        return _without_verdict_on_control(describe(str(path), pieces, None, depth))
    tablespaces = _tablespace_tars(base.parent)
    pieces.links = _with_places(pieces, tablespaces)
    for tar in tablespaces:
        found.read(tar, f"pg_tblspc/{tar.name.partition('.')[0]}/")
    bad = [*found.broken, *_absent_tablespaces(found, tablespaces, pieces)]
    if manifest is not None:
        bad += _compare(manifest, found)
    pages = None
    if depth == "pages":
        from agent.backups.pages import page_check

        paths = [file.path for file in manifest.files] if manifest else found.sizes
        pages = page_check(pieces, manifest, read_label(pieces, str(path)), paths)
    if depth in ("checksums", "pages"):
        tars = [(base, ""), *_prefixed(tablespaces)]
        bad += _read_again(tars, _with_checksums(manifest, found.sizes), pages, found)
    pieces.unread += [*found.unread, *(pages.unread if pages else ())]
    return describe(str(path), pieces, bad, depth, pages.facts() if pages else None)


class BackupTar(NamedTuple):
    """One tar of a backup, and where in the data directory its files belong."""

    path: AnyPath
    prefix: str  # pg_tblspc/<oid>/ or pg_wal/; empty for the base
    folder: str = ""  # that a person packed the base under: not a part of the names


def tars_of(path: AnyPath) -> list[BackupTar]:
    """The tars of one backup: base, tablespaces, WAL. Raises NotABackup."""
    base = path if path.is_file() else base_tar(path)
    if base is None:
        raise NotABackup(tr("{path}: no base.tar in it", path=path))
    found = Contents(base)
    found.read(base, "", stop_at_label=True)
    found.strip_folder()
    wal = wal_tar(base.parent)
    return [
        BackupTar(base, "", found.folder),
        *(BackupTar(tar, prefix) for tar, prefix in _prefixed(_tablespace_tars(base.parent))),
        *([BackupTar(wal, "pg_wal/")] if wal else ()),
    ]


def _tablespace_tars(directory: AnyPath) -> list[AnyPath]:
    names = (entry.name for entry in entries_of(directory))
    return sorted((directory / name for name in names if TABLESPACE(name)), key=str)


def base_tar(directory: AnyPath) -> AnyPath | None:
    """The base.tar of a backup's directory, compressed or not; None without one."""
    return next((directory / name for name in BASE_NAMES if is_there(directory / name)), None)


def _without_verdict_on_control(facts: BackupFacts) -> BackupFacts:
    """At depth label the reading ends at the label: the control file is a tar's last member."""
    return facts if facts.control else replace(facts, bad_files=())


# -- holding it against the manifest -------------------------------------------------------------


def _compare(manifest: BackupManifest, found: Contents) -> Iterator[str]:
    closed = tuple(found.closed)
    for file in files_to_compare(manifest):
        if file.path.startswith(closed):  # none is known to be absent
            continue
        size = found.sizes.get(file.path)
        if size is None and (kind := found.no_file(file.path)):
            found.unread.append(noted(file.path, kind))
            continue
        why = tr("absent") if size is None else wrong_size(size, file)
        if why:
            yield noted(file.path, why)


def _absent_tablespaces(found: Contents, tars: Iterable[AnyPath], pieces: Pieces) -> Iterator[str]:
    """The tablespaces of the map of which there is no tar, and no folder in the base tar."""
    there = {int(tar.name.partition(".")[0]) for tar in tars}
    for space in read_mapped(pieces)[0]:
        folder = f"pg_tblspc/{space.oid}/"
        if space.oid not in there and not any(name.startswith(folder) for name in found.sizes):
            yield noted(f"{space.oid}.tar", tr("absent"))


def _with_places(pieces: Pieces, tars: Iterable[AnyPath]) -> list[BackupTablespace]:
    """A tar whose tablespace the map does not name is one in place: it belongs into pg_tblspc."""
    mapped = {space.oid for space in read_mapped(pieces)[0]}
    inside = {int(tar.name.partition(".")[0]) for tar in tars} - mapped
    links = [link for link in pieces.links if link.oid not in inside]
    return [*links, *(BackupTablespace(oid, None, filled=True) for oid in sorted(inside))]


def _prefixed(tablespaces: Iterable[AnyPath]) -> list[tuple[AnyPath, str]]:
    return [(tar, f"pg_tblspc/{tar.name.partition('.')[0]}/") for tar in tablespaces]


def _with_checksums(
    manifest: BackupManifest | None, sizes: dict[str, int]
) -> dict[str, ManifestFile]:
    """The files to hold against the manifest's checksums, by their path."""
    return {
        file.path: file
        for file in (files_to_compare(manifest) if manifest else ())
        if file.checksum_algorithm and sizes.get(file.path) == file.size_bytes
    }


def _read_again(
    tars: Iterable[tuple[AnyPath, str]],
    hashed: Mapping[str, ManifestFile],
    pages: PageCheck | None,
    found: Contents,
) -> Iterator[str]:
    """Go through the tars once more, now that manifest, pg_control and the folder are known."""
    if hashed or (pages and pages.files):
        for tar, prefix in tars:
            yield from _read_tar_again(tar, prefix, hashed, pages, found)


def _read_tar_again(
    tar: AnyPath,
    prefix: str,
    hashed: Mapping[str, ManifestFile],
    pages: PageCheck | None,
    found: Contents,
) -> Iterator[str]:
    folder = "" if prefix else found.folder
    try:
        for member in read_members(str(tar)):
            path = prefix + member.name.removeprefix(folder)
            content = chunks(member.read)
            if pages is not None and path in pages.files:
                content = pages.through(path, content)
            elif path not in hashed:
                continue
            if why := look_through(content, hashed.get(path)):
                yield noted(path, why)
    except BrokenTar:
        return  # the first pass has said so
    except OSError as error:
        found.unread.append(noted(tar.name, reason(error, tar)))
