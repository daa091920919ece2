"""Sound inputs of every entry of the parsers, for fuzzing: real ones where they are kept here."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import tarfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import google_crc32c

from parsers.evidence.envelope import Envelope, render_envelope
from parsers.evidence.statement import PREDICATE_TYPE, SCHEMA, STATEMENT_TYPE
from parsers.repository.pgbackrest import parse_manifest
from tests.parsers.catalogues import compile_catalogue
from tests.parsers.log.test_fuzz import CSV_PIECES, PIECES
from tests.parsers.repository.test_barman_info import INFO
from tests.parsers.test_formats import LABEL, make_manifest
from tests.parsers.test_increment import postgres, walg
from tests.wal_writer import WalWriter, seal

_DATA: Final = Path(__file__).parents[1] / "data"
_LEAST_FILES: Final = 12  # a manifest of a thousand files is no better a sample
_CRC_OFFSETS: Final = {1300: 288, 1700: 288, 1800: 292, 1903: 308}  # by pg_control_version
# 8192 bytes: an `a`, thirty copies of 273 bytes from one before, and one of a byte.
_COPIES: Final = b"\x0f\x01\xff"
_PGLZ: Final = (b"\xfea" + _COPIES * 7 + (b"\xff" + _COPIES * 8) * 2 + b"\x7f" + _COPIES * 7
                + b"a")  # fmt: skip
_LINES: Final = tuple(piece for piece in PIECES if len(piece) > 20)


def samples_of(name: str) -> tuple[bytes, ...]:
    """Those of one entry: never none."""
    found = _all()[name]
    return found if isinstance(found, tuple) else (found,)


@lru_cache
def _all() -> dict[str, bytes | tuple[bytes, ...]]:
    records = _records()
    pages = _wal()[: 3 * 8192]
    short = (pages[:8192], pages[: 2 * 8192], pages)
    info = _repository("br_bundle_block_18", "archive.info")
    texts = tuple(line.rstrip() for line in _LINES)
    log = (b"".join(PIECES[:5]), b"".join(_LINES))
    return {
        "evidence envelope": _envelope(), "evidence statement": _statement(),
        "evidence head": json.dumps({"chain": "x", "sequence": 4, "sha256": "0" * 64}).encode(),
        "backup_label": LABEL, "backup_manifest": make_manifest(),
        "backup history": LABEL.replace(
            b"CHECK", b"STOP WAL LOCATION: 0/20 (file 0000000100%s)\nCHECK" % (b"0" * 14)),
        "conf statement": b"recovery_target_time = '2026-01-01 00:00:00' # c",
        "incremental start": bytes.fromhex("0d1faed3 03000000 09000000") + bytes(1012),
        "incremental blocks": struct.pack("<6I", 0xD3AE1F0D, 3, 9, 1, 2, 3) + bytes(4096),
        "relation path": (b"base/5/16384.1", b"pg_tblspc/16400/PG_16_202307071/5/16401_fsm"),
        "increment": (postgres(7, 1, 6), walg(16384, 0, 1)),
        "pg_control": tuple(_control(number) for number in (1300, 1700, 1800, 1903)),
        "server conf": b"a = 'b\\'c' # d\ninclude 'x'\nport 5432\nx.y = 1.5e3\n",
        "tablespace_map": b"16384 /a\n16385 /b\\\\c\n", "tablespace_map, 13": b"16384 /a\n5 /b\n",
        "timeline history": b"1\t0/3000000\tno target\n\n2\t0/4000000\tx\n",
        "command output": (*texts, b"cp: cannot stat '/a/00000002.history': No such file"),
        "csv begins": CSV_PIECES[0], "csv looks": CSV_PIECES[0], "json looks": PIECES[6],
        "colours": b"\x1b[31mLOG\x1b[0m: x", "repair": (*texts, b"LOG:  x\xc3\xa9\r"),
        "encodings": "redo à é ñ".encode(), "envelope": texts, "has envelope": texts,
        "tool line": (b"2026-01-01 00:00:00.000 P00   INFO: archive-get command begin 2.45",),
        "dots": b"a ... b", "log instant": b"2026-11-22 12:46:40.700 UTC", "wrapping": texts,
        "format string": b"redo starts at %X/%X %s %.3f %%", "language": _catalogue(),
        "spellings": b"redo starts at %X/%X", "log": log, "log, prefix told": log,
        "log, prefix of a client's": log, "log in pieces": log,
        "csvlog": b"".join(CSV_PIECES), "jsonlog": PIECES[6] * 2, "lsn": b"0/3000028",
        "barman backup.info": (INFO, *_repository("bm_gap_16", "-backup.info")),
        "barman xlogdb": _repository("bm_gap_16", "xlog.db"),
        "barman config": b"[barman]\nbarman_home = /b\nconfiguration_files_directory = /etc/b.d\n"
        b"[main]\nwals_directory = %(backup_directory)s/w\nxlogdb_directory = '/x'\n",
        "pgbackrest name": b"000000010000000000000004-" + b"a1" * 20 + b".gz",
        "pgbackrest archive.info": info,
        "pgbackrest backup.info": _repository("br_bundle_block_18", "backup.info"),
        "pgbackrest manifest": _manifests(), "pgbackrest sections": info,
        "pgbackrest ok": (b"", b"0\na", b"1\na warning\n"),
        "pgbackrest config": b"[global]\nrepo1-path=/r\n[main]\npg1-path=/d\n",
        "walg sentinel": _repository("wg_zstd_sodium_gap_18", "_sentinel.json"),
        "walg files": tuple(_few(each) for each in
                            _repository("wg_zstd_sodium_gap_18", "files_metadata.json")),
        "block map": _block_maps(),
        "wal name": (b"000000010000000000000004.partial.gz", b"00000002.history"),
        "segment name": b"000000010000000000000004",
        "timestamp fields": b"2026-11-22 12:46:40.700+02 BC",
        "timestamp": (b"2026-11-22 12:46:40.700+02", b"22 Nov 2026 PST", b"J2451187",
                      b"20261122T124640Z"),
        "record header": records, "main data": records, "decode": records, "changes": records,
        "blocks": records, "pages in WAL": records, "pglz": _PGLZ,
        "relation": _heap(), "page header": pages[:24], "segment header": pages[:40],
        "any header": pages[:40], "class row": _class_row(), "named row": _class_row()[:80],
        "filenode map": struct.pack("<II", 0x592717, 2) + struct.pack("<4I", 1259, 1, 1247, 2),
        "segment": short, "segment, stitched": short,
    }  # fmt: skip


# -- checksums that must hold, or nothing below them is reached ------------------------------------


def resealed(name: str, data: bytes) -> bytes:
    """The input with the checksum of its format put right, where it has one."""
    seal_again = _SEALS.get(name)
    return seal_again(data) if seal_again else data


def _reseal_manifest(data: bytes) -> bytes:
    head = data[: data.rfind(b"\n", 0, max(len(data) - 1, 0)) + 1]
    digest = hashlib.sha256(head).hexdigest().encode()
    return head + b'"Manifest-Checksum": "' + digest + b'"}\n'


def _reseal_control(data: bytes) -> bytes:
    at = _CRC_OFFSETS.get(int.from_bytes(data[8:12], "little"), len(data))
    if len(data) < at + 4:
        return data
    return data[:at] + struct.pack("<I", google_crc32c.value(data[:at])) + data[at + 4 :]


def _reseal_info(data: bytes) -> bytes:
    """As the tool writes its checksum: of all keys in the order of the sections."""
    written: dict[str, list[str]] = {}
    section = None
    for line in data.decode("utf-8", "replace").split("\n"):
        if re.match(r"\[(.+)\]\Z", line) and "=" not in line:
            section = line[1:-1]
        elif section is not None and "=" in line and not line.startswith("backrest-checksum="):
            at = line.find("={")
            key, value = (line[:at], line[at + 1 :]) if at >= 0 else line.split("=", 1)
            written.setdefault(section, []).append(f"{json.dumps(key, ensure_ascii=False)}:{value}")
    parts = ",".join(
        f"{json.dumps(name, ensure_ascii=False)}:{{{','.join(written[name])}}}"
        for name in sorted(written)
    )
    digest = hashlib.sha1(f"{{{parts}}}".encode()).hexdigest()
    text = data.decode("utf-8", "replace")
    return re.sub(r"(?<=backrest-checksum=)[^\n]*", f'"{digest}"', text).encode()


_SEALS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "backup_manifest": _reseal_manifest, "pg_control": _reseal_control,
    "pgbackrest archive.info": _reseal_info, "pgbackrest backup.info": _reseal_info,
    "pgbackrest manifest": _reseal_info, "pgbackrest sections": _reseal_info,
}  # fmt: skip


# -- what they are made of -------------------------------------------------------------------------


def _repository(case: str, ending: str) -> tuple[bytes, ...]:
    """The files of a kept repository whose names end so, each content once."""
    found = {}
    with tarfile.open(_DATA / "repositories" / f"{case}.tar.xz") as whole:
        for member in whole:
            file = whole.extractfile(member) if member.name.endswith(ending) else None
            if file is not None:
                found[file.read()] = None
    assert found, (case, ending)
    return tuple(found)[:3]


def _manifests() -> tuple[bytes, ...]:
    """Real manifests with a few of their files."""
    return tuple(_reseal_info(b"\n".join(_thinned(each.split(b"\n"))))
                 for each in _repository("br_bundle_block_18", "backup.manifest"))  # fmt: skip


def _thinned(lines: list[bytes]) -> Iterator[bytes]:
    kept = 0
    for line in lines:
        of_file = line.startswith((b"pg_data/", b"pg_tblspc/"))
        kept = kept + 1 if of_file else 0
        if kept < _LEAST_FILES:
            yield line


def _block_maps() -> tuple[bytes, ...]:
    """As pgBackRest 2.46 and later write them, of blocks of 8 KiB and checksums of 6 bytes."""
    found = []
    with tarfile.open(_DATA / "repositories" / "br_bundle_block_18.tar.xz") as whole:
        files = {each.name.partition("backup/main/")[2]: each for each in whole}
        for name in sorted(files):
            if not name.endswith("/backup.manifest"):
                continue
            manifest = parse_manifest(_content(whole, files[name]))
            for file in manifest.files:
                stored = files.get(f"{file.reference or manifest.label}/{file.path}.pgbi")
                if stored is not None and file.block_checksum_bytes == 6:
                    found.append(_content(whole, stored)[-file.map_bytes :])
    return tuple(sorted(set(found), key=len))[:5]


def _content(whole: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = whole.extractfile(member)
    assert file is not None
    return file.read()


def _few(metadata: bytes) -> bytes:
    document = json.loads(metadata)
    for key, value in document.items():
        if isinstance(value, dict):
            document[key] = dict(list(value.items())[:_LEAST_FILES])
    return json.dumps(document).encode()


def _wal() -> bytes:
    wal = WalWriter()
    for xid in range(700, 900):
        wal.commit(xid, xid, (xid + 1, xid + 2))
        wal.record(0, 0x70, 0, bytes(8) + b"name" + bytes(60))
        wal.record(1, 0x90, xid, bytes(40))
    return wal.segments()[0]


def _records() -> tuple[bytes, ...]:
    """Records of the kinds that are decoded, with and without blocks."""
    short = struct.pack("<BB", 255, 40) + bytes(40)
    commit = struct.pack("<BB", 255, 8) + struct.pack("<q", 700)
    checkpoint = struct.pack("<BB", 255, 88) + bytes(88)
    block = struct.pack("<BBHIIII", 0, 0x20, 30, 1663, 5, 1259, 0)
    change = block + struct.pack("<BB", 255, 14) + bytes(30) + bytes(14)
    return (
        seal(1, 0x00, 700, 0, commit), seal(1, 0x80, 700, 0, short),
        seal(0, 0x10, 0, 0, checkpoint),
        seal(0, 0x70, 0, 0, struct.pack("<BB", 255, 72) + bytes(72)), _with_page(),
        *(seal(10, info, 700, 0, change) for info in (0x00, 0x10, 0x20, 0x40, 0x70)),
    )  # fmt: skip


def _with_page() -> bytes:
    """A record with a page in it, without its hole."""
    image = struct.pack("<HHB", 4096, 24, 0x01 | 0x02)
    head = struct.pack("<BBH", 0, 0x10, 0) + image + struct.pack("<IIII", 1663, 5, 1259, 0)
    return seal(0, 0xB0, 700, 0, head + bytes(4096))


def _heap() -> bytes:
    """A heap page with two rows."""
    page = bytearray(8192)
    struct.pack_into("<QHHHHHHI", page, 0, 8, 0, 0, 32, 8092, 8192, 8192 | 4, 0)
    struct.pack_into("<II", page, 24, 8092 | 1 << 15 | 100 << 17, 8150 | 1 << 15 | 40 << 17)
    page[8092 + 22] = page[8150 + 22] = 24
    return bytes(page)


def _class_row() -> bytes:
    return struct.pack("<I64sI16xII", 1259, b"pg_class", 11, 1259, 0).ljust(115, b"\0") + b"r" * 9


def _control(number: int) -> bytes:
    return _reseal_control(struct.pack("<QII", 7 << 60, number, 202307071) + bytes(400))


def _catalogue() -> bytes:
    return compile_catalogue({"": "Content-Type: text/plain; charset=UTF-8\n",
                              "redo starts at %X/%X": "redo comienza en %X/%X",
                              "LOG": "LOG"})  # fmt: skip


def _statement() -> bytes:
    said = {
        "schema": SCHEMA, "kind": "verdict", "at": "2026-11-01T00:00:00+00:00", "chain": "x",
        "sequence": 1, "previous": {"sha256": "0" * 64}, "cluster": "lab", "found": ["a"],
        "removed": {"through": 4, "sha256": "1" * 64},
        "wal": {"name": "wal/7 /wal", "archives": ["/wal"], "segments": 1, "sha256": "2" * 64,
                "whole": True, "read": [f"000000010000000000000004 {3:064x}"],
                "gone": ["000000010000000000000003"]},
    }  # fmt: skip
    document = {"_type": STATEMENT_TYPE, "predicateType": PREDICATE_TYPE, "predicate": said}
    return json.dumps(document).encode()


def _envelope() -> bytes:
    return render_envelope(Envelope(payload=_statement(), payload_type="application/x",
                                    key_id="0" * 64, signature=bytes(64)))  # fmt: skip
