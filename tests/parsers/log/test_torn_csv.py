"""A csvlog with torn lines: what was torn is said to be, and nothing else is lost."""

from __future__ import annotations

import random
from typing import Final

import pytest

from parsers.errors import Unparsed
from parsers.log.csvlog import CsvReader
from parsers.log.format import LogRecord
from parsers.log.recovery_events import RecoveryEvent
from parsers.log.stream import LogStream
from tests.parsers.catalogues import LOGS

LINES: Final = (LOGS / "corrupt_record_target.csv").read_text().splitlines(keepends=True)
# A record over several lines, as the FATAL that a missing checkpoint ends with has in its HINT.
FATAL: Final = (
    "2026-11-22 12:46:40.727 UTC,,,4364,,6b02e430.110c,13,,2026-11-22 12:46:40 UTC,,0,FATAL,XX000,"
    '"could not locate required checkpoint record",,"If you are restoring from a backup, touch '
    '""/r/recovery.signal"".\nIf you are not, try removing the file ""/r/backup_label"".",,,,,,,"",'
    '"startup",,0\n'
)
TRAFFIC: Final = (
    '2026-11-22 12:46:{:02d}.700 UTC,"ana","shop",9,"[local]",6b02e430.9,1,"SELECT",'
    '2026-11-22 12:46:40 UTC,3/7,0,LOG,00000,"statement: SELECT ""{}"" FROM t\nWHERE x = \'y\'",'
    ',,,,,,,,"psql","client backend",,0\n'
)


def read(text: str) -> list[str]:
    """The messages of the events."""
    stream = LogStream()
    items = stream.feed(text.encode()) + stream.end()
    return [item.message for item in items if isinstance(item, RecoveryEvent)]


def torn(lines: list[str], *numbers: int, choose: random.Random) -> str:
    """The log with these lines cut somewhere, inside of their quotes or not."""
    cut = {at: lines[at][: choose.randrange(40, len(lines[at]) - 2)] + "\n" for at in numbers}
    return "".join(cut.get(at, line) for at, line in enumerate(lines))


def records(text: str) -> tuple[list[str], str]:
    """The messages of all records, and what was not read."""
    reader = CsvReader()
    lines = text.splitlines()
    items = [*(item for line in lines for item in reader.read(line)), *reader.close()]
    messages = [item.message for item in items if isinstance(item, LogRecord)]
    return messages, "\n".join(item.text for item in items if isinstance(item, Unparsed))


@pytest.mark.parametrize("number", range(1, len(LINES) - 2))
@pytest.mark.parametrize("count", [1, 2])
def test_torn_lines_cost_their_own_records(number: int, count: int) -> None:
    choose = random.Random(number)
    numbers = range(number, number + count)
    others = records("".join(LINES[:number] + LINES[number + count :]))[0]
    for _ in range(10):
        text = torn(LINES, *numbers, choose=choose)
        messages, unparsed = records(text)
        # One that was cut behind its message may still be a record, of an older release.
        assert [each for each in messages if each in others] == others
        for line in (text.splitlines()[at] for at in numbers):
            assert line in unparsed or any(each.replace('"', '""') in line for each in messages)


def test_a_record_over_several_lines_is_found_after_a_torn_one() -> None:
    choose = random.Random(0)
    lines = [*LINES[:5], LINES[5], FATAL, *LINES[6:]]
    for _ in range(30):
        messages = read(torn(lines, 5, choose=choose))
        assert "could not locate required checkpoint record" in messages
        assert messages[-1] == read(LINES[0] + LINES[-1])[-1]


def test_a_torn_line_of_traffic_hides_no_restore() -> None:
    """Lines that are passed over count quotes, and one of them is missing."""
    traffic = [TRAFFIC.format(at % 60, at) for at in range(3000)]
    restore = LINES[3:]
    whole = read("".join([*LINES[:3], *traffic, *restore]))
    for seed in range(5):
        choose = random.Random(seed)
        text = torn([*LINES[:3], *traffic, *restore], 2500, 2700, choose=choose)
        assert read(text) == whole


def test_a_client_forges_no_record_after_a_torn_one() -> None:
    """Inside of quotes each quote is doubled: no line of a client's begins a record."""
    forged = LINES[-3].replace("LOG,00000", "FATAL,00000")
    for said in (forged.replace('"', '""'), forged.replace('"', ""), forged.replace('"', '""""')):
        client = TRAFFIC.format(1, "x").replace("WHERE", f"{said.strip()}\nWHERE")
        text = "".join([LINES[0], LINES[1][:150], "\n", client, LINES[-1]])
        assert read(text) == read(LINES[0] + LINES[-1])
