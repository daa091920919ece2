"""One plain base backup: its label, manifest, control file and own WAL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.archive.directory import NotAnArchive
from agent.archive.pg_wal import CannotRead, list_pg_wal
from agent.backups.describe import (
    CONTROL,
    LABEL,
    MANIFEST,
    SIGNALS,
    VERSION,
    BackupDepth,
    NotABackup,
    Pieces,
    describe,
    has_signal,
    keep_manifest,
    label_from,
    read_file,
    read_label,
    read_manifest,
)
from agent.backups.files import compare_files, read_pages
from agent.backups.noted import noted
from agent.backups.settings import PlainConfiguration, read_configuration
from agent.backups.tablespaces import TABLESPACE_MAP, find_dangling, list_links
from agent.denied import is_proof, reason
from agent.store.paths import AnyPath, entries_of
from parsers.errors import ParseError
from parsers.files.backup_manifest import BackupManifest
from parsers.files.pg_control import ClusterState, ControlFile, parse_control_file
from parsers.sentences import tr
from rules.model.facts import BackupFacts, Unlabelled

if TYPE_CHECKING:
    from agent.backups.pages import PageCheck


def read_backup(path: AnyPath, depth: BackupDepth) -> BackupFacts:
    """Read one plain backup. Raises NotABackup with the reason.

    Without a backup_label, pg_control says what the server would make of it.
    """
    label = _read_label(path)
    unlabelled = None
    if label is None:
        control = _control_without_label(path)
        label, unlabelled = (
            label_from(control),
            Unlabelled(
                started=(path / f"{LABEL}.old").exists(),
                cold=control.state is ClusterState.SHUT_DOWN,
            ),
        )
    pieces = _read_pieces(path, label)
    manifest, _ = read_manifest(pieces)
    bad, pages = None, None
    if depth == "pages":
        pages = _page_check(path, manifest, pieces, cold=unlabelled is not None and unlabelled.cold)
    if depth != "label":
        bad = _compare(path, manifest, pieces, depth, pages) if manifest else []
        bad += find_dangling(path, pieces.links)
        bad = [each for each in bad if unlabelled is None or each != f"{LABEL} (absent)"]
    if pages is not None:
        if manifest is None:
            read_pages(path, pages)
        pieces.unread += pages.unread
    seen = pages.facts() if pages else None
    return replace(describe(str(path), pieces, bad, depth, seen), unlabelled=unlabelled)


def read_data_directory(path: AnyPath, label: bytes) -> BackupFacts:
    """Read a data directory under restore as the backup that it came from.

    `label` is its backup_label, which the server renames at its start, or what stands in for it.
    Raises NotABackup with the reason.
    """
    return describe(str(path), _read_pieces(path, label), None, "label")


def _page_check(
    path: AnyPath, manifest: BackupManifest | None, pieces: Pieces, *, cold: bool
) -> PageCheck:
    """Of what the manifest lists; else of what lies there."""
    from agent.backups.pages import list_relations, page_check

    paths = (
        [file.path for file in manifest.files] if manifest else list_relations(path, pieces.unread)
    )
    return page_check(pieces, manifest, read_label(pieces, str(path)), paths, cold=cold)


def _compare(
    path: AnyPath,
    manifest: BackupManifest,
    pieces: Pieces,
    depth: BackupDepth,
    pages: PageCheck | None,
) -> list[str]:
    """Name the bad files; those that cannot be read are added to the pieces'."""
    found = compare_files(path, manifest, checksums=depth in ("checksums", "pages"), pages=pages)
    pieces.unread += found.unread
    return found.bad


def _read_pieces(path: AnyPath, label: bytes) -> Pieces:
    pieces = Pieces(label=label)
    pieces.manifest, pieces.manifest_error = keep_manifest(path)
    pieces.control = pieces.read(path, CONTROL)
    if pieces.unread:
        pieces.control_error = None
    pieces.version = pieces.read(path, VERSION)
    pieces.tablespace_map = pieces.read(path, TABLESPACE_MAP)
    with _unread(pieces, path, "pg_tblspc"):
        pieces.links = list_links(path)
    with _unread(pieces, path, tr("its signal files")):
        pieces.signal_files = [name for name in SIGNALS if has_signal(path, name)]
    with _unread(pieces, path, tr("its configuration")):
        pieces.take_settings(read_configuration(PlainConfiguration(path)))
    if pieces.manifest is None:
        with suppress(OSError):
            pieces.paths = list(_paths_of_relations(path))
    try:
        wal = list_pg_wal(path / "pg_wal")
    except CannotRead as error:
        pieces.unread.append(noted("pg_wal", error.reason))
        return pieces
    except NotAnArchive:
        return pieces
    pieces.wal_files, pieces.wal_segment_size = wal.segments, wal.segment_size_bytes
    return pieces


def _paths_of_relations(path: AnyPath) -> Iterator[str]:
    """Those in the default tablespace. Lets OSError through."""
    for database in entries_of(path / "base"):
        if database.is_dir():
            for file in entries_of(path / "base" / database.name):
                yield f"base/{database.name}/{file.name}"


@contextmanager
def _unread(pieces: Pieces, path: AnyPath, what: str) -> Iterator[None]:
    """Note a part of the backup that cannot be looked into, by its file where the error has one.

    One that is not there is no matter.
    """
    try:
        yield
    except OSError as error:
        if not is_proof(error):
            file = str(error.filename or path)
            inside = file[len(str(path)) + 1 :] if file.startswith(f"{path}/") else what
            pieces.unread.append(noted(inside, reason(error)))


def _read_label(path: AnyPath) -> bytes | None:
    label, error = read_file(path, LABEL)
    if error:
        raise NotABackup(tr("{path}/{file}: {error}", path=path, file=LABEL, error=error))
    if label is None and not path.exists():
        raise NotABackup(tr("{path}: there is no such directory", path=path))
    return label


def _control_without_label(path: AnyPath) -> ControlFile:
    """The control file of a data directory that has no label. Raises NotABackup."""
    what = tr("{path}: no backup_label", path=path)
    if (path / "postmaster.pid").exists():
        raise NotABackup(
            tr("{what}, and a postmaster.pid: it is a server's own data directory", what=what)
        )
    data, error = read_file(path, CONTROL)
    if (
        data is None
        and not (error or (path / "PG_VERSION").exists())
        and (path / MANIFEST).exists()
    ):
        # pg_basebackup -Ft puts it beside its tars
        raise NotABackup(
            tr(
                "{path}: base.tar is missing beside backup_manifest: it cannot be restored",
                path=path,
            )
        )
    if data is None:
        raise NotABackup(
            tr(
                "{what}, and {file} {why}: it is no base backup",
                what=what,
                file=CONTROL,
                why=error or tr("is absent"),
            )
        )
    try:
        return parse_control_file(data)
    except ParseError as wrong:
        raise NotABackup(
            tr("{what}, and {file}: {error}", what=what, file=CONTROL, error=wrong)
        ) from None
