"""The seed's archive_wal_scp.sh: a folder a day, and nobody makes the new day's.

The script is the seed's with cp for scp (there is no second host here), and takes its day from a
file instead of the clock, so that midnight comes when it is called.
"""

from __future__ import annotations

import shlex
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from agent.lab.faults.fault import Fault
from agent.lab.laboratory import Laboratory
from parsers.sentences import tr

_SCRIPT: Final = """\
#!/bin/sh
# archive_wal_scp.sh: send a WAL segment to the folder of its day.
FECHA=$(cat {day_file})
ARCHIVO="$1"
FNAME=$(basename "$ARCHIVO")
REMOTE_DIR={archive}/$FECHA
cp "$ARCHIVO" "$REMOTE_DIR/$FNAME"
"""


def _prepare(lab: Laboratory) -> str:
    today = datetime.now(UTC).date()
    _set_day(lab, today)
    _make_folder(lab, today)
    script = lab.directory / "archive_wal_scp.sh"
    script.write_text(
        _SCRIPT.format(
            day_file=shlex.quote(str(_day_file(lab))), archive=shlex.quote(str(lab.archive))
        )
    )
    script.chmod(0o755)
    return f"{shlex.quote(str(script))} %p %f"


def _break_it(lab: Laboratory) -> str:
    tomorrow = _day(lab) + timedelta(days=1)
    _set_day(lab, tomorrow)
    folder = lab.archive / str(tomorrow)
    return tr("it is {day} now, and there is no folder {folder}", day=tomorrow, folder=folder)


def _mend(lab: Laboratory) -> str:
    return f"made the folder {_make_folder(lab, _day(lab))}"


def _day_file(lab: Laboratory) -> Path:
    return lab.directory / "day"


def _day(lab: Laboratory) -> date:
    return date.fromisoformat(_day_file(lab).read_text().strip())


def _set_day(lab: Laboratory, day: date) -> None:
    _day_file(lab).write_text(f"{day}\n")


def _make_folder(lab: Laboratory, day: date) -> Path:
    return lab.account.make_directory(lab.archive / str(day))


MIDNIGHT: Final = Fault(
    name="midnight",
    summary=tr("folders by date: the day changes and the new folder is missing"),
    findings=frozenset({"archiver_failing"}),
    break_it=_break_it,
    mend=_mend,
    prepare=_prepare,
)
