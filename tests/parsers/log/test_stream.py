"""Real logs through the stream: every line accounted for, however the bytes are cut."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from parsers.errors import Unparsed
from parsers.log.recovery_events import NAMES, RecoveryEvent
from parsers.log.stream import LogStream, StreamItem
from tests.fix_tools import need
from tests.parsers.catalogues import LOGS, installed_languages, language, read_log

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
    data = read_log(name)
    items, stream = read(data)

    assert [item for item in items if isinstance(item, Unparsed)] == []
    assert stream.counts.lines == data.count(b"\n")
    assert stream.counts.bytes == len(data)
    foreign = sum(line.startswith(b"cp: ") for line in data.split(b"\n"))
    assert stream.counts.foreign == foreign


@pytest.mark.parametrize("name", FILES)
def test_the_cuts_between_chunks_change_nothing(name: str) -> None:
    data = read_log(name)
    whole, _ = read(data)
    choose = random.Random(name)
    random_cuts = sorted(choose.sample(range(len(data)), 40))

    assert read(data, random_cuts)[0] == whole
    assert read(data, list(range(len(data))))[0] == whole


def test_the_events_of_the_laboratory() -> None:
    items, _ = read(read_log("laboratory_time.log"))
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
        items, _ = read(read_log(name))
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
    lines = read_log("es_target_name_resume.log").splitlines(keepends=True)
    items, _ = read(b"".join(lines[4:]))

    names = [item.name for item in items if isinstance(item, RecoveryEvent)]
    assert names[:3] == ["file_missing", "recovery_target_set", "backup_recovery_started"]
    assert read(b"".join(lines[4:]), list(range(3000)))[0] == items


@pytest.mark.parametrize("prefix", [None, "%m [%p] ", "%m [%p] %q%u@%d "])
def test_a_language_with_a_label_of_its_own_is_found_under_any_prefix(prefix: str | None) -> None:
    need("messages of PostgreSQL 15")
    label, head = "СООБЩЕНИЕ", "2026-11-22 17:00:00.000 UTC [7] "
    assert label in language("ru").severities
    russian = {message.id: text for message, text in language("ru").texts()}
    first = russian["redo starts at %X/%X"].replace("%X/%X", "0/28")
    log = "".join(
        f"{head}{label}:  {text}\n" for text in (first, russian["archive recovery complete"])
    )
    stream = LogStream(prefix=prefix, find_languages=lambda _: [language("ru")])
    names = [event for event, _ in told(stream.feed(log.encode()) + stream.end())]
    assert names == ["redo_started", "archive_recovery_complete"]


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
        [event for event in told(read(read_log(f"{name}.{suffix}"))[0])
         if event[0] != "file_missing"]
        for suffix in ("log", "csv", "json")
    ]  # fmt: skip
    assert server[0] == server[1] == server[2]
    names = [event for event, _ in server[0]]
    assert {"recovery_stopping", "last_transaction", "archive_recovery_complete"} <= set(names)


@pytest.mark.parametrize("name", ENCODINGS)
def test_lines_of_databases_in_other_encodings_hide_nothing(name: str) -> None:
    """One file holds what each backend wrote, in the encoding of its database."""
    data = read_log(f"{name}.log")
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


# Its prefix (%m [%p] %b) is guessed by what stands around: nothing tells where a line begins.
GUESSED = ("log_levels_by_process_19.log",)
SPOKEN = [
    name for name in FILES
    if name.endswith(".log") and name not in GUESSED and b"\ncp: " in (LOGS / name).read_bytes()
]  # fmt: skip


def in_pieces(data: bytes, pieces_count: int) -> bytes:
    """The log as it is when the server's lines come after so many pieces of each cp's message.

    error() of the C library writes four: the program, the text, the reason, the newline.
    """
    whole: list[bytes] = []
    rest = b""
    for line in data.splitlines(keepends=True):
        if line.startswith(b"cp: "):
            whole, rest = [*whole, rest], b""
            reason = line.rindex(b": ")
            cut = (4, reason, len(line) - 1)[pieces_count - 1]
            line, rest = line[:cut], line[cut:]
        whole.append(line)
    return b"".join([*whole, rest])


@pytest.mark.parametrize("pieces_count", [1, 2, 3])
@pytest.mark.parametrize("name", SPOKEN)
def test_a_commands_message_in_pieces_hides_no_line_of_the_server(
    name: str, pieces_count: int
) -> None:
    data = (LOGS / name).read_bytes()
    mixed = in_pieces(data, pieces_count)
    assert mixed != data and len(mixed) == len(data)
    items, stream = read(mixed)
    assert [item for item in items if isinstance(item, Unparsed)] == []
    assert stream.counts.foreign == read(data)[1].counts.foreign
    said, before = told(items), told(read(data)[0])
    for names in ({"file_missing", "command_output"}, NAMES - {"file_missing", "command_output"}):
        assert [each for each in said if each[0] in names] == [
            each for each in before if each[0] in names
        ]
    assert read(mixed, list(range(len(mixed))))[0] == items


PLAIN, PADDED = "2025-07-10 12:40:57.309 UTC [1] ", "2025-07-10 12:40:57.309 UTC   |  71| "
TYPED = "<2025-07-10 12:40:57.309 UTC> startup[71]  0 "
QUOTED = "2025-07-10 12:40:57.309 UTC [71] \u00abstartup\u00bb "
COUNTED = "2025-07-10 12:40:57 UTC [71]: [1-1] db=,user=,app=,client= "
LOCAL = "2025-07-10 12:40:57.309 UTC [71] [none] "


def parted(between: int, stamp: str) -> bytes:
    """A log whose server speaks after each piece of cp's message whose bit is set."""
    pieces = ("cp: ", "cannot stat '/a/00000002.history'", ": No such file or directory", "\n")
    text = f"{stamp}LOG:  starting archive recovery\n"
    for number, piece in enumerate(pieces):
        text += piece
        if between >> number & 1:
            text += f"{stamp}LOG:  redo starts at 0/28\n"
    return text.encode()


