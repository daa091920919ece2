"""`--format junit`: what a pipeline is told of a verdict and a drill."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from agent.check.render_junit import render_junit
from agent.check.run import report_failure
from agent.cli import check
from rules.case.context import Context
from rules.drill.comparison import DrillFacts, Inspection, Probe
from tests.signing import BEGIN

ENDED = ("failure", "error", "skipped")


def cases(xml: str) -> dict[str, tuple[str, str] | None]:
    """By name: how a case ended and of which type; None: passed."""
    found = {}
    for suite in ElementTree.fromstring(xml).iter("testsuite"):
        for how in ENDED:
            told = suite.get({"failure": "failures", "error": "errors"}.get(how, how))
            assert told == str(len(suite.findall(f"testcase/{how}")))
        assert suite.get("tests") == str(len(suite.findall("testcase")))
        for case in suite.iter("testcase"):
            (*_, ended) = [None, *case]
            kind = None if ended is None else (ended.tag, ended.get("type", ""))
            found[f"{suite.get('name')}/{case.get('name')}"] = kind
    return found


def test_what_could_not_be_checked_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main(["--archive", str(tmp_path / "absent"), "--format", "junit"]) == 3
    said = cases(capsys.readouterr().out)
    assert said["pitr-check/restorable"] == ("error", "unknown")
    assert said["pitr-check/target: none"] == ("error", "unknown")
    assert said["pitr-check/cannot_check"] == ("error", "unknown")


def test_a_drill_has_a_suite_of_its_own() -> None:
    failed = report_failure(Context(depth="records"), "it \x00 failed", BEGIN)
    drill = DrillFacts(
        backup="/b",
        target="none",
        not_run="there is no PostgreSQL 16 here",
        phases={"copy": 1.5},
        inspections=(
            Inspection(name="checksums", result="passed", detail=""),
            Inspection(name="amcheck", result="not_done", detail="no extension"),
            Inspection(name="dump", result="failed", detail="base/5/1259"),
        ),
        probes=(
            Probe(database="d", sql="SELECT 1", expected="1", got="1"),
            Probe(database="d", sql="SELECT 2 < 3", expected="t", got="f"),
            Probe(database="d", sql="SELECT 3", expected="3", asked=False, error="too late"),
        ),
    )
    said = cases(render_junit(replace(failed, drill=drill)))
    assert {name: ended for name, ended in said.items() if name.startswith("drill/")} == {
        "drill/restore": ("error", "unknown"),
        "drill/as predicted": ("error", "unknown"),
        "drill/checksums": None,
        "drill/amcheck": ("skipped", ""),
        "drill/dump": ("failure", "critical"),
        "drill/probe 1: SELECT 1": None,
        "drill/probe 2: SELECT 2 < 3": ("failure", "critical"),
        "drill/probe 3: SELECT 3": ("skipped", ""),
    }
