"""Every public entry of the parsers that takes what others wrote, as a call with bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from parsers.errors import ParseError
from parsers.evidence.envelope import parse_envelope
from parsers.evidence.statement import parse_head
from parsers.evidence.statement import parse_statement as parse_evidence
from parsers.files.backup_label import parse_backup_history, parse_backup_label
from parsers.files.backup_manifest import parse_backup_manifest
from parsers.files.conf_grammar import parse_statement
from parsers.files.data_page import (
    incremental_blocks,
    parse_incremental_start,
    parse_relation_path,
)
from parsers.files.increment import parse_increment
from parsers.files.pg_control import parse_control_file
from parsers.files.server_conf import parse_server_conf
from parsers.files.tablespace_map import parse_tablespace_map
from parsers.files.timeline_history import parse_timeline_history
from parsers.log import (
    command_output,
    csvlog,
    damage,
    encoding,
    jsonlog,
    syslog,
    tool_lines,
    wrapping,
)
from parsers.log import times as log_times
from parsers.log.format_string import parse_format
from parsers.log.message_catalogue import parse_language, spellings
from parsers.log.stream import LogStream
from parsers.lsn import parse_lsn
from parsers.repository import barman, pgbackrest, pgbackrest_spool, walg
from parsers.repository.barman_config import BarmanConfig
from parsers.repository.block_map import parse_block_map
from parsers.repository.pgbackrest_config import parse_config
from parsers.segment import parse_segment_name, parse_wal_name
from parsers.timestamps.fields import split_fields
from parsers.timestamps.reading import parse_timestamp
from parsers.wal.blocks import read_blocks, restore_page, unpack_pglz
from parsers.wal.decode import Source, decode
from parsers.wal.heap_page import read_relation
from parsers.wal.journal import read_changes
from parsers.wal.page import parse_any_header, parse_page_header, parse_segment_header
from parsers.wal.pg_catalog import read_class_row, read_filenode_map, read_named_row
from parsers.wal.record import main_data, parse_record_header
from parsers.wal.scan import scan_segment
from parsers.wal.stitch import stitch_run

Entry = Callable[[bytes], object]


def of_text(function: Callable[[str], object]) -> Entry:
    """What takes text gets the bytes as text, one line of it where it takes a line."""
    return lambda data: function(data.decode("latin-1"))


def of_line(function: Callable[[str], object]) -> Entry:
    return lambda data: function(data.decode("latin-1").replace("\n", " "))


def _stream(**options: object) -> Entry:
    def feed(data: bytes) -> object:
        stream = LogStream(**options)  # type: ignore[arg-type]
        return [*stream.feed(data), *stream.end()]

    return feed


def _drip(data: bytes) -> object:
    """A log as it is read while it is written: a piece at a time."""
    stream = LogStream(prefix="%m [%p] ")
    items = [item for at in range(0, len(data), 4096) for item in stream.feed(data[at : at + 4096])]
    return items + stream.end()


def _source(data: bytes, major: int) -> Source:
    """That of a record whose header says what it is; xid 700, for changes are of transactions."""
    head = data[:24].ljust(24, b"\0")
    return Source(major, 8, 16, 700, head[17], head[16])


def _decode(data: bytes) -> None:
    for major in (13, 18):
        with suppress(ParseError):
            decode(data, _source(data, major))


def _changes(data: bytes) -> None:
    for major in (13, 18):
        list(read_changes(data, _source(data, major), frozenset({0, 1247, 1259, 16384})))


def _pages(data: bytes) -> None:
    for block in read_blocks(data, 16):
        if block.image:
            restore_page(block.image)


def _increment(data: bytes) -> None:
    start = parse_incremental_start(data, 1024, 300)
    if len(data) >= start.header_bytes:
        incremental_blocks(data, start)


def _stitched(data: bytes) -> None:
    for depth in ("headers", "records"):
        scan = scan_segment(data, name_timeline=1, segment_number=1, segment_size=1 << 20,
                            depth=depth)  # type: ignore[arg-type]  # fmt: skip
        list(stitch_run([scan]))


def _barman_config(text: str) -> None:
    config = BarmanConfig()
    config.read(text)
    for server in config.servers():
        config.places(server)
    assert config.further_files is None or config.further_files


ENTRIES: Final[dict[str, Entry]] = {
    "evidence envelope": parse_envelope,
    "evidence statement": parse_evidence,
    "evidence head": parse_head,
    "backup_label": parse_backup_label,
    "backup history": parse_backup_history,
    "backup_manifest": parse_backup_manifest,
    "conf statement": of_line(lambda line: parse_statement(line, 1)),
    "incremental start": lambda data: parse_incremental_start(data, 8192, 131072),
    "incremental blocks": _increment,
    "relation path": of_line(lambda line: parse_relation_path(line, 202307071)),
    "increment": parse_increment,
    "pg_control": parse_control_file,
    "server conf": of_text(parse_server_conf),
    "tablespace_map, 13": lambda data: parse_tablespace_map(data, major=13),
    "tablespace_map": lambda data: parse_tablespace_map(data, major=16),
    "timeline history": lambda data: parse_timeline_history(data, 5),
    "command output": of_line(command_output.read_command_output),
    "csv begins": of_line(csvlog.begins_record),
    "csv looks": of_line(csvlog.looks_like_csv),
    "json looks": of_line(jsonlog.looks_like_json),
    "colours": of_text(damage.strip_colours),
    "repair": of_text(damage.repair),
    "encodings": of_text(lambda text: list(encoding.readings(text))),
    "envelope": of_line(syslog.read_envelope),
    "has envelope": of_line(syslog.has_envelope),
    "tool line": of_line(tool_lines.recognise_tool),
    "dots": of_line(tool_lines.without_dots),
    "log instant": of_line(log_times.parse_instant),
    "wrapping": of_line(wrapping.find_wrapping),
    "format string": of_text(parse_format),
    "language": lambda data: parse_language("es", data),
    "spellings": of_text(lambda text: next(iter(spellings(text)), None)),
    "log": _stream(),
    "log, prefix told": _stream(prefix="%m [%p] "),
    "log, prefix of a client's": _stream(prefix="%a %u %d %h %r %i %m "),
    "log in pieces": _drip,
    "csvlog": _stream(format="csv"),
    "jsonlog": _stream(format="json"),
    "lsn": of_line(parse_lsn),
    "barman backup.info": lambda data: barman.parse_backup_info(data, "20260101T000000"),
    "barman xlogdb": barman.parse_xlogdb,
    "pgbackrest name": of_line(pgbackrest.parse_stored_name),
    "pgbackrest archive.info": pgbackrest.parse_archive_info,
    "pgbackrest backup.info": pgbackrest.parse_backup_info,
    "pgbackrest manifest": pgbackrest.parse_manifest,
    "pgbackrest sections": pgbackrest.parse_sections,
    "pgbackrest ok": pgbackrest_spool.parse_ok_file,
    "pgbackrest config": of_text(lambda text: parse_config(text, {})),
    "walg sentinel": lambda data: walg.parse_sentinel(data, "base_000000010000000000000002"),
    "walg files": walg.parse_files_metadata,
    "barman config": of_text(_barman_config),
    "block map": lambda data: parse_block_map(data, 8192, 6),
    "wal name": of_line(parse_wal_name),
    "segment name": of_line(lambda line: parse_segment_name(line, 1 << 24)),
    "timestamp fields": of_line(split_fields),
    "timestamp": of_line(parse_timestamp),
    "record header": parse_record_header,
    "main data": lambda data: main_data(data, 16),
    "decode": _decode,
    "changes": _changes,
    "blocks": lambda data: read_blocks(data, 16),
    "pages in WAL": _pages,
    "pglz": lambda data: unpack_pglz(data, 8192),
    "relation": lambda data: list(read_relation(data)),
    "page header": parse_page_header,
    "segment header": parse_segment_header,
    "any header": parse_any_header,
    "class row": lambda data: read_class_row(data, 16),
    "named row": read_named_row,
    "filenode map": read_filenode_map,
    "segment": lambda data: scan_segment(data, name_timeline=1, segment_number=1),
    "segment, stitched": _stitched,
}


def ask(entry: Entry, data: bytes) -> None:
    """Raises what no parser may raise."""
    with suppress(ParseError, UnicodeDecodeError):
        result = entry(data)
        if isinstance(result, Iterator):
            for _ in result:
                pass
