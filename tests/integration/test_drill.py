"""The drill restores for real: what PostgreSQL did is what was predicted, and it harms nobody."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fix_check import Checked
from tests.fix_drill import DrillGround, Past, probe_rows
from tests.fix_layouts import DATED, file_by_date, mix_codecs

Pasts = Callable[[int], Past]


@dataclass(frozen=True)
class Case:
    """One drill: what is restored, whereto, and what must come of it."""

    major: int
    target: tuple[str, ...]  # {xid}, {time} and {lsn} are those of the third commit
    commits: int  # whose rows are there
    tar: bool = False
    layout: str = "flat"  # or dated
    outcome: str = "promoted"
    stop: tuple[str, str] = ("at", "end_of_wal")


CASES = [
    Case(16, (), 5),
    Case(16, ("--target-time", "{time}"), 3, tar=True, layout="dated", stop=("before", "commit")),
    Case(16, ("--target-lsn", "{lsn}", "--exclusive", "--timeline", "1"), 3,
         stop=("before", "lsn")),
    Case(16, ("--timeline", "1"), 6, tar=True),
    Case(18, ("--target-xid", "{xid}", "--exclusive"), 2, stop=("before", "commit")),
    Case(18, ("--target-immediate", "--action", "pause"), 0, tar=True, outcome="paused",
         stop=("after", "consistency")),
    Case(18, (), 5, tar=True, layout="dated"),
    Case(15, ("--target-name", "fork", "--timeline", "1", "--action", "pause"), 3, layout="dated",
         outcome="paused", stop=("at", "restore_point")),
    Case(15, ("--target-xid", "{xid}"), 3, tar=True, stop=("after", "commit")),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"pg{c.major}{'-'.join(('', *c.target))}")
def test_postgresql_does_what_was_predicted(
    case: Case, pasts: Pasts, ground: DrillGround, tmp_path: Path
) -> None:
    past = _past(pasts, case.major)
    archive = past.archive
    if case.layout == "dated":
        archive = Path(shutil.copytree(past.archive, tmp_path / "archive"))
        file_by_date(archive, DATED["YYYY/MM/wal/DD"], a_day=3)
        mix_codecs(archive)
    backup = past.tar if case.tar else past.plain
    spaces_before = _fingerprint(past.spaces)
    values = {"xid": past.xids[2], "time": past.times[2], "lsn": past.lsns[2]}
    checked = ground.drill(
        archive, backup, *(word.format(**values) for word in case.target),
        "--pg-bindir", past.installation.bindir, "--probe", probe_rows(case.commits),
    )  # fmt: skip
    drill = _drill(checked)
    assert (checked.status, drill["outcome"], drill["agrees"]) == (0, case.outcome, True), checked
    assert (drill["stop"]["position"], drill["stop"]["kind"]) == case.stop
    assert [probe["holds"] for probe in drill["probes"]] == [True]
    assert _results(drill) == _expected_results(past, case)
    assert {"copy", "start", "replay", "open", "dump", "checksums"} <= drill["phases"].keys()
    assert _fingerprint(past.spaces) == spaces_before


def _past(pasts: Pasts, major: int) -> Past:
    try:
        return pasts(major)
    except KeyError:
        pytest.skip(f"no PostgreSQL {major} here")


def _expected_results(past: Past, case: Case) -> dict[str, str]:
    """Debian's servers have amcheck, the embedded ones do not; a server that waits takes none."""
    complete = (
        past.installation.has("../share/extension/amcheck.control")
        or Path(f"/usr/share/postgresql/{case.major}/extension/amcheck.control").exists()
    )
    amcheck = "passed" if complete and case.outcome == "promoted" else "not_done"
    return {"amcheck": amcheck, "dump": "passed", "checksums": "passed"}


def _results(drill: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["result"] for each in drill["inspections"]}


def _drill(checked: Checked) -> dict[str, Any]:
    drill: dict[str, Any] = checked.json["drill"]
    assert drill is not None
    return drill


def _fingerprint(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file()
    }
