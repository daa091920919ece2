"""What is not known is not said: no text shows a value of the program's own for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests import watch_screens
from tests.parsers.catalogues import LOGS, kept_log
from tests.watch_screens import once, screens

DATA: Final = Path(__file__).parents[2] / "data"
ALL: Final = sorted(
    path
    for room in (LOGS, DATA / "situations", DATA / "field")
    for path in room.glob("*.*")
    if path.suffix in (".log", ".csv", ".json")
)
_OWN: Final = re.compile(r"\bNone\b|\bnan\b|\{\w*\}|datetime\(|<Event")
_OF_THE_JSON: Final = re.compile(r"\"\w+\": \{\}")


@pytest.mark.parametrize("log", [kept_log(path) for path in ALL])
def test_no_text_names_what_is_not_known(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside each cut of the log, looks at directories, SQL, processes and archives of any kind."""
    monkeypatch.setattr(watch_screens, "LOOKS", 2)
    said = [*once(log), *(line for line in screens(log) if not line.startswith("verdict "))]
    assert len(said) > 20
    assert [line for line in said if _OWN.search(_OF_THE_JSON.sub("", line))] == []
