"""log_line_prefix, told or inferred: lines as servers with these settings write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import pytest

from parsers.errors import Unparsed
from parsers.log.prefix import MAX_PREFIX, parse_prefix
from parsers.log.recovery_events import RecoveryEvent
from parsers.log.stream import LogStream, StreamItem
from tests.parsers.growth import FACTOR, grows_too_fast

BACKGROUND = "redo starts at 0/3000028"
CLIENT = "selected new timeline ID: 9"
# setting, what it prints for the startup process, what for a client's session
CASES = (
    ("%m [%p] ", "2026-11-22 12:46:40.700 UTC [4364] ", "2026-11-22 12:46:40.700 UTC [9] "),
    ("%t [%p]: ", "2026-11-22 12:46:40 UTC [4364]: ", "2026-11-22 12:46:40 UTC [9]: "),
    (
        "%m [%p] %q%u@%d ",
        "2026-11-22 13:46:40.700 CET [4364] ",
        "2026-11-22 13:46:40.700 CET [9] ana@shop ",
    ),
    (
        "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
        "2026-11-22 12:46:40 -03 [4364]: [3-1] user=,db=,app=,client= ",
        "2026-11-22 12:46:40 -03 [9]: [1-1] user=ana,db=shop,app=psql,client=10.0.0.1 ",
    ),
    (
        "%t:%r:%u@%d:[%p]:",
        "2026-11-22 12:46:40 UTC::@:[4364]:",
        "2026-11-22 12:46:40 UTC:10.0.0.1(5124):ana@shop:[9]:",
    ),
    (
        "%t [%p]: [%l-1] %c %x %d %u %a %h ",
        "2026-11-22 12:46:40 UTC [4364]: [3-1] 6b02e430.110c 0     ",
        "2026-11-22 12:46:40 UTC [9]: [1-1] 6b02e430.9 0 shop ana psql [local] ",
    ),
    (
        "%n %p %b %e %s %v %Q ",
        "1795351600.700 4364 startup 00000 2026-11-22 12:46:40 UTC 1/0 0 ",
        "1795351600.700 9 client backend 00000 2026-11-22 12:46:40 UTC 3/7 -12 ",
    ),
    (
        "%-10p|%8p|%m|%-20b|",
        "4364      |    4364|2026-11-22 12:46:40.700 UTC|startup             |",
        "9         |       9|2026-11-22 12:46:40.700 UTC|client backend      |",
    ),
    ("%t [%p-%l] ", "2026-11-22 12:46:40 UTC [4364-3] ", "2026-11-22 12:46:40 UTC [9-1] "),
    (
        "%m %c ",
        "2026-11-22 12:46:40.700 UTC 6b02e430.110c ",
        "2026-11-22 12:46:40.700 UTC 6b02e431.9 ",
    ),
    (
        "< %m %L %P%%>",
        "< 2026-11-22 12:46:40.700 UTC [none] %>",
        "< 2026-11-22 12:46:40.700 UTC ::1 7%>",
    ),
)  # fmt: skip


def events(text: str, prefix: str | None) -> list[StreamItem]:
    stream = LogStream(prefix=prefix)
    return stream.feed(text.encode()) + stream.end()


# Untold, nothing shows that the address in place of %L is one.
TOLD = [(*case, told) for told in (True, False) for case in CASES if told or "%L" not in case[0]]


@pytest.mark.parametrize(
    ("setting", "background", "client", "told"),
    TOLD,
    ids=[f"{told}-{setting}" for setting, _, _, told in TOLD],
)
def test_the_server_is_read_and_the_client_is_not_believed(
    setting: str, background: str, client: str, told: bool
) -> None:
    text = f"{background}LOG:  {BACKGROUND}\n{client}LOG:  {CLIENT}\n"
    if "%b" not in setting and "%u" not in setting and "%L" not in setting:
        text += f"{client}STATEMENT:  DO $$ BEGIN RAISE LOG 'x'; END $$\n"
    items = events(text, setting if told else None)

    assert [item for item in items if isinstance(item, Unparsed)] == []
    assert [item.name for item in items if isinstance(item, RecoveryEvent)] == ["redo_started"]
    redo = items[0]
    assert isinstance(redo, RecoveryEvent) and redo.at is not None
    assert redo.at.isoformat().startswith("2026-11-22T1")
    if "%p" in setting or "%c" in setting:
        assert redo.pid == 4364


@pytest.mark.parametrize("setting", [case[0] for case in CASES])
def test_a_setting_compiles(setting: str) -> None:
    prefix = parse_prefix(setting)
    assert prefix.text == setting


def test_without_prefix_a_record_is_unproven() -> None:
    (event,) = events("LOG:  redo starts at 0/3000028\n", "")
    assert isinstance(event, RecoveryEvent) and not event.proven and event.at is None


def test_a_session_first_does_not_spoil_the_detection() -> None:
    client = "2026-11-22 13:46:40.700 CET [9] ana@shop LOG:  statement: SELECT 1\n"
    background = "2026-11-22 13:46:41.700 CET [4364] LOG:  redo starts at 0/3000028\n"
    forged = "2026-11-22 13:46:42.700 CET [9] ana@shop LOG:  archive recovery complete\n"
    items = events(client + background + forged, None)
    assert [item.name for item in items if isinstance(item, RecoveryEvent)] == ["redo_started"]


def test_verbose_records_carry_their_sqlstate() -> None:
    items = events(
        "2026-11-22 12:46:40.700 UTC [1] LOG:  00000: redo starts at 0/3000028\n"
        "2026-11-22 12:46:40.700 UTC [1] LOCATION:  PerformWalRecovery, xlogrecovery.c:1689\n",
        None,
    )
    assert [item.name for item in items if isinstance(item, RecoveryEvent)] == ["redo_started"]


def test_syslog_envelopes_are_taken_off_and_chunks_joined() -> None:
    text = (
        "Nov 22 12:46:40 db1 postgres[4364]: [3-1] 2026-11-22 12:46:40.700 UTC [4364] LOG:  "
        "starting point-in-time recovery to\n"
        "Nov 22 12:46:40 db1 postgres[4364]: [3-2]  XID 732\n"
        "Nov 22 12:46:40 db1 postgres[4364]: [4-1] 2026-11-22 12:46:40.715 UTC [4364] LOG:  "
        "pausing at the end of recovery\n"
        "Nov 22 12:46:40 db1 postgres[4364]: [4-2] 2026-11-22 12:46:40.715 UTC [4364] HINT:  "
        "Execute pg_wal_replay_resume() to promote.\n"
    )
    target, pause = events(text, None)
    assert isinstance(target, RecoveryEvent) and target.fields["xid"] == 732
    assert isinstance(pause, RecoveryEvent) and pause.hint and pause.pid == 4364


def test_mixed_chunks_are_sorted_by_process_and_other_programs_are_passed_over() -> None:
    text = (
        "Nov 22 12:46:40 db1 postgres[7]: [9-1] 2026-11-22 12:46:40.700 UTC [7] LOG:  "
        "archive recovery complete\n"
        "Nov 22 12:46:40 db1 postgres[4364]: [3-1] 2026-11-22 12:46:40.700 UTC [4364] LOG:  "
        "redo starts at\n"
        "Nov 22 12:46:40 db1 cron[99]: (root) CMD (LOG:  redo starts at 0/99)\n"
        "Nov 22 12:46:40 db1 kernel: [ 12.3] LOG:  redo starts at 0/99\n"
        "Nov 22 12:46:40 db1 postgres[7]: [9-2] 2026-11-22 12:46:40.700 UTC [7] STATEMENT:  DO\n"
        "Nov 22 12:46:40 db1 postgres[4364]: [3-2]  0/28\n"
    )
    (redo,) = events(text, None)
    assert isinstance(redo, RecoveryEvent) and redo.lsn() == 0x28


def test_a_journal_of_the_servers_stderr_is_read_and_not_proven() -> None:
    text = (
        "Nov 22 12:46:40 db1 postgres[7000]: 2026-11-22 12:46:40.700 UTC [4364] LOG:  "
        "pausing at the end of recovery\n"
        "Nov 22 12:46:40 db1 postgres[7000]: 2026-11-22 12:46:40.700 UTC [4364] HINT:  "
        "Execute pg_wal_replay_resume() to promote.\n"
        "Nov 22 12:46:40 db1 postgres[7000]: 2026-11-22 12:46:40.700 UTC [7000] LOG:  "
        "received fast shutdown request\n"
    )
    pause, request = events(text, None)
    assert isinstance(pause, RecoveryEvent) and pause.hint and not pause.proven
    assert isinstance(request, RecoveryEvent) and request.name == "shutdown_requested"


def test_a_wrapped_record_of_an_operator_is_read() -> None:
    text = (
        '{"level":"info","logger":"postgres","msg":"record","record":{"log_time":'
        '"2026-11-22 12:46:40.715 UTC","process_id":"23","error_severity":"LOG",'
        '"message":"redo starts at 0/3000028","backend_type":"startup"}}\n'
    )
    (event,) = events(text, None)
    assert isinstance(event, RecoveryEvent) and event.name == "redo_started" and event.proven


# Values that a client chose, between blanks and other escapes: each could end in many places.
HOSTILE = (
    "postgres%-4t:%8a %8rapp=%8hms %d", "- %e%8P,%ldb=%-12v%a%L(%r] %t ", "%a %u %d %h %r %i %m ",
    "%8a%8u%8d%8r%8h%8i%p ", "%m [%p] %a%v%u %d%x ", "%b %a %b %u %s ",
)  # fmt: skip
UNITS = (" ", "1", "a ", "2026-11-22 12:46:40 UTC ", "1 a:app=ms ", "[1] -", "LOG", "startup ")
VALUES = {"t": "2026-11-22 12:46:40 UTC", "m": "2026-11-22 12:46:40.700 UTC", "p": "7", "b": "x"}


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("setting", HOSTILE)
def test_a_hostile_line_costs_no_power_of_its_length(setting: str, told: bool) -> None:
    head = re.sub(r"%-?\d*(\w)", lambda escape: VALUES.get(escape[1], ""), setting)
    lines = f"{head}LOG:  {BACKGROUND}\n".encode() * 2
    leads = (b"", head.encode(), b"cp: ", b"postgres2026-11-22 12:46:40 UTC:")

    def work(unit: str, size: int) -> Callable[[], None]:
        text = (unit * size)[:size].encode()

        def feed() -> None:
            stream = LogStream(prefix=setting if told else None)
            for piece in (lines, *(lead + text + b"\n" for lead in leads)):
                stream.feed(piece)

        return feed

    small = 16 << 10
    assert not [u for u in UNITS if grows_too_fast(work(u, small), work(u, small * FACTOR))]


def test_values_that_touch_are_parted_where_no_number_begins_with_zero() -> None:
    lines = "4364:LOG:  starting archive recovery\n1/04364:LOG:  redo starts at 0/3000028\n"
    assert [e.pid for e in events(lines, "%v%p:") if isinstance(e, RecoveryEvent)] == [4364] * 2


def test_a_width_beyond_all_reason_is_no_error() -> None:
    assert re.match(parse_prefix("%99999999999p ").background, " 7 LOG:")


def test_a_log_that_begins_with_a_client_is_filtered_by_the_servers_own_lines() -> None:
    client = "2026-11-22 13:46:40.700 CET [9] ana@shop LOG:  statement: SELECT 1\n"
    background = "2026-11-22 13:46:41.700 CET [4364] LOG:  redo starts at 0/3000028\n"
    forged = "2026-11-22 13:46:42.700 CET [9] ana@shop LOG:  archive recovery complete\n"
    stream = LogStream()
    items = stream.feed((client + background + client * 5000 + forged).encode()) + stream.end()
    assert [item.name for item in items if isinstance(item, RecoveryEvent)] == ["redo_started"]
    assert stream.counts.passed > 4990


LINE = b"2026-11-22 12:46:40.700 UTC [7] LOG:  redo starts at 0/28\n"


@pytest.mark.parametrize("unit", ["%a", "%u ", "%30a", "%p", "%q", "[", "%z"])
def test_a_long_prefix_costs_what_its_length_makes_it(unit: str) -> None:
    """Two ways to match nothing, forty times over, were 2^40."""

    def read(length: int) -> None:
        stream = LogStream(prefix=(unit * length)[:length])
        stream.feed(LINE)
        stream.end()

    read(80)
    assert not grows_too_fast(partial(read, MAX_PREFIX // FACTOR), partial(read, MAX_PREFIX))
    read(100 << 10)  # not compiled: the log's own lines tell
