"""What restore commands say when the archive does not hold a file."""

from __future__ import annotations

import pytest

from parsers.log.command_output import read_command_output
from parsers.log.messages.event import Event

SEGMENT = "00000001000000000000000C"
MISSING = (
    f"cp: cannot stat '/archive/{SEGMENT}': No such file or directory",
    f"cp: no se puede efectuar `stat' sobre '/a/{SEGMENT}': No existe el fichero o el directorio",
    f"cp: der Aufruf von stat für '/a/{SEGMENT}' ist nicht möglich: "
    "Datei oder Verzeichnis nicht gefunden",
    f"cp: impossible d'évaluer '/a/{SEGMENT}': Aucun fichier ou dossier de ce type",
    f"cp: '/a/{SEGMENT}' を stat できません: そのようなファイルやディレクトリはありません",
    f"cp: /archive/{SEGMENT}: No such file or directory",
    f"gzip: /archive/{SEGMENT}.gz: No such file or directory",
    f"sh: 1: cannot open /archive/{SEGMENT}.zst: No such file",
    f"/bin/sh: /archive/{SEGMENT}.gz: No such file or directory",
    f'rsync: [sender] link_stat "/a/{SEGMENT}" failed: No such file or directory (2)',
    f"2026-11-22 12:46:40.700 P00   INFO: unable to find {SEGMENT} in the archive",
    f"ERROR: 2026/11/22 12:46:40.700000 Archive '{SEGMENT}' does not exist.",
    f'fatal error: An error occurred (404) when calling HeadObject: Key "{SEGMENT}" does not exist',
)
OTHER = (
    f"cp: cannot open '/archive/{SEGMENT}' for reading: Permission denied",
    f"cp: error reading '/archive/{SEGMENT}': Input/output error",
    "sh: 1: no-such-program: not found",
    "ssh: connect to host backup port 22: Connection refused",
)


@pytest.mark.parametrize("line", MISSING)
def test_a_missing_file_is_named(line: str) -> None:
    output = read_command_output(line)
    assert output is not None
    assert (output.event, output.file) == (Event.FILE_MISSING, SEGMENT)


@pytest.mark.parametrize("line", OTHER)
def test_another_trouble_is_no_missing_file(line: str) -> None:
    output = read_command_output(line)
    assert output is not None and output.event == Event.COMMAND_OUTPUT


@pytest.mark.parametrize("line", ["", "\x00", "well", "no colon here"])
def test_what_says_nothing_is_left(line: str) -> None:
    assert read_command_output(line) is None
