"""Where the parts of a restore lie, and what to type about them: real paths, no placeholder."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import field
from typing import Final

from parsers.segment import COMPRESSION_SUFFIXES
from parsers.sentences import tr
from parsers.values import dataclass
from rules.live.attempt import Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What is known of them. Empty or None: not known."""

    archives: tuple[str, ...] = ()
    pgdata: str | None = None
    has_label: bool = False  # the data directory is as the backup left it: not started yet
    has_signal: bool | None = None  # recovery.signal or standby.signal is there; None: not seen
    stored: Mapping[str, str] = field(default_factory=dict)  # segment -> its file, of another name

    def archive(self, attempt: Attempt) -> str | None:
        """The archive, or where the log says that restore_command looks."""
        return self.archives[0] if self.archives else attempt.archive_place

    def check(self, attempt: Attempt) -> str:
        """What to ask about the WAL."""
        archive = self.archive(attempt)
        if archive is None:
            return tr("run pitr-check on the archive that restore_command copies from")
        urls = self.archives or (archive,)
        words = ["pitr-check", *(word for url in urls for word in ("--archive", url))]
        words += ["--backup", self.pgdata] if self.pgdata and self.has_label else []
        return shlex.join(words)

    def mend(self, segment: str, attempt: Attempt) -> str:
        """What to do about a segment that recovery could not have."""
        file, archive = self.stored.get(segment), self.archive(attempt)
        if file is None:
            return self.check(attempt)
        how = decompress if is_compressed(segment, file) else rename
        return how(segment, file, archive)

    @property
    def data_directory(self) -> str:
        """The data directory as a word of a command, or in words."""
        return shlex.quote(self.pgdata) if self.pgdata else tr("the data directory")

    def inside(self, name: str) -> str:
        """A file of the data directory as a word of a command."""
        return shlex.quote(f"{self.pgdata}/{name}") if self.pgdata else name

    @property
    def settings(self) -> str:
        """The file for settings of this restore, as a word of a command."""
        return self.inside("postgresql.auto.conf")


_PROGRAMS: Final = {
    ".gz": "gzip -dc", ".zst": "zstd -dc", ".lz4": "lz4 -dc", ".bz2": "bzip2 -dc", ".xz": "xz -dc",
}  # fmt: skip


def is_compressed(segment: str, stored: str) -> bool:
    """Tell whether a file is the whole segment, but for a codec's suffix."""
    return stored.removeprefix(segment) in COMPRESSION_SUFFIXES


def decompress(segment: str, stored: str, archive: str | None) -> str:
    """The restore_command for segments that lie compressed."""
    suffix = stored.removeprefix(segment)
    program = _PROGRAMS.get(suffix)
    if program is None or archive is None:
        return tr("let restore_command decompress {file} to %p", file=f"%f{suffix}")
    return f"restore_command = '{program} {archive}/%f{suffix} > %p'"


def rename(segment: str, stored: str, archive: str | None) -> str:
    """What gives a file the name that recovery asks for."""
    place = f"{archive}/" if archive is not None else ""
    source, target = shlex.quote(f"{place}{stored}"), shlex.quote(f"{place}{segment}")
    program = next((each for end, each in _PROGRAMS.items() if stored.endswith(end)), None)
    return f"{program} {source} > {target}" if program else f"cp -n {source} {target}"
