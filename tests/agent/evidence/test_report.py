"""An auditor's page of a period, made of a chain as programs write it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.cli import check
from agent.evidence.statement import Draft
from rules.evidence.period import NOT_KNOWN
from tests.signing import Signed, new_signed

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


COVERAGE = {
    "days": 30, "segments": 100, "segments_read": 75, "segments_never_read": 20,
    "read_share": 0.75, "oldest_read_at": "2025-11-01T00:00:00.000000+00:00",
    "drills": {
        "from": "2025-12-25T00:00:00.000000+00:00", "to": "2026-01-01T00:00:00.000000+00:00",
        "days": 7, "days_drilled": 6, "drilled_share": 0.8571,
        "never": [{"from": "2025-12-25T00:00:00.000000+00:00",
                   "to": "2025-12-26T00:00:00.000000+00:00"}],
    },
}  # fmt: skip
SCHEMA = json.loads(
    (Path(__file__).parents[3] / "docs/schemas/pitr-evidence-report.schema.json").read_text()
)


@dataclass
class At:
    now: datetime

    def __call__(self) -> datetime:
        return self.now


def said(
    verdict: str,
    *,
    met: bool | None = True,
    measured: float = 60.0,
    rpo: float = 300.0,
    drill: dict[str, Any] | None = None,
    findings: tuple[tuple[str, str], ...] = (),
    cluster: str = "lab",
) -> Draft:
    """A statement as the agent writes it, or the drill that it runs."""
    objectives = [
        {"objective": "rpo", "wanted_seconds": rpo, "measured_seconds": measured, "met": met}
    ]
    return Draft(
        kind="drill" if drill else "verdict",
        cluster=cluster,
        body={
            "by": {"program": "pitr-check" if drill else "pitr-agent"},
            "configuration": {
                "depth": "records",
                "objectives_seconds": {"rpo": None if drill else rpo},
            },
            "objectives": [] if drill else objectives,
            "comparison": {"agrees": drill["agrees"], "disagreements": []} if drill else None,
            "verdict": {
                "verdict": verdict,
                "findings": [{"id": each, "severity": how} for each, how in findings],
                "coverage": COVERAGE if not drill else COVERAGE | {"drills": None},
                "drill": drill,
            },
        },
    )


DRILL = {
    "outcome": "promoted", "agrees": True, "reason": None, "backup": "/backup/<one>",
    "target": "time 2026-01-02 00:30:00+00:00", "server": "16.4",
    "phases": {"copy": 3.0, "replay": 9.5},
    "inspections": [{"name": "checksums", "result": "passed"}],
    "probes": [{"holds": True}, {"holds": False}],
}  # fmt: skip


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    """Three days: a good one, six hours of exposure, a drill, and a silence of a day and a half."""
    made, at = new_signed(tmp_path_factory.mktemp("signed")), At(BEGIN - HOUR)
    writer = made.writer(clock=at)
    writer.write(said("ok"))
    for hour in range(72):
        at.now = BEGIN + hour * HOUR
        if hour < 24:
            writer.write(said("ok"))
        elif hour < 30:
            found = (("exposure_over_objective", "critical"),)
            writer.write(said("critical", met=False, measured=600.0 + hour, findings=found))
        elif hour == 30:
            writer.write(said("ok", rpo=900.0))
            at.now += HOUR / 2
            writer.write(said("unknown", drill=DRILL))
    return made


def report(signed: Signed, *more: str, begin: str = "2026-01-01", end: str = "2026-01-04") -> int:
    words = ("report", "--evidence", str(signed.directory), "--key", str(signed.public))
    return check.main([*words, "--from", begin, "--to", end, *more])


def test_what_held_for_how_long(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(signed, "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, SCHEMA)
    (cluster,) = document["clusters"]
    assert cluster["coverage"] == COVERAGE, "a drill by itself does not know of the others"
    hours = {state: seconds / 3600 for state, seconds in cluster["verdict_seconds"].items()}
    assert hours == {"ok": 24 + 24, "critical": 6, NOT_KNOWN: 72 - 54}
    (rpo,) = cluster["objectives"]
    assert rpo["missed"] == [
        {"state": "missed", "from": "2026-01-02T00:00:00.000000+00:00",
         "to": "2026-01-02T06:00:00.000000+00:00"}
    ]  # fmt: skip
    assert rpo["worst_seconds"] == 629.0
    assert rpo["seconds"]["met"] / 3600 == 48
    (drill,) = cluster["drills"]
    assert (drill["agrees"], drill["probes_held"], drill["probes"]) == (True, 1, 2)
    (change,) = cluster["configuration_changes"]
    assert (change["key"], change["before"], change["after"]) == (
        "objectives_seconds.rpo", 300.0, 900.0,
    )  # fmt: skip
    (finding,) = cluster["findings"]
    assert (finding["id"], finding["statements"]) == ("exposure_over_objective", 6)


def test_a_page_holds_it_and_escapes_it(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(signed) == 0
    page = capsys.readouterr().out
    assert page.startswith("<!doctype html>")
    assert "/backup/&lt;one&gt;" in page and "<one>" not in page
    assert "1 drill: 1 ended as it was predicted" in page
    assert "data loss (RPO)" in page
    assert "The evidence is whole" in page
    assert "Of 100 archived segments 75 (75 %) were read in the 30 days before it" in page
    assert "went to 6 of the 7 days of the window" in page


def test_a_period_without_statements_is_not_known(
    signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(signed, begin="2026-03-01", end="2026-04-01") == 3
    assert "There is no evidence of this period" in capsys.readouterr().out
    assert report(signed, "--format", "json", begin="2026-03-01", end="2026-04-01") == 3
    jsonschema.validate(json.loads(capsys.readouterr().out), SCHEMA)


def test_an_altered_chain_is_said_first(
    signed: Signed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    shutil.copytree(signed.home, tmp_path / "it")
    other = Signed(tmp_path / "it")
    (file,) = other.files
    file.write_bytes(b"".join(other.lines[:4] + other.lines[5:]))
    assert report(other) == 2
    page = capsys.readouterr().out
    assert "The evidence was altered" in page
    assert "statement 5 is not there" in page
    assert report(other, "--format", "json") == 2
    jsonschema.validate(json.loads(capsys.readouterr().out), SCHEMA)


@pytest.mark.parametrize(
    ("begin", "end", "what"),
    [
        ("2026-01-02", "2026-01-01", "is not after"),
        ("soon", "2026-01-01", "write ISO 8601"),
        ("2999-01-01", "2999-02-01", "lies in the future"),
    ],
)
def test_a_period_that_is_none_is_refused(
    signed: Signed, begin: str, end: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(signed, begin=begin, end=end) == 64
    assert what in capsys.readouterr().err
