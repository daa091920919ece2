"""What restore_command and other child commands write into the server's log, without any prefix.

``cp: cannot stat '/archive/00000002.history': No such file or directory`` is how most archives say
that they do not hold a file. Programs and their languages differ; what they share is the name of a
WAL file and the C library's sentence for ENOENT (strerror(3)), or a phrase of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from parsers.recovery_events import COMMAND_OUTPUT, FILE_MISSING, FieldValue

_WAL_FILE: Final = re.compile(
    r"(?<![0-9A-Fa-f])(?P<file>[0-9A-F]{8}\.history|[0-9A-F]{24}"
    r"(?:\.partial|\.[0-9A-F]{8}\.backup)?)(?![0-9A-Fa-f])"
)
_PROGRAM: Final = re.compile(r"(?P<program>(?:/\S*/)?[A-Za-z][\w.+-]{0,40}): \S")

# "No such file or directory", as the C library says it.
_ENOENT: Final = (
    "No such file or directory",
    "No existe el fichero o el directorio",
    "No existe el archivo o el directorio",
    "Datei oder Verzeichnis nicht gefunden",
    "Aucun fichier ou dossier de ce type",
    "File o directory non esistente",
    "Arquivo ou diretório inexistente",
    "Ficheiro ou pasta inexistente",
    "El fitxer o directori no existeix",
    "そのようなファイルやディレクトリはありません",
    "그런 파일이나 디렉터리가 없습니다",
    "没有那个文件或目录",
    "沒有此一檔案或目錄",
    "Нет такого файла или каталога",
    "Немає такого файла або каталогу",
    "Nie ma takiego pliku ani katalogu",
    "Adresář nebo soubor neexistuje",
    "Adresár alebo súbor neexistuje",
    "Bestand of map bestaat niet",
    "Filen eller katalogen finns inte",
    "Ingen sådan fil eller filkatalog",
    "Ingen slik fil eller filkatalog",
    "Tiedostoa tai hakemistoa ei ole",
    "Nincs ilyen fájl vagy könyvtár",
    "Böyle bir dosya ya da dizin yok",
    "Không có tập tin hoặc thư mục như vậy",
)
# How archive tools say the same: pgBackRest, WAL-G, Barman, object stores, shells.
_ABSENT: Final = (
    r"unable to find .* in the archive",
    r"does not exist",
    r"not found",
    r"No such (?:file|object|key)",
    r"NoSuchKey",
    r"\(404\)",
    r"no matches found",
    r"cannot open .*: No such file",
    r"(?:^|/)cp: [^:]*\bstat\b",
)
_MISSING: Final = re.compile("|".join([*map(re.escape, _ENOENT), *_ABSENT]))
# A server in an ASCII locale cannot print them: `?` stands for each character.
_FOLDED: Final = tuple(re.sub(r"[^\x00-\x7f]", "?", text) for text in _ENOENT if not text.isascii())


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOutput:
    """One line of a child command that could be read."""

    event: str  # FILE_MISSING or COMMAND_OUTPUT
    program: str | None
    file: str | None  # the WAL or history file that it names

    def fields(self) -> dict[str, FieldValue]:
        """The fields of its event."""
        fields: dict[str, FieldValue] = {}
        if self.file is not None:
            fields["file"] = self.file
        if self.program is not None:
            fields["program"] = self.program
        return fields


def read_command_output(line: str) -> CommandOutput | None:
    """Read a line that no server process wrote; None when it tells nothing.

    >>> read_command_output("cp: cannot stat '/a/00000002.history': No such file or directory").file
    '00000002.history'
    """
    named = _WAL_FILE.search(line)
    program = _PROGRAM.match(line)
    if named is None and program is None:
        return None
    missing = named is not None and (
        _MISSING.search(line) is not None or any(text in line for text in _FOLDED)
    )
    return CommandOutput(
        event=FILE_MISSING if missing else COMMAND_OUTPUT,
        program=program["program"] if program else None,
        file=named["file"] if named else None,
    )
