"""The files of a manifest, however its lines are broken, and what a million of them costs."""

from __future__ import annotations

import hashlib
import json
import tracemalloc

import pytest

from parsers.errors import ParseError
from parsers.files.backup_manifest import parse_backup_manifest

_FILE = '{ "Path": "base/5/%d", "Size": %d, "Last-Modified": "2026-01-01 00:00:00 GMT" }'
_WAL = '"WAL-Ranges": [\n{ "Timeline": 1, "Start-LSN": "0/28", "End-LSN": "0/100" }\n],\n'


def sealed(text: str) -> bytes:
    data = text.encode()
    return data + f'"Manifest-Checksum": "{hashlib.sha256(data).hexdigest()}"}}\n'.encode()


def manifest(count: int, between: str = ",\n") -> str:
    files = between.join(_FILE % (number, number) for number in range(count))
    return f'{{ "PostgreSQL-Backup-Manifest-Version": 1,\n"Files": [\n{files}\n],\n{_WAL}'


@pytest.mark.parametrize("count", [0, 1, 700, 5000])
@pytest.mark.parametrize("form", ["a line each", "one line", "many lines"])
def test_every_file_is_told_however_lines_are_broken(count: int, form: str) -> None:
    text = manifest(count, ", " if form == "one line" else ",\n")
    if form == "many lines":
        text = text.replace('"Size"', "\n" * 200 + '"Size"')
    data = sealed(text)
    parsed = parse_backup_manifest(data)
    told = [(file.path, file.size_bytes) for file in parsed.files]
    assert told == [(each["Path"], each["Size"]) for each in json.loads(data)["Files"]]
    assert len(parsed.files) == count
    assert list(parsed.files) == list(parsed.files)


@pytest.mark.parametrize(
    "wrong", ["7", "{}", '{"Path": 1}', '{"Path": "a", "Size": -1}', '"\\ud8"']
)
def test_a_file_that_is_none_is_refused_at_once(wrong: str) -> None:
    with pytest.raises(ParseError):
        parse_backup_manifest(sealed(manifest(3).replace("],", f", {wrong}],", 1)))


def test_what_it_costs_does_not_grow_with_the_files() -> None:
    data = sealed(manifest(20_000))
    tracemalloc.start()
    parsed = parse_backup_manifest(data)
    assert sum(1 for _ in parsed.files) == 20_000
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1 << 20 < len(data)
