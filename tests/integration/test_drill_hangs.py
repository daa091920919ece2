"""A source that hangs ends the drill when its time is over: cleanly, and with the cause named.

Files hang for real: with a lease on a file, the kernel keeps whoever opens it waiting (fcntl(2),
F_SETLEASE), and tells the holder. The drill's clock jumps to its end when that has come about.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.drill.drill import Material, Order, run_drill
from agent.inputs.gather import ReadingOptions, gather
from agent.postgres.installation import Installation
from rules.case.context import END_OF_WAL, Context
from rules.case.derived.segments import scans_of
from rules.drill.comparison import DrillFacts, Probe
from rules.drill.records import DrillsFacts, remember
from rules.model.findings import Severity, Verdict
from rules.verdict.check import load_catalogue
from rules.verdict.drill_target import plan_drill
from rules.verdict.report import Report, give_verdict
from tests.fix_check import Archived
from tests.fix_drill import DrillGround


@dataclass(frozen=True)
class Planned:
    """A verdict about the pristine backup, and the drill that it chooses."""

    archived: Archived
    report: Report
    material: Material

    def drill(
        self, ground: DrillGround, is_over: Callable[[], object], **chosen: object
    ) -> DrillFacts:
        """Drill, with a clock that jumps when `is_over`. Nothing may come before that."""

        def clock() -> float:
            return time.monotonic() + (1e9 if is_over() else 0)

        order = Order(base=ground.directory, timeout_seconds=1e6, clock=clock, **chosen)  # type: ignore[arg-type]
        facts = run_drill(order, self.material)
        assert is_over()
        return facts

    def judge(self, facts: DrillFacts) -> Report:
        made = remember(facts, self.report.now, sum(facts.phases.values()))
        drilled = self.report.case.having(DrillsFacts(records=(made,)))
        return give_verdict(drilled, load_catalogue(), self.report.now, facts)


@pytest.fixture(scope="module")
def planned(pristine: Archived) -> Planned:
    archives = [str(pristine.archive)]
    case = gather(
        archives, [str(pristine.backup)], None, context=Context(depth="records", asked=END_OF_WAL),
        backup_depth="files", reading=ReadingOptions(workers=1),
    )  # fmt: skip
    report = give_verdict(case, load_catalogue(), datetime.now(UTC))
    plan = plan_drill(report, case)
    assert plan is not None
    return Planned(pristine, report, Material(plan=plan, roots=archives, scans=scans_of(case)))


@contextlib.contextmanager
def hanging(path: Path) -> Iterator[Callable[[], bool]]:
    """Whoever opens the file waits; the function tells whether somebody does."""
    asked: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: asked.append(number))
    lease = os.open(path, os.O_RDWR)
    try:
        fcntl.fcntl(lease, fcntl.F_SETSIG, signal.SIGUSR1)
        fcntl.fcntl(lease, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield lambda: bool(asked)
    finally:
        os.close(lease)
        signal.signal(signal.SIGUSR1, before)


def assert_says(planned: Planned, facts: DrillFacts, *words: str) -> None:
    """The drill is unknown, for this reason, in one finding."""
    assert facts.outcome == "not_run" and facts.agrees is None
    judged = planned.judge(facts)
    (finding,) = [each for each in judged.findings if each.id.startswith("drill_")]
    assert (finding.id, finding.severity) == ("drill_incomplete", Severity.UNKNOWN)
    for word in ("out of time after", *words):
        assert word in finding.summary
    assert judged.verdict is Verdict.UNKNOWN


def test_a_file_of_the_backup_that_never_comes(planned: Planned, ground: DrillGround) -> None:
    path = planned.archived.backup / "base" / "1" / "1259"
    with hanging(path) as is_asked:
        facts = planned.drill(ground, is_asked)
        assert ground.areas() == [], "nobody waits for it"
    assert_says(planned, facts, f"while reading {path}")


def test_a_segment_that_never_comes(planned: Planned, ground: DrillGround) -> None:
    path = planned.archived.segment(0)
    with hanging(path) as is_asked:
        facts = planned.drill(ground, is_asked)
        assert ground.areas() == [] and ground.processes() == []
    assert_says(planned, facts, f"while fetching {path.name} from {path.parent}")


def test_a_server_that_never_comes_to_recovery(
    planned: Planned, ground: DrillGround, installations: dict[int, Installation], tmp_path: Path
) -> None:
    programs = ground.directory / "bin"
    programs.mkdir(mode=0o755)
    begun = ground.directory / "begun"
    begun.mkdir()
    begun.chmod(0o777)
    script = programs / "postgres"
    real = installations[16].program("postgres")
    script.write_text(
        f'#!/bin/sh\ncase $1 in --version) exec {real} "$@" ;; esac\n'
        f"echo it thinks\ntouch {begun}/now\nexec sleep 100000\n"
    )
    script.chmod(0o755)
    facts = planned.drill(ground, (begun / "now").exists, bindir=programs, confine="never")
    shutil.rmtree(programs)
    shutil.rmtree(begun)
    assert_says(planned, facts, "while the server recovered: it thinks")


def test_a_probe_that_never_ends(planned: Planned, ground: DrillGround) -> None:
    """What was proven before it stays proven; what would have come after it was not looked at."""
    endless = "EXPLAIN ANALYZE SELECT pg_sleep(100000)"

    asked: list[str] = []

    def is_asked() -> bool:
        asked.extend(title for title in ground.titles() if "EXPLAIN" in title)
        return bool(asked)

    probes = tuple(
        Probe(database="postgres", sql=sql, expected="6000")
        for sql in ("SELECT count(*) FROM t", endless, "SELECT 6000")
    )
    facts = planned.drill(ground, is_asked, probes=probes)
    assert (facts.outcome, facts.agrees) == ("promoted", True)
    assert [(probe.got, probe.asked) for probe in facts.probes] == [
        ("6000", True), (None, False), (None, False),
    ]  # fmt: skip
    assert {each.name: each.result for each in facts.inspections} == {
        "amcheck": "not_done", "dump": "not_done", "checksums": "not_done",
    }  # fmt: skip
    judged = planned.judge(facts)
    found = {each.id: each.summary for each in judged.findings}
    assert "while asking the probe" in found["drill_incomplete"]
    assert "pg_sleep" in found["drill_incomplete"]
    assert judged.verdict is Verdict.UNKNOWN and "drill_probe_failed" not in found
