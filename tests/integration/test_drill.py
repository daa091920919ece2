"""The drill restores for real: what PostgreSQL did is what was predicted, and it harms nobody."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.drill.drill import Material, Order, run_drill
from agent.inputs.gather import ReadingOptions, gather
from parsers.lsn import format_lsn
from rules.case.context import Asked, Context
from rules.case.derived.segments import scans_of
from rules.drill.records import DrillsFacts, remember
from rules.model.findings import Verdict
from rules.model.goal import Goal
from rules.model.target import Target
from rules.verdict.check import load_catalogue
from rules.verdict.drill_target import plan_drill
from rules.verdict.report import give_verdict
from tests.fix_check import RESTORE_POINT, Archived, pitr_check
from tests.fix_drill import DrillGround, Past, drill_of, inspections_by, probe_rows, results_of
from tests.fix_layouts import DATED, file_by_date, mix_codecs
from tests.fix_tools import PATIENCE_SECONDS
from tests.watching import PATIENT, Job

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
    Case(18, ("--target-xid", "{xid}", "--exclusive"), 2, stop=("before", "commit")),
    Case(18, ("--target-immediate", "--action", "pause"), 0, tar=True, outcome="paused",
         stop=("after", "consistency")),
    Case(18, (), 5, tar=True, layout="dated"),
    Case(15, ("--target-name", "fork", "--timeline", "1", "--action", "pause"), 3, layout="dated",
         outcome="paused", stop=("at", "restore_point")),
    Case(15, ("--target-xid", "{xid}"), 3, tar=True, stop=("after", "commit")),
]  # fmt: skip


# Every kind of target, and what must come of it.
TARGETS: dict[tuple[str, ...], tuple[int, tuple[str, str]]] = {
    (): (5, ("at", "end_of_wal")),
    ("--target-time", "{time}"): (3, ("before", "commit")),
    ("--target-time", "{time}", "--exclusive"): (2, ("before", "commit")),
    ("--target-lsn", "{lsn}", "--timeline", "1"): (3, ("after", "lsn")),
    ("--target-lsn", "{lsn}", "--exclusive", "--timeline", "1"): (3, ("before", "lsn")),
    ("--target-xid", "{xid}"): (3, ("after", "commit")),
    ("--target-xid", "{xid}", "--exclusive"): (2, ("before", "commit")),
    ("--target-name", "fork", "--timeline", "1"): (3, ("at", "restore_point")),
    ("--target-immediate",): (0, ("after", "consistency")),
}
if os.environ.get("DRILLS") == "all":  # make drills
    CASES += [
        Case(major, target, commits, tar=tar, layout=layout, stop=stop)
        for major in (15, 16, 18)
        for tar in (False, True)
        for layout in ("flat", "dated")
        for target, (commits, stop) in TARGETS.items()
    ]


def _id_of(case: Case) -> str:
    kind = f"{case.layout}-{'tar' if case.tar else 'plain'}"
    return f"pg{case.major}-{kind}{'-'.join(('', *case.target))}"


@pytest.mark.parametrize("case", CASES, ids=_id_of)
def test_postgresql_does_what_was_predicted(
    case: Case, pasts: Pasts, ground: DrillGround, tmp_path: Path
) -> None:
    past = pasts(case.major)
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
    drill = drill_of(checked)
    assert (drill["outcome"], drill["agrees"]) == (case.outcome, True), checked.out
    assert {f for f in checked.findings if f.startswith("drill_")} <= {"drill_left_out"}
    # Where the tar's tablespace was, its primary's files still lie.
    assert checked.status == (1 if case.tar else 0)
    assert (drill["stop"]["position"], drill["stop"]["kind"]) == case.stop
    assert [probe["holds"] for probe in drill["probes"]] == [True]
    assert results_of(drill) == inspections_by(past.installation)
    paused = any(note.startswith("promoted after its pause") for note in drill["notes"])
    assert paused == (case.outcome == "paused"), "a server that waits takes no role"
    assert {"copy", "start", "replay", "open", "dump", "checksums"} <= drill["phases"].keys()
    assert _fingerprint(past.spaces) == spaces_before


def test_a_random_instant_is_one_that_no_drill_went_to(pasts: Pasts, ground: DrillGround) -> None:
    """All but one were drilled: that one is left, or, as an exclusive target, what is before it."""
    past = pasts(16)
    told = [datetime.fromisoformat(f"{time}:00") for time in past.times]
    drilled = [word for at in told[:3] + told[4:] for word in ("--drilled", at.isoformat())]
    checked = ground.drill(past.archive, past.plain, "--random-instant", *drilled)
    drill = drill_of(checked)
    assert (drill["outcome"], drill["agrees"]) == ("promoted", True), checked.out
    assert datetime.fromisoformat(drill["instant"]) in told[2:4]
    assert "timeline 1" in drill["target"], "the fourth commit is on no other"
    for options in (("--random-instant", "--target-immediate"), ("--drilled", "2026-01-01")):
        assert ground.drill(past.archive, past.plain, *options).status == 64


def test_without_a_target_the_newest_instant_before_a_gap_is_drilled(
    archived: Archived, ground: DrillGround
) -> None:
    archived.segment(2).unlink()
    checked = ground.drill(
        archived.archive, archived.backup, "--probe", "SELECT count(*) FROM t=1500"
    )
    drill = drill_of(checked)
    assert (drill["outcome"], drill["agrees"], drill["stop"]["kind"]) == ("promoted", True, "lsn")
    assert [probe["holds"] for probe in drill["probes"]] == [True], checked.out
    assert checked.status == 2 and "wal_gap" in checked.findings


def test_a_server_that_opens_and_lets_nobody_in_is_found(
    archived: Archived, ground: DrillGround
) -> None:
    """The map of the catalogs is damaged: recovery does not need it, every session does."""
    path = archived.backup / "global" / "pg_filenode.map"
    sound = path.read_bytes()
    path.write_bytes(sound[:100] + bytes([sound[100] ^ 0xFF]) + sound[101:])
    checked = ground.drill(
        archived.archive, archived.backup, "--target-immediate", "--probe", "SELECT 1=1"
    )
    assert checked.status == 2 and "drill_damage" in checked.findings, checked.out
    connection = drill_of(checked)["inspections"][0]
    assert (connection["name"], connection["result"]) == ("connection", "failed")
    assert "pg_filenode.map" in connection["detail"]
    assert not drill_of(checked)["probes"][0]["asked"]


def test_a_drill_is_watched_like_any_restore(archived: Archived, ground: DrillGround) -> None:
    """By the path that it prints; a probe keeps its server up meanwhile."""
    words = ground.command(
        archived.archive, archived.backup, "--target-name", RESTORE_POINT,
        "--probe", "SELECT pg_sleep(300)=",
    )  # fmt: skip
    program = Path(sys.executable).parent / "pitr-check"
    drill = subprocess.Popen(
        [program, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        assert drill.stderr is not None
        announced = next(line for line in drill.stderr if "pitr-watch" in line)
        pgdata = announced.split("pitr-watch --pgdata ")[1].strip()
        job = Job("--pgdata", pgdata, *PATIENT)
        assert job.end() == 0
    finally:
        drill.terminate()
        drill.communicate(timeout=PATIENCE_SECONDS)
    summary = job.lines[-1][1]
    assert (summary["outcome"], summary["reached_target"]) == ("promoted", True)
    assert (summary["target"]["value"], summary["stop"]["name"]) == (RESTORE_POINT, RESTORE_POINT)
    assert {"recovery_target_set", "file_restored", "redo_done"} <= set(job.names())


def test_probes_say_what_they_got(archived: Archived, ground: DrillGround, tmp_path: Path) -> None:
    file = tmp_path / "probes.yaml"
    file.write_text("- {database: template1, sql: SELECT 1 = 1, expected: t}\n")
    checked = ground.drill(
        archived.archive, archived.backup, "--target-immediate", "--probes", file,
        "--probe", "SELECT count(*) FROM t=6000", "--probe", "SELECT * FROM nowhere=1",
    )  # fmt: skip
    wrong, failed, right = drill_of(checked)["probes"]
    assert (wrong["got"], wrong["holds"]) == ("0", False)
    assert "nowhere" in failed["error"] and not failed["holds"]
    assert (right["database"], right["holds"]) == ("template1", True)
    assert checked.status == 2 and checked.findings >= {"drill_probe_failed"}


def test_a_drill_of_a_configured_cluster(
    archived: Archived, ground: DrillGround, tmp_path: Path
) -> None:
    """Where it is made and what is asked stands in the file; no schedule is needed for that."""
    config = tmp_path / "pitr.yaml"
    config.write_text(
        f"""
        clusters:
          - name: shop
            dsn: host=/nowhere
            archives: [{{url: {archived.archive}}}]
            backups: {{url: {archived.backup}}}
            drill:
              directory: {ground.directory}
              timeout: 30m
              at: random
              probes: [{{database: template1, sql: SELECT 1 = 1, expected: t}}]
        """
    )
    checked = pitr_check("--config", config, "--drill", "--workers", 1, "--format", "json")
    drill = drill_of(checked)
    assert (drill["outcome"], drill["agrees"]) == ("promoted", True)
    assert drill["stop"]["kind"] == "end_of_wal", "nobody asked for a random instant"
    assert drill["timeout_seconds"] == 1800
    (probe,) = drill["probes"]
    assert (probe["database"], probe["got"], probe["holds"]) == ("template1", "t", True)
    assert checked.status == 0


def test_a_server_that_does_otherwise_is_the_worst_of_findings(
    archived: Archived, ground: DrillGround
) -> None:
    """The prediction is bent in one field after the other; the server goes on as ever."""
    archives, backups = [str(archived.archive)], [str(archived.backup)]
    asked = Asked(
        target=Target(type="name", value=RESTORE_POINT),
        goal=Goal(type="name", name=RESTORE_POINT),
    )
    case = gather(
        archives, backups, None, context=Context(depth="records", asked=asked),
        backup_depth="files", reading=ReadingOptions(workers=1),
    )  # fmt: skip
    checks, now = load_catalogue(), datetime.now(UTC)
    report = give_verdict(case, checks, now)
    plan = plan_drill(report, case)
    assert plan is not None and plan.outcome.stop is not None
    consistent = plan.outcome.consistent_lsn
    assert consistent is not None
    bent = replace(plan.outcome, new_timeline=7, consistent_lsn=1)
    material = Material(plan=replace(plan, outcome=bent), roots=archives, scans=scans_of(case))
    facts = run_drill(Order(base=ground.directory), material)
    assert facts.disagreements == (
        f"consistent: predicted 0/1, was {format_lsn(consistent)}",
        "new timeline: predicted 7, was 2",
    )
    made = remember(facts, now, sum(facts.phases.values()))
    judged = give_verdict(case.having(DrillsFacts(records=(made,))), checks, now, facts)
    assert judged.verdict is Verdict.CRITICAL
    assert [finding.id for finding in judged.findings][:1] == ["drill_disagreed"]


def test_what_cannot_be_drilled_says_why(archived: Archived, ground: DrillGround) -> None:
    for options, reason in (
        (("--pg-bindir", "/usr/bin"), "/usr/bin has no working postgres program"),
        (("--drill-directory", "/nowhere"), "no scratch area under /nowhere"),
    ):
        checked = ground.drill(archived.archive, archived.backup, *options)
        assert (checked.status, drill_of(checked)["outcome"]) == (3, "not_run")
        assert reason in drill_of(checked)["reason"]
    programs = ground.directory / "bin"
    programs.mkdir()
    (programs / "postgres").write_text("#!/bin/sh\necho a library is missing >&2\nexit 127\n")
    (programs / "postgres").chmod(0o755)
    checked = ground.drill(archived.archive, archived.backup, "--pg-bindir", programs)
    shutil.rmtree(programs)
    assert (checked.status, drill_of(checked)["outcome"]) == (3, "not_run")
    reason = f"{programs} has no working postgres program: it exited 127: a library is missing"
    assert drill_of(checked)["reason"] == reason
    alone = pitr_check("--archive", archived.archive, "--nice")
    assert (alone.status, "--nice is for a drill" in alone.err) == (64, True)
    shallow = ground.drill(archived.archive, archived.backup, "--depth", "headers")
    assert shallow.status == 64


def _fingerprint(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file()
    }
