"""Whatever is around a log, or was done to it: what it says is said."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Final

import pytest

from parsers.log.recovery_events import RecoveryEvent
from parsers.log.stream import LogStream
from tests.parsers.catalogues import LOGS
from tests.parsers.log.wrappers import OF_CSV, OF_JSON, OF_TEXT, TEXT_BEFORE

RUNS: Final = ("corrupt_record_target", "target_lsn_exclusive")
Said = list[tuple[str, dict[str, object], str]]
CASES: Final = [
    pytest.param(f"{run}.{suffix}", wrap, id=f"{run}.{suffix}-{name}")
    for suffix, wrappers in (("log", OF_TEXT), ("csv", OF_CSV), ("json", OF_JSON))
    for name, wrap in wrappers.items()
    for run in RUNS
]


def said(data: bytes, size: int | None = None) -> Said:
    """The events that decide: name, fields, severity."""
    stream = LogStream()
    step = size or len(data)
    items = [
        item for at in range(0, len(data), step) for item in stream.feed(data[at : at + step])
    ] + stream.end()
    assert not stream.counts.unreadable
    return [
        (item.name, {**item.fields}, item.severity)
        for item in items
        if isinstance(item, RecoveryEvent) and item.name != "command_output"
    ]


@pytest.mark.parametrize(("name", "wrap"), CASES)
def test_a_wrapped_log_says_what_it_says_unwrapped(name: str, wrap: Callable[[str], str]) -> None:
    text = (LOGS / name).read_text()
    wrapped = wrap(text).encode()
    assert said(wrapped) == said(text.encode())
    assert said(wrapped, 777) == said(text.encode())


@pytest.mark.parametrize("name", TEXT_BEFORE)
@pytest.mark.parametrize("run", RUNS)
def test_text_before_each_line_hides_nothing(run: str, name: str) -> None:
    text = (LOGS / f"{run}.log").read_text()
    wrapped, plain = said(TEXT_BEFORE[name](text).encode()), said(text.encode())
    for _, fields, _ in plain:
        fields.pop("program", None)
    assert wrapped == plain


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("run", RUNS)
def test_a_log_that_powershell_redirected(run: str, encoding: str) -> None:
    text = (LOGS / f"{run}.log").read_text()
    mark = codecs.BOM_UTF16_LE if encoding == "utf-16-le" else codecs.BOM_UTF16_BE
    data = mark + text.replace("\n", "\r\n").encode(encoding)
    assert said(data) == said(data, 1) == said(text.encode())


def test_what_a_client_writes_is_not_unwrapped() -> None:
    """In csvlog a line may begin with a client's text; here it looks like a shipper's."""
    data = (LOGS / "target_lsn_exclusive.csv").read_text()
    first = data.splitlines()[0]
    forged = '[pod/a/b] ""{""""error_severity"""": """"LOG""""}""\n' + first.replace('"', '""')
    row = first.split(",", 1)[0] + (
        ',"ana","shop",9,"[local]",6b02e42f.9,1,"SELECT",2026-11-22 12:46:39 UTC,3/7,0,LOG,00000,'
        f'"statement: SELECT \n{forged}",,,,,,,,,"psql","client backend",,0\n'
    )
    assert said((row + data).encode()) == said(data.encode())


@pytest.mark.parametrize("name", ["no-break blanks", "HTML without tabs", "collapsed blanks"])
def test_damage_makes_no_client_of_what_has_a_context(name: str) -> None:
    head = "2026-11-28 14:54:23.810 UTC [15984] "
    lines = (
        "LOG:  starting archive recovery",
        "WARNING:  hot standby is not possible because of insufficient parameter settings",
        "DETAIL:  max_connections = 100 is a lower setting than on the primary server, where its "
        "value was 200.",
        "CONTEXT:  WAL redo at 0/26000A0 for XLOG/PARAMETER_CHANGE: max_connections=200",
    )
    text = "".join(f"{head}{line}\n" for line in lines)
    assert [each[0] for each in said(text.encode())][-1] == "params_short"
    assert said(OF_TEXT[name](text).encode()) == said(text.encode())
