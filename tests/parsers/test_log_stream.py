"""Real logs through the stream: every line accounted for, however the bytes are cut."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from parsers.errors import Unparsed
from parsers.log_stream import LogStream, StreamItem
from parsers.recovery_events import NAMES, RecoveryEvent
from tests.parsers.catalogues import installed_languages

LOGS = Path(__file__).parent / "logs"
FILES = sorted(path.name for path in LOGS.iterdir() if path.suffix in (".log", ".csv", ".json"))
FILES.remove("truth.json")


def read(data: bytes, cuts: list[int] | None = None) -> tuple[list[StreamItem], LogStream]:
    stream = LogStream(find_languages=installed_languages)
    items: list[StreamItem] = []
    position = 0
    for cut in [*(cuts or []), len(data)]:
        items += stream.feed(data[position:cut])
        position = cut
    return items + stream.end(), stream


@pytest.mark.parametrize("name", FILES)
def test_no_line_is_unaccounted_for(name: str) -> None:
    data = (LOGS / name).read_bytes()
    items, stream = read(data)

    assert [item for item in items if isinstance(item, Unparsed)] == []
    assert stream.counts.lines == data.count(b"\n")
    assert stream.counts.bytes == len(data)
    foreign = sum(line.startswith(b"cp: ") for line in data.split(b"\n"))
    assert stream.counts.foreign == foreign


@pytest.mark.parametrize("name", FILES)
def test_the_cuts_between_chunks_change_nothing(name: str) -> None:
    data = (LOGS / name).read_bytes()
    whole, _ = read(data)
    choose = random.Random(name)
    random_cuts = sorted(choose.sample(range(len(data)), 40))

    assert read(data, random_cuts)[0] == whole
    assert read(data, list(range(len(data))))[0] == whole


def test_the_events_of_the_laboratory() -> None:
    items, _ = read((LOGS / "laboratory_time.log").read_bytes())
    events = [item for item in items if isinstance(item, RecoveryEvent)]

    assert [event.name for event in events] == [
        "server_starting", "interrupted", "recovery_target_set", "backup_recovery_started",
        "file_restored", "redo_started", "file_restored", "backup_recovery_done",
        "consistency_reached", "ready_read_only", "recovery_stopping", "redo_done",
        "last_transaction", "file_missing", "timeline_selected", "file_missing",
        "archive_recovery_complete", "checkpoint_started", "checkpoint_complete",
        "ready_read_write",
    ]  # fmt: skip
    assert {event.name for event in events} <= NAMES
    stop = next(event for event in events if event.name == "recovery_stopping")
    assert stop.at == datetime(2025, 7, 10, 19, 40, 57, 444000, UTC)
    assert dict(stop.fields) == {
        "position": "before",
        "kind": "commit",
        "xid": 732,
        "time": datetime(2025, 7, 10, 19, 36, 58, 237185, UTC),
    }
    assert stop.proven
    assert next(event for event in events if event.name == "redo_done").lsn() == 0x4046FB0


def test_csv_json_and_stderr_of_one_run_tell_the_same() -> None:
    def events(name: str) -> list[tuple[str, dict[str, object], datetime | None]]:
        items, _ = read((LOGS / name).read_bytes())
        return [
            (item.name, dict(item.fields), item.at)
            for item in items
            if isinstance(item, RecoveryEvent) and item.name != "file_missing"
        ]

    for case in ("corrupt_record_target", "target_lsn_exclusive"):
        assert events(f"{case}.csv") == events(f"{case}.log")
        assert events(f"{case}.json") == events(f"{case}.log")


def test_a_log_in_a_language_without_catalogue_is_said_to_be_unreadable() -> None:
    stream = LogStream()
    items = stream.feed((LOGS / "es_target_name_pause.log").read_bytes()) + stream.end()

    assert "language_unreadable" in [item.name for item in items if isinstance(item, RecoveryEvent)]


def test_the_language_of_a_log_that_begins_in_the_middle_is_found() -> None:
    lines = (LOGS / "es_target_name_resume.log").read_bytes().splitlines(keepends=True)
    items, _ = read(b"".join(lines[4:]))

    names = [item.name for item in items if isinstance(item, RecoveryEvent)]
    assert names[:3] == ["file_missing", "recovery_target_set", "backup_recovery_started"]
    assert read(b"".join(lines[4:]), list(range(3000)))[0] == items


def test_an_abbreviation_of_several_zones_is_said_to_be_ambiguous() -> None:
    stream = LogStream()
    items = (
        stream.feed(b"2025-01-10 12:40:57.309 IST [1] LOG:  redo starts at 0/28\n") + stream.end()
    )

    ambiguous, redo = items
    assert isinstance(ambiguous, RecoveryEvent) and ambiguous.name == "time_zone_ambiguous"
    assert isinstance(redo, RecoveryEvent) and redo.at is None


def test_a_line_without_end_is_cut_and_the_log_goes_on() -> None:
    stream = LogStream()
    line = b"2025-07-10 12:40:57.309 UTC [1] LOG:  redo starts at 0/28\n"
    items = stream.feed(line + b"x" * (3 << 20)) + stream.feed(b"\n" + line) + stream.end()

    assert [type(item) for item in items] == [RecoveryEvent, Unparsed, RecoveryEvent]


ENCODINGS = ("name_eucjp", "name_koi8r", "name_latin1")
TRAFFIC = "2026-11-22 17:00:00.000 UTC [9] LOG:  duration: 0.1 ms  statement: SELECT '{}'\n"


def told(items: list[StreamItem]) -> list[tuple[str, dict[str, object]]]:
    return [(item.name, dict(item.fields)) for item in items if isinstance(item, RecoveryEvent)]


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_log_that_is_not_utf8_tells_the_same_in_every_format(name: str) -> None:
    server = [
        [event for event in told(read((LOGS / f"{name}.{suffix}").read_bytes())[0])
         if event[0] != "file_missing"]
        for suffix in ("log", "csv", "json")
    ]  # fmt: skip
    assert server[0] == server[1] == server[2]
    names = [event for event, _ in server[0]]
    assert {"recovery_stopping", "last_transaction", "archive_recovery_complete"} <= set(names)


@pytest.mark.parametrize("name", ENCODINGS)
def test_lines_of_databases_in_other_encodings_hide_nothing(name: str) -> None:
    """One file holds what each backend wrote, in the encoding of its database."""
    data = (LOGS / f"{name}.log").read_bytes()
    mixed = "".join(TRAFFIC.format("ñandú") for _ in range(1200)).encode()
    mixed += "".join(TRAFFIC.format("привет") for _ in range(1200)).encode("koi8_r")
    mixed += TRAFFIC.format("表ソ漢字").encode("euc_jp") + TRAFFIC.format("x").encode() * 3000
    items, stream = read(mixed + data)
    assert told(items) == told(read(data)[0])
    assert [item for item in items if isinstance(item, Unparsed)] == []
    assert stream.counts.passed > 3000


def test_no_byte_of_a_line_is_lost() -> None:
    line = b'2026-11-22 17:00:00.000 UTC [1] LOG:  restored log file "\xe9\xff\xb1" from archive\n'
    (event,) = read(line)[0]
    assert isinstance(event, RecoveryEvent)
    assert str(event.fields["file"]).encode("latin-1") == b"\xe9\xff\xb1"
