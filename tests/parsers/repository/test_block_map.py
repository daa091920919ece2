"""Block maps as pgBackRest wrote them: every file of a backup put together has its SHA-1."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.errors import ParseError
from parsers.repository.block_map import parse_block_map
from parsers.repository.pgbackrest import parse_manifest
from tests.fix_repositories import Samples


def test_a_map_lists_each_block_of_its_file(samples: Samples) -> None:
    root = Path(samples("br_bundle_block_18").url()) / "backup/main"
    maps = 0
    for path in root.glob("*/backup.manifest"):
        manifest = parse_manifest(path.read_bytes())
        for file in manifest.files:
            if file.block_bytes is None or file.bundle is not None:
                continue
            label = file.reference or manifest.label
            data = (root / label / f"{file.path}.pgbi").read_bytes()[-file.map_bytes :]
            blocks = parse_block_map(data, file.block_bytes, file.block_checksum_bytes)
            assert len(blocks) == -(-file.size_bytes // file.block_bytes)
            assert all(block.reference < len(manifest.references) for block in blocks)
            maps += 1
            for length in range(len(data)):
                with pytest.raises(ParseError):
                    parse_block_map(data[:length], file.block_bytes, file.block_checksum_bytes)
    assert maps


@given(st.binary(max_size=60))
def test_any_bytes_are_a_map_or_a_parse_error(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        parse_block_map(data, 8192, 6)
