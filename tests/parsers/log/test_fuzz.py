"""Whatever the bytes: nothing is raised, and the cuts between chunks change nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.log.command_output import read_command_output
from parsers.log.stream import LogStream, StreamItem

PIECES = (
    b"2026-11-22 12:46:40.700 UTC [4364] LOG:  redo starts at 0/3000028\n",
    b"2026-11-22 12:46:40.700 UTC [4364] DETAIL:  x\n",
    b"2026-11-22 12:46:40.700 UTC [7] a@b STATEMENT:  SELECT 1\n",
    b"\tcontinued\n",
    b"cp: cannot stat '/a/00000002.history': No such file or directory\n",
    b'2026-11-22 12:46:40.700 UTC,,,4364,,6b02e430.110c,5,,2026-11-22 12:46:40 UTC,,0,LOG,00000,'
    b'"redo starts at 0/28",,,,,,,,,"","startup",,0\n',
    b'{"timestamp":"2026-11-22 12:46:40.700 UTC","error_severity":"LOG","message":"x"}\n',
    b"Nov 22 12:46:40 db1 postgres[4364]: [3-1] LOG:  redo starts at 0/28\n",
    b'"', b"\r\n", b"\0", b"\xff\xfe", b"LOG:  ", b"\n",
)  # fmt: skip
LOGS = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=30)), max_size=12)


@settings(max_examples=150, deadline=None)
@given(LOGS, st.integers(1, 7), st.sampled_from([None, "", "%m [%p] ", "%a %t", "%q%u"]))
def test_any_log_in_any_chunks(pieces: list[bytes], size: int, prefix: str | None) -> None:
    data = b"".join(pieces)
    whole, cut = LogStream(prefix=prefix), LogStream(prefix=prefix)
    expected = whole.feed(data) + whole.end()
    found: list[StreamItem] = []
    for start in range(0, len(data), size):
        found += cut.feed(data[start : start + size])
    assert found + cut.end() == expected
    assert cut.counts == whole.counts


@given(st.text(max_size=120))
def test_any_line_of_a_command(line: str) -> None:
    read_command_output(line)


CSV_PIECES = (
    PIECES[5],
    b'2026-11-22 12:46:40.700 UTC,"a","b",7,"[local]",6b02e430.1,1,"DO",2026-11-22 12:46:40 UTC,'
    b'3/7,0,LOG,00000,"said:\n',
    b"2026-11-22 12:46:41.700 UTC,,,7,,6b02e430.1,1,,2026-11-22 12:46:40 UTC,,0,LOG,00000,"
    b'""redo starts at 0/99"",,,,,,,,,"""","startup",,0\n',
    b'",,,,,,,,,"psql","client backend",,0\n',
    b'2026-11-22 12:46:42.700 UTC,"a","b",7,"",6b02e430.1,1,"SELECT",2026-11-22 12:46:40 UTC,'
    b'3/7,0,LOG,00000,"duration: 1 ms",,,,,,,,,"psql","client backend",,0\n',
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(CSV_PIECES), max_size=12), st.integers(1, 300))
def test_any_csv_in_any_chunks(pieces: list[bytes], size: int) -> None:
    data = b"".join([PIECES[5], *pieces])
    whole, cut = LogStream(), LogStream()
    expected = whole.feed(data) + whole.end()
    found: list[StreamItem] = []
    for start in range(0, len(data), size):
        found += cut.feed(data[start : start + size])
    assert found + cut.end() == expected
    assert cut.counts == whole.counts
