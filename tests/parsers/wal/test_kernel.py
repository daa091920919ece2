"""Equal or it is wrong: a segment read by the compiled engine is what numpy makes of it.

The numpy engine is the oracle, and it is held to pg_waldump elsewhere. Whole scans are compared:
facts, head, tail, end and damage.
"""

from __future__ import annotations

import io
import itertools
import lzma
import os
import random
import struct
import tarfile
import threading
from array import array
from collections.abc import Iterator
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.errors import ParseError
from parsers.segment import parse_segment_name
from parsers.wal import kernel
from parsers.wal.page import LONG_HEADER_BYTES, parse_segment_header
from parsers.wal.scan import EndKind, SegmentScan
from parsers.wal.stream import Geometry
from tests.parsers.test_wal_decode_alike import RECORDS, Written, append
from tests.parsers.wal.both import CATALOGS, Both, Read, change_of_a_page, read_both
from tests.wal_writer import MIB, PAGE, WalWriter

DATA = Path(__file__).parent.parent.parent / "data"
MAGICS = (0xD106, 0xD10D, 0xD110, 0xD113, 0xD116, 0xD118, 0xD121)


def scan(data: bytes | memoryview, number: int = 1, timeline: int = 1) -> Read:
    return read_both(data, name_timeline=timeline, segment_number=number)


