"""What restore_command and other child commands write into the server's log, without any prefix.

``cp: cannot stat '/archive/00000002.history': No such file or directory`` is how most archives say
that they do not hold a file. Programs and their languages differ; what they share is the name of a
WAL file and the C library's sentence for ENOENT (strerror(3)), or a phrase of their own. Lines of
pgBackRest, Barman, WAL-G, Patroni and pg_ctl are known for what they are (`tool_lines`).
"""

from __future__ import annotations

import re
from typing import Final

from parsers.log.messages.event import Event
from parsers.log.recovery_events import FieldValue
from parsers.log.tool_lines import ToolLine, recognise_tool
from parsers.values import dataclass

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
    r"is not available",
    r"not found",
    r"No such (?:file|object|key)",
    r"NoSuchKey",
    r"\(404\)",
    r"no matches found",
    r"cannot open .*: No such file",
    r"(?:^|/)cp: [^:]*\bstat\b",
)
_MISSING: Final = re.compile("|".join([*map(re.escape, _ENOENT), *_ABSENT]))
# What archive_command says of a file that it cannot write, as cp does in these languages.
_WRITING: Final = re.compile(
    r"cannot create|can't create|for writing|no se puede crear|kann nicht angelegt|impossible de cr"
    r"|não foi possível criar|impossibile creare|невозможно создать|не удалось создать"
    r"|作成できません|无法创建|無法建立|만들 수 없"
)
# What keeps a command from a file: strerror(3), shells, decompressors, networks.
_TROUBLE: Final = (
    "Input/output error", "Permission denied", "Is a directory", "omitting directory",
    "Not a directory", "Operation not permitted", "No space left", "Read-only file system",
    "Too many open files", "tale file handle", "tale NFS file handle", "Cannot allocate memory",
    "Structure needs cleaning", "Bad message", "Transport endpoint", "Host is down",
    "No route to host", "Network is unreachable", "Broken pipe", "onnection refused",
    "onnection timed out", "onnection reset", "onnection closed", "peration timed out",
    "Could not resolve", "Name or service not known", "Temporary failure in name resolution",
    "yntax error", "unexpected EOF", "nterminated", "command not found", "unexpected end of file",
    "not in gzip format", "invalid compressed data", "nsupported format", "AccessDenied",
    "Access Denied", "Forbidden", "ExpiredToken", "credentials",
    "Eingabe-/Ausgabefehler", "Keine Berechtigung", "Ist ein Verzeichnis",
    "Error de entrada/salida", "Permiso denegado", "s un directorio",
    "d’entrée/sortie", "d'entrée/sortie", "Permission non accordée", "est un dossier",
    "Errore di input/output", "Permesso negato", "Erro de entrada/saída", "Permissão negada",
    "Permissão recusada", "Ошибка ввода/вывода", "Отказано в доступе", "入力/出力エラーです",
    "許可がありません", "权限不够", "输入/输出错误",
)  # fmt: skip
_NO_PROGRAM: Final = ": not found"  # of a shell, at the line's end
# A server in an ASCII locale cannot print them: `?` stands for each character.
_FOLDED: Final = tuple(re.sub(r"[^\x00-\x7f]", "?", text) for text in _ENOENT if not text.isascii())


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOutput:
    """One line of a child command that could be read."""

    event: Event  # FILE_MISSING or COMMAND_OUTPUT
    program: str | None
    file: str | None  # the WAL or history file that it names
    harmless: bool | None = None  # False: it could not do its work; None: that cannot be told

    def fields(self) -> dict[str, FieldValue]:
        """The fields of its event."""
        fields: dict[str, FieldValue] = {}
        if self.file is not None:
            fields["file"] = self.file
        if self.program is not None:
            fields["program"] = self.program
        if self.event == Event.COMMAND_OUTPUT:
            fields["harmless"] = self.harmless
        return fields


def read_command_output(line: str) -> CommandOutput | None:
    """Read a line that no server process wrote; None when it tells nothing.

    >>> read_command_output("cp: cannot stat '/a/00000002.history': No such file or directory").file
    '00000002.history'
    """
    named, tool = _WAL_FILE.search(line), recognise_tool(line)
    program = tool.program if tool is not None else _program_of(line)
    if named is None and program is None:
        return None
    missing = (
        named is not None
        and not _WRITING.search(line)
        and (_MISSING.search(line) is not None or any(text in line for text in _FOLDED))
    )
    return CommandOutput(
        event=Event.FILE_MISSING if missing else Event.COMMAND_OUTPUT,
        program=program,
        file=named["file"] if named else None,
        harmless=None if missing else _is_harmless(line, tool),
    )


def _is_harmless(line: str, tool: ToolLine | None) -> bool | None:
    """What archive_command cannot write, restore_command did not try to fetch."""
    if tool is not None:
        return tool.harmless
    failed = line.endswith(_NO_PROGRAM) or any(text in line for text in _TROUBLE)
    return False if failed and not _WRITING.search(line) else None


def _program_of(line: str) -> str | None:
    """Who says that of itself: `cp: …`."""
    program = _PROGRAM.match(line)
    return program["program"] if program else None
