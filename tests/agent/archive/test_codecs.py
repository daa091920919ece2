"""Compressed files as bounded streams: every codec, whole and broken in each way."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import resource
import subprocess
from pathlib import Path

import pytest

from agent.archive.codecs import CODECS, READABLE_SUFFIXES, Flaw, codec_of, read_content
from tests.fix_layouts import COMPRESS
from tests.fix_tools import need_program

SIZE = 1 << 20
DATA = random.Random(7).randbytes(SIZE // 2) + bytes(SIZE // 2)
each_codec = pytest.mark.parametrize("suffix", COMPRESS)


def stored(directory: Path, suffix: str, data: bytes) -> str:
    path = directory / f"000000010000000000000001{suffix}"
    path.write_bytes(data)
    return str(path)


def test_there_is_a_test_for_every_codec() -> None:
    assert set(READABLE_SUFFIXES) == {*COMPRESS, ".lzma"}


@each_codec
def test_a_whole_file_is_read_whatever_its_name_says(tmp_path: Path, suffix: str) -> None:
    for name in (suffix, ""):
        content = read_content(stored(tmp_path, name, COMPRESS[suffix](DATA)), SIZE)
        assert (content.data, content.flaw) == (DATA, None)
        assert content.codec == codec_of(b"", suffix).name  # type: ignore[union-attr]


@each_codec
def test_a_stream_cut_anywhere_is_cut_short(tmp_path: Path, suffix: str) -> None:
    whole = COMPRESS[suffix](DATA)
    for length in (1, 3, 7, 20, len(whole) // 3, len(whole) - 9, len(whole) - 1):
        content = read_content(stored(tmp_path, suffix, whole[:length]), SIZE)
        assert content.flaw is Flaw.CUT, length
        assert content.data == DATA[: len(content.data)]
        assert "cut short" in content.detail


@each_codec
def test_a_flipped_byte_never_passes_for_the_content(tmp_path: Path, suffix: str) -> None:
    whole = COMPRESS[suffix](DATA)
    for offset in (0, 12, len(whole) // 2, len(whole) - 1):
        broken = bytearray(whole)
        broken[offset] ^= 0x40
        content = read_content(stored(tmp_path, suffix, bytes(broken)), SIZE)
        assert content.flaw is not None or content.data == DATA, offset


@each_codec
def test_a_bomb_stops_at_the_length_that_is_expected(tmp_path: Path, suffix: str) -> None:
    bomb = stored(tmp_path, suffix, COMPRESS[suffix](bytes(96 << 20)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    content = read_content(bomb, SIZE)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert (len(content.data), content.flaw) == (SIZE, Flaw.LONGER)
    assert content.detail == f"decompresses to more than {SIZE} bytes"
    assert grown_kib < 48 << 10


@each_codec
def test_a_file_of_exactly_the_length_is_whole(tmp_path: Path, suffix: str) -> None:
    path = stored(tmp_path, suffix, COMPRESS[suffix](DATA))
    assert read_content(path, SIZE).flaw is None
    assert read_content(path, SIZE - 1).flaw is Flaw.LONGER


def test_plain_files_are_bounded_too(tmp_path: Path) -> None:
    path = stored(tmp_path, "", bytes(2 * SIZE))
    content = read_content(path, SIZE)
    assert (len(content.data), content.flaw) == (SIZE, Flaw.LONGER)
    assert content.detail == f"{2 * SIZE} bytes instead of {SIZE}"
    empty = read_content(stored(tmp_path, "", b""), SIZE)
    assert (empty.data, empty.flaw, empty.codec, empty.detail) == (b"", None, None, "")


def test_what_is_not_what_its_suffix_says_is_corrupt(tmp_path: Path) -> None:
    for suffix in READABLE_SUFFIXES:
        content = read_content(stored(tmp_path, suffix, b"\x13\xd1 not compressed at all"), SIZE)
        assert content.flaw is Flaw.CORRUPT, suffix


def test_streams_one_after_another_are_one_content(tmp_path: Path) -> None:
    halves = DATA[: SIZE // 2], DATA[SIZE // 2 :]
    for suffix, compress in COMPRESS.items():
        path = stored(tmp_path, suffix, b"".join(map(compress, halves)))
        assert read_content(path, SIZE).data == DATA, suffix


def test_an_xz_stream_begins_where_a_piece_ends(tmp_path: Path) -> None:
    """Four bytes of the second stream's magic are the last of what is read at once."""
    piece = 1 << 18
    firsts = (DATA[:size] for size in range(piece - 80, piece))
    first = next(each for each in firsts if len(lzma.compress(each, preset=0)) == piece - 4)
    second = lzma.compress(b"more")
    start = lzma.compress(first, preset=0)
    content = read_content(stored(tmp_path, ".xz", start + second), SIZE)
    assert (content.data, content.flaw) == (first + b"more", None)
    assert read_content(stored(tmp_path, ".xz", start + second[:3]), SIZE).flaw is Flaw.CUT


@pytest.mark.parametrize("program", ["gzip", "bzip2", "xz", "lz4", "zstd"])
def test_what_the_commands_write_is_read(tmp_path: Path, program: str) -> None:
    """archive_command is a shell line: the commands' own output, not the libraries'."""
    need_program(program)
    written = subprocess.run([program, "-c"], input=DATA, capture_output=True, check=True).stdout
    assert read_content(stored(tmp_path, "", written), SIZE).data == DATA


def test_magic_numbers_are_those_of_the_libraries() -> None:
    for codec in CODECS:
        if codec.magic:
            for compress in (gzip.compress, bz2.compress, lzma.compress, *COMPRESS.values()):
                data = compress(b"x")
                if data.startswith(codec.magic):
                    assert codec_of(data[:6], "x") is codec