def is_walked(data: bytes, number: int = 1, timeline: int = 1) -> bool:
    """Whether the kernel accepts a segment, so that the numpy engine does not read it as well."""
    header = parse_segment_header(data)
    size = header.segment_size
    geometry = Geometry(number * size, size, header.page_size, len(data) // header.page_size)
    before = kernel.running()
    kernel.choose("c")
    try:
        return kernel.walk_segment([memoryview(data)], geometry, header, timeline) is not None
    finally:
        kernel.choose(before)


def assert_equal(engines: Both, data: bytes, number: int = 1, timeline: int = 1) -> SegmentScan:
    slow, fast = engines(lambda: scan(data, number, timeline))
    assert fast == slow
    return fast.scan


# -- samples --------------------------------------------------------------------------------------


def samples() -> Iterator[tuple[str, Path]]:
    yield from ((path.name, path) for path in sorted(DATA.rglob("*.tar.xz")))
    yield from ((path.name, path) for path in sorted((DATA / "wal").rglob("*.xz")))


def segments_in(content: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            name = member.name.rsplit("/", 1)[-1]
            file = archive.extractfile(member) if member.isfile() else None
            if file is None:
                continue
            if name.endswith(".tar"):
                yield from segments_in(file.read())
            elif len(name) == 24 and set(name) <= set("0123456789ABCDEF"):
                yield name, file.read()


@pytest.mark.parametrize("path", [path for _, path in samples()], ids=[n for n, _ in samples()])
def test_the_engines_agree_on_the_samples(path: Path, engines: Both) -> None:
    content = lzma.decompress(path.read_bytes())
    found = segments_in(content) if ".tar" in path.name else [(path.stem, content)]
    for name, data in found:
        try:
            header = parse_segment_header(data)
        except ParseError:
            continue
        timeline, number = parse_segment_name(name, header.segment_size)
        result = assert_equal(engines, data, number, timeline)
        if result.damage is None and result.facts.records:
            assert is_walked(data, number, timeline), name


# -- WAL made here --------------------------------------------------------------------------------


def make_varied(chance: random.Random, magic: int, pages: int, largest: int = 20_000) -> WalWriter:
    """Records of all classes and of sizes that cross pages."""
    wal = WalWriter(magic=magic)
    while len(wal.out) < pages * PAGE:
        xid = chance.choice([chance.randrange(3, 1 << 32), chance.randrange(700, 720)])
        match chance.randrange(10):
            case 0:
                wal.commit(xid, xid, tuple(range(chance.randrange(1, 6))))
            case 1:
                wal.record(1, 0x80, xid, struct.pack("<qIII", xid, 1, 5, 5) + bytes(24))
            case 2:
                operation = chance.choice([0, 0, 0x20, 0x30, 0x40])
                wal.record(1, 0x80 | operation, xid, make_details(chance, magic))
            case 3:
                wal.record(0, 0x70, 0, struct.pack("<q", xid) + b"name".ljust(64, b"\0"))
            case 4:
                sizes = (26, 31, 100, 515, 516, 517, 1000, 5000, 20_000)
                wal.message(min(chance.choice(sizes), largest))
            case 5:
                wal.record(8, 0x10, 0, struct.pack("<ii?3xIII", 0, 0, False, 9, 8, 7))
            case 6:
                wal.record(10, 0x20, xid, chance.randbytes(chance.randrange(200)))
            case 7:
                rmgr, info, body = change_of_a_page(chance)
                wal.raw_record(rmgr, info, xid, body[:largest])
            case _:
                wal.commit(xid, chance.randrange(-(1 << 63), 1 << 63))
    return wal


def make_details(chance: random.Random, magic: int) -> bytes:
    """Main data of a commit with any of what xinfo announces, in its order."""
    xinfo = sum(chance.choice([0, bit]) for bit in (0x001, 0x008, 0x020, 0x100))
    if not chance.randrange(4):
        xinfo |= chance.choice([0x002, 0x004, 0x010, 0x090])
    data = struct.pack("<qI", chance.randrange(1 << 40), xinfo)
    data += bytes(8) if xinfo & 0x001 else b""
    stats_bytes = 16 if magic >= 0xD118 else 12
    for bit, item_bytes in ((0x002, 4), (0x004, 12), (0x100, stats_bytes), (0x008, 16)):
        if xinfo & bit:
            count = chance.randrange(20)
            data += struct.pack("<I", count) + chance.randbytes(count * item_bytes)
    data += struct.pack("<I", 777) if xinfo & 0x010 else b""
    data += b"gid\0" if xinfo & 0x080 else b""
    return data + (bytes(16) if xinfo & 0x020 else b"")


@pytest.mark.parametrize("portable", [False, True], ids=["best", "portable"])
@pytest.mark.parametrize("magic", MAGICS, ids=hex)
def test_the_engines_agree_on_sound_wal(engines: Both, magic: int, portable: bool) -> None:
    chance = random.Random(magic)
    module = kernel.built()
    assert module is not None
    module.use_portable(portable)
    try:
        for end in ("full", "switch", "zeros", "recycled"):
            wal = make_varied(chance, magic, 150 if end == "full" else 20)
            if end == "switch":
                wal.switch()
            segments = wal.segments()
            if end == "recycled":
                older = make_varied(chance, magic, 300).segments()[1]
                cut = (len(wal.out) + PAGE - 1) // PAGE * PAGE
                segments[0] = segments[0][:cut] + _readdressed(older, cut)
            for number, data in enumerate(segments, start=1):
                result = assert_equal(engines, data, number)
                assert result.damage is None and is_walked(data, number)
                kinds = {"full": EndKind.FULL, "switch": EndKind.SWITCH, "zeros": EndKind.ZEROS}
                if number < len(segments) or end != "full":
                    assert result.end.kind is kinds.get(end, EndKind.RECYCLED)
    finally:
        module.use_portable(False)


def _readdressed(segment: bytes, begin: int) -> bytes:
    """The end of a segment as one that was written before segment 1."""
    data = bytearray(segment)
    for at in range(0, len(data), PAGE):
        struct.pack_into("<Q", data, at + 8, at)
    return bytes(data[begin:])


@pytest.mark.parametrize("gap", range(8, 200, 8))
def test_a_record_may_be_split_anywhere(gap: int, engines: Both) -> None:
    for fill in (WalWriter.fill_page_to, WalWriter.fill_to):
        for size in (26, 48, 100, 700, 9000, 70_000):
            wal = WalWriter()
            wal.commit(700, 1)
            fill(wal, gap)
            wal.message(size)
            wal.commit(701, 2, (702, 703))
            wal.switch()
            for number, data in enumerate(wal.segments(), start=1):
                assert_equal(engines, data, number)


@pytest.mark.parametrize("gap", [8, 16, 24])
def test_a_switch_over_the_segments_end(gap: int, engines: Both) -> None:
    wal = WalWriter()
    wal.commit(700, 1)
    wal.fill_to(gap)
    wal.switch()
    for number, data in enumerate(wal.segments(), start=1):
        assert_equal(engines, data, number)


@settings(deadline=None, max_examples=300)
@given(st.lists(RECORDS, min_size=1, max_size=12), st.sampled_from(MAGICS), st.integers(0, 60))
def test_the_engines_agree_on_records_of_any_content(
    engines: Both, records: list[Written], magic: int, gap: int
) -> None:
    wal = WalWriter(magic=magic)
    wal.commit(699, 5)
    if gap:
        wal.fill_page_to(8 * gap)
    for record in records:
        append(wal, record)
    for number, data in enumerate(wal.segments(), start=1):
        assert_equal(engines, data, number)


# -- damage ---------------------------------------------------------------------------------------

MUTATIONS = int(os.environ.get("PITR_TEST_MUTATIONS", "10000"))


def mutate(chance: random.Random, data: bytes, used: int, starts: list[int]) -> bytes:
    """Change a few bytes; of a record, half the time so that its checksum holds."""
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 3)):
        match chance.randrange(6):
            case 0:  # a page header
                at = chance.randrange(-(-used // PAGE)) * PAGE + chance.randrange(24)
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                at = chance.randrange(used)
                changed[at : at + 8] = chance.choice([bytes(8), b"\xff" * 8, chance.randbytes(8)])
            case 2:  # a page from elsewhere, or zeros
                at, other = (chance.randrange(-(-used // PAGE)) * PAGE for _ in range(2))
                page = chance.choice([bytes(PAGE), changed[other : other + PAGE]])
                changed[at : at + PAGE] = page
            case 3:
                changed[chance.randrange(used)] ^= 1 << chance.randrange(8)
            case _:
                _mutate_record(chance, changed, chance.choice(starts))
    return bytes(changed)


def _mutate_record(chance: random.Random, data: bytearray, at: int) -> None:
    (total,) = struct.unpack_from("<I", data, at)
    if not 24 <= total <= PAGE - at % PAGE:
        return
    field = chance.choice([0, 4, 8, 16, 17, 24, 25, 26, 34, 38, chance.randrange(total)])
    data[at + min(field, total - 1)] = chance.choice([0, 1, 2, 8, 255, chance.randrange(256)])
    (total,) = struct.unpack_from("<I", data, at)
    if 24 <= total <= PAGE - at % PAGE:
        crc = google_crc32c.value(bytes(data[at + 24 : at + total]))
        struct.pack_into("<I", data, at + 20, google_crc32c.extend(crc, bytes(data[at : at + 20])))


def starts_of(data: bytes, used: int) -> list[int]:
    """Offsets of records that lie whole in a page: chance finds more than enough of them."""
    starts = []
    for page in range(0, used, PAGE):
        flags, carried = struct.unpack_from("<H", data, page + 2)[0], 0
        if flags & 1:
            (carried,) = struct.unpack_from("<I", data, page + 16)
        at = page + (24 if page else LONG_HEADER_BYTES) + (carried + 7 & ~7)
        while at < page + PAGE:
            (total,) = struct.unpack_from("<I", data, at)
            if not 24 <= total <= page + PAGE - at:
                break
            starts.append(at)
            at += total + 7 & ~7
    return starts


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(4))
def test_the_engines_agree_on_mutations(engines: Both, part: int) -> None:
    """10,000 of them, in four parts for as many processes."""
    seed = int(os.environ.get("PITR_TEST_SEED", "430006288")) + part
    print(f"PITR_TEST_SEED={seed - part}")
    chance = random.Random(seed)
    bases = []
    for magic, end in itertools.product(MAGICS, ("zeros", "switch")):
        wal = make_varied(chance, magic, 6)
        used = len(wal.out)
        if end == "switch":
            wal.switch()
        bases.append((wal.segments()[0], used))
    full = make_varied(chance, 0xD116, 150).segments()[1]
    bases.append((full, MIB))
    found = [(data, used, starts_of(data, used)) for data, used in bases]
    damaged = walked = 0
    for turn in range(MUTATIONS // 4):
        data, used, starts = found[-1] if turn % 50 == 0 else chance.choice(found[:-1])
        changed = mutate(chance, data, used, starts)
        number = 2 if used == MIB else 1
        result = assert_equal(engines, changed, number)
        damaged += result.damage is not None
        walked += result.damage is None
    assert damaged > MUTATIONS // 12 and walked > MUTATIONS // 200


# -- the boundary ---------------------------------------------------------------------------------


def test_threads_scan_side_by_side(engines: Both) -> None:
    chance = random.Random(5)
    segments = [make_varied(chance, magic, 120).segments()[0] for magic in MAGICS]
    expected = [engines(lambda data=data: scan(data))[0] for data in segments]  # type: ignore[misc]
    before = kernel.running()
    kernel.choose("c")
    differing: list[int] = []

    def read() -> None:
        for _ in range(5):
            differing.extend(n for n, data in enumerate(segments) if scan(data) != expected[n])

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kernel.choose(before)
    assert differing == []


@pytest.mark.needs("the compiled engine")
def test_wrong_calls_are_refused() -> None:
    module = kernel.built()
    assert module is not None
    walk = module.Walk()
    with pytest.raises(RuntimeError, match="begin"):
        walk.feed(bytes(8192))
    with pytest.raises(RuntimeError, match="begin"):
        walk.result()
    for kinds, page_size in ((bytes(10), 8192), (bytes(65536), 8191), (bytes(65536), 512)):
        with pytest.raises(ValueError, match="legal"):
            walk.begin(kinds, 0, page_size, 0, 0, 0, 0, 0, 0, None)
    settings = (bytes(65536), 0, 8192, 0xD116, 15, 8, 1, 12, 28)
    for catalogs in (bytes(3), bytes(4 * 65)):
        with pytest.raises(ValueError, match="file numbers"):
            walk.begin(*settings, catalogs)
    with pytest.raises(RuntimeError, match="begin"):
        walk.feed(bytes(8192))
    with pytest.raises(TypeError):
        walk.begin(*settings, 1259)
    walk.begin(*settings, None)
    with pytest.raises(ValueError, match="whole pages"):
        walk.feed(bytes(8191))
    with pytest.raises(TypeError):
        walk.feed("text")
    with pytest.raises(TypeError):
        module.Walk(1)
    assert walk.feed(b"") is True
    with pytest.raises(ValueError, match="a row for each"):
        walk.fill(*(bytearray(8) for _ in range(5)))
    with pytest.raises(TypeError, match="read-write"):
        walk.fill(*(b"" for _ in range(5)))
    with pytest.raises(ValueError, match="a row for each"):
        walk.fill_usage(*(bytearray(8) for _ in range(4)))


@pytest.mark.needs("the compiled engine")
def test_pages_may_be_fed_in_any_pieces() -> None:
    module = kernel.built()
    assert module is not None
    data = make_varied(random.Random(3), 0xD116, 100).segments()[0]
    results = []
    for pages in (1, 3, 128):
        walk = module.Walk()
        walk.begin(kernel._kinds(17), MIB, PAGE, 0xD116, 15, 8, 1, 12, 28, array("I", CATALOGS))
        for at in range(0, len(data), pages * PAGE):
            if not walk.feed(data[at : at + pages * PAGE]):
                break
        results.append((walk.result(), walk.changes()))
    assert results[0][1][1] and results[0] == results[1] == results[2]
