"""What the server reads with fscanf is read as the C library reads it, byte for byte."""

from __future__ import annotations

import ctypes
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from agent.postgres.installation import Installation
from parsers.errors import ParseError
from parsers.files.backup_label import BackupLabel, parse_backup_label
from parsers.files.scanf import Scanner
from tests.parsers.test_formats import LABEL

SEED, ROUNDS = 20261201, 5000
START = b"START WAL LOCATION: %X/%X (file %08X%16s)%c"
CHECKPOINT = b"CHECKPOINT LOCATION: %X/%X%c"
OPTIONAL = (
    b"BACKUP METHOD: %19s\n", b"BACKUP FROM: %19s\n", b"START TIME: %127[^\n]\n",
    b"LABEL: %1023[^\n]\n", b"START TIMELINE: %u\n", b"INCREMENTAL FROM LSN: %X/%X\n",
)  # fmt: skip
TOKENS = (
    b"0x", b"0X", b"-", b"+", b" ", b"\v", b"\t", b"\r", b"\n", b"\r\n", b"\0", b"F" * 9, b"9" * 21,
    b"0" * 30, b"x", b"/", b"7", b"(", b")", b":", b"streamed", b"standby", b"\xa0", b"\xff", b"",
    b"A" * 1100, b"BACKUP FROM: standby\n", b"\n\n",
)  # fmt: skip
_C = ctypes.CDLL(None)
_C.fdopen.restype = ctypes.c_void_p


class Stream:
    """A FILE of the C library's."""

    def __init__(self, file: int) -> None:
        self._file = ctypes.c_void_p(file)

    def scan(self, form: bytes) -> list[int | bytes]:
        """What fscanf stores, as our reader gives it."""
        kinds = [part.lstrip(b"0123456789")[:1] for part in form.split(b"%")[1:]]
        numbers = {b"X": ctypes.c_uint, b"u": ctypes.c_uint, b"c": ctypes.c_char}
        places: list[Any] = [numbers[k]() if k in numbers else ctypes.create_string_buffer(2000)
                  for k in kinds]  # fmt: skip
        count = _C.fscanf(self._file, form, *map(ctypes.byref, places))
        return [each.value for each in places[: max(count, 0)]]

    def close(self) -> None:
        assert not _C.ferror(self._file)
        _C.fclose(self._file)


@contextmanager
def opened(data: bytes) -> Iterator[Stream]:
    fd = os.memfd_create("label")
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    stream = Stream(_C.fdopen(fd, b"r"))
    yield stream
    stream.close()


def mutated(data: bytes, chance: random.Random) -> bytes:
    """With something put into it, or taken out of it, or cut."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        at = chance.randrange(len(made))
        made[at : at + chance.choice((0, 1, 1, 5, 30))] = chance.choice(TOKENS)
        if not made:
            made += b"1"
    if chance.random() < 0.1:
        del made[chance.randrange(len(made)) :]
    return bytes(made)


LABELS = (
    LABEL,
    LABEL.replace(b"primary", b"standby")
    + b"INCREMENTAL FROM LSN: 0/28\nINCREMENTAL FROM TLI: 1\n",
    LABEL.replace(b"BACKUP METHOD: streamed\n", b""),
    LABEL.replace(b"streamed", b"pg_rewind").partition(b"LABEL")[0],
)


@pytest.mark.parametrize("low", [b"%X", b"%08X"], ids=["to 18", "19"])
def test_each_call_takes_and_leaves_what_fscanf_does(low: bytes) -> None:
    chance = random.Random(SEED)
    forms = [form.replace(b"/%X", b"/" + low) for form in (START, CHECKPOINT, *OPTIONAL)]
    for _ in range(ROUNDS):
        data, scanner = mutated(chance.choice(LABELS), chance), None
        with opened(data) as stream:
            scanner = Scanner(data)
            for form in forms:
                theirs = stream.scan(form)
                assert scanner.scan(form) == theirs, (data, form)
            rest = ctypes.create_string_buffer(1)
            left = _C.fread(rest, 1, 1, stream._file)
            assert scanner.rest[:1] == rest.raw[:left], data


@pytest.mark.parametrize("major", [18, 19])
def test_a_label_is_what_the_server_makes_of_it(major: int) -> None:
    chance, read = random.Random(SEED), 0
    for _ in range(ROUNDS):
        data = mutated(chance.choice(LABELS), chance)
        with opened(data) as stream:
            theirs = as_the_server_reads(stream, b"%X" if major < 19 else b"%08X")
        try:
            ours = parse_backup_label(data, major=major)
        except ParseError:
            assert theirs is None, data
            continue
        read += 1
        assert theirs == decided(ours), data
    assert ROUNDS / 4 < read < ROUNDS


def as_the_server_reads(stream: Stream, low: bytes) -> tuple[object, ...] | None:
    """All that read_backup_label decides, or None for a FATAL."""
    start = stream.scan(START.replace(b"/%X", b"/" + low))
    if len(start) != 5 or start[4] != b"\n":
        return None
    point = stream.scan(CHECKPOINT.replace(b"/%X", b"/" + low))
    if len(point) != 3 or point[2] != b"\n":
        return None
    method, source, _, _, timeline, before = (
        stream.scan(form.replace(b"/%X", b"/" + low)) for form in OPTIONAL
    )
    if timeline and timeline != [start[2]]:
        return None
    lsns = [int(high) << 32 | int(low) for high, low in (start[:2], point[:2])]
    return (*lsns, start[2], method == [b"streamed"], source == [b"standby"], bool(before))


def decided(label: BackupLabel) -> tuple[object, ...]:
    return (
        label.start_lsn, label.checkpoint_lsn, label.timeline, label.method == "streamed",
        label.source == "standby", label.incremental_from_lsn is not None,
    )  # fmt: skip


def test_these_are_the_formats_of_each_server(pg: Installation) -> None:
    program = (pg.bindir / "postgres").read_bytes()
    low = b"%X" if pg.major < 19 else b"%08X"
    since_17 = OPTIONAL if pg.major >= 17 else OPTIONAL[:-1]
    for form in (START, CHECKPOINT, *since_17, b"%u\t%X/%X"):
        assert form.replace(b"/%X", b"/" + low) + b"\0" in program, form