@pytest.mark.parametrize(
    ("prefix", "stamp"),
    [
        (None, PLAIN),
        ("%m [%p] ", PLAIN),
        ("%m [%p] %q%u@%d ", PLAIN),
        (None, PADDED),
        ("%-30m|%4p| ", PADDED),
        ("<%m> %b[%p] %P %Q ", TYPED),
        (None, QUOTED),
        ("%m [%p] \u00ab%b\u00bb ", QUOTED),
        (None, COUNTED),
        ("%t [%p]: [%l-1] db=%d,user=%u,app=%a,client=%h ", COUNTED),
        (None, LOCAL),
        ("%m [%p] %L %q%u@%d ", LOCAL),
        (None, "startup: "),
        ("%b: ", "startup: "),
    ],
)
@pytest.mark.parametrize("between", range(8))
def test_every_piece_may_be_parted_from_the_next(
    between: int, prefix: str | None, stamp: str
) -> None:
    stream = LogStream(prefix=prefix)
    events = told(stream.feed(parted(between, stamp)) + stream.end())
    assert stream.counts.unparsed == 0
    missing = ("file_missing", {"file": "00000002.history", "program": "cp"})
    redo = ("redo_started", {"lsn": 0x28})
    assert events == [("archive_recovery_started", {}), *[redo] * between.bit_count(), missing]


@pytest.mark.parametrize("between", range(1, 8))
@pytest.mark.parametrize("stamp", [TYPED, f"|{PLAIN}"])
def test_what_may_be_a_session_s_value_is_no_piece_to_believe_behind(
    stamp: str, between: int
) -> None:
    """A database called `cp: ...` looks the same under a prefix that begins with %d."""
    stream = LogStream()
    events = told(stream.feed(parted(between, stamp)) + stream.end())
    assert stream.counts.unparsed == 0
    assert [name for name, _ in events] == ["archive_recovery_started", "file_missing"]


def test_a_statement_that_quotes_a_line_of_the_server_is_no_line_of_it() -> None:
    start = "2025-07-10 12:40:57.309 UTC [1] LOG:  starting archive recovery\n"
    forged = "2025-07-10 12:40:58.309 UTC [1] LOG:  redo starts at 0/28"
    for line in (f"app LOG:  statement: SELECT '{forged}'", f"psql: LOG:  duration '{forged}"):
        stream = LogStream(prefix="%m [%p] ")
        events = told(stream.feed(f"{start}{line}\n{start}".encode()) + stream.end())
        assert "redo_started" not in [name for name, _ in events]


def test_a_message_whose_rest_never_comes_is_not_lost() -> None:
    start = "2025-07-10 12:40:57.309 UTC [1] LOG:  starting archive recovery\n"
    stream = LogStream(prefix="%m [%p] ")
    items = stream.feed(f"{start}cp: cannot stat '/a/00000002.history'{start}".encode())
    names = [name for name, _ in told(items + stream.end())]
    assert names == ["archive_recovery_started"] * 2 + ["file_missing"]
