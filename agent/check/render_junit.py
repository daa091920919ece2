"""The verdict as JUnit XML, which pipelines show beside their own tests.

Two suites: `pitr-check`, a case for whether it is restorable, one for the target and one for each
finding that is more than information; and, if there was one, `drill`. Critical and a warning are a
failure of that type, unknown is an error: what could not be checked did not pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from xml.etree import ElementTree

from agent.printable import printable
from rules.drill.comparison import DrillFacts
from rules.model.findings import Severity
from rules.verdict.report import Report

_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FAILURE, _ERROR, _SKIPPED = "failure", "error", "skipped"


class JunitCase(NamedTuple):
    """One case: how it ended, None for passed, and why."""

    name: str
    ended: str | None = None
    kind: str = ""  # of the failure: warning, critical, unknown
    why: str = ""
    seconds: float = 0.0


def render_junit(report: Report) -> str:
    """The document, with its declaration."""
    root = ElementTree.Element("testsuites", name="pitr-check")
    _add_suite(root, "pitr-check", report, list(_verdict_cases(report)))
    if report.drill is not None:
        _add_suite(root, "drill", report, list(_drill_cases(report.drill)))
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def _add_suite(
    root: ElementTree.Element, name: str, report: Report, cases: list[JunitCase]
) -> None:
    count = {ended: sum(case.ended == ended for case in cases) for ended in _ENDS}
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=name,
        timestamp=report.now.isoformat(timespec="seconds"),
        tests=str(len(cases)),
        failures=str(count[_FAILURE]),
        errors=str(count[_ERROR]),
        skipped=str(count[_SKIPPED]),
        time=f"{sum(case.seconds for case in cases):.3f}",
    )
    for case in cases:
        made = ElementTree.SubElement(
            suite, "testcase", classname=name, name=_text(case.name), time=f"{case.seconds:.3f}"
        )
        if case.ended is not None:
            said = ElementTree.SubElement(made, case.ended, message=_text(case.why))
            if case.kind:
                said.set("type", case.kind)


_ENDS: Final = (_FAILURE, _ERROR, _SKIPPED)


def _verdict_cases(report: Report) -> Iterator[JunitCase]:
    yield _judged("restorable", report.restorable, "no backup reaches any instant")
    target = report.target
    yield _judged(f"target: {target.target.type}", target.reachable, target.reason)
    for finding in report.findings:
        if finding.severity is Severity.INFO:
            continue
        ended = _ERROR if finding.severity is Severity.UNKNOWN else _FAILURE
        yield JunitCase(finding.id, ended, finding.severity.value, finding.summary)


def _judged(name: str, holds: bool | None, why: str) -> JunitCase:
    if holds is None:
        return JunitCase(name, _ERROR, "unknown", why)
    return JunitCase(name) if holds else JunitCase(name, _FAILURE, "critical", why)


def _drill_cases(drill: DrillFacts) -> Iterator[JunitCase]:
    """The restore, whether it went as predicted, and each look inside."""
    seconds = sum(drill.phases.values())
    why = drill.not_run or drill.timed_out or drill.cause or ""
    if drill.not_run is not None:
        yield JunitCase("restore", _ERROR, "unknown", why, seconds)
    elif drill.outcome == "failed":
        yield JunitCase("restore", _FAILURE, "critical", why, seconds)
    else:
        yield JunitCase("restore", seconds=seconds)
    said = "; ".join(drill.disagreements) or "nothing definite was predicted, or it was not run"
    yield _judged("as predicted", drill.agrees, said)
    for look in drill.inspections:
        ended = {"failed": _FAILURE, "not_done": _SKIPPED}.get(look.result)
        yield JunitCase(look.name, ended, "critical" if ended == _FAILURE else "", look.detail)
    for number, probe in enumerate(drill.probes, 1):
        name = f"probe {number}: {probe.sql}"
        if not probe.asked:
            yield JunitCase(name, _SKIPPED, why=probe.error or "")
        elif probe.holds:
            yield JunitCase(name)
        else:
            got = probe.error or f"gave {probe.got!r}, expected {probe.expected!r}"
            yield JunitCase(name, _FAILURE, "critical", got)


def _text(text: str) -> str:
    """Without what no XML can hold."""
    return _NO_XML.sub("�", printable(text))
