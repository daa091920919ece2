"""What is said of a restore is the catalogue's: one place for each cause and each remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsers.log.stream import LogStream
from rules.live.facts import RestoreRecord, take_facts, watch_restore
from rules.live.outcomes import FAILED
from rules.live.summary import summarize
from rules.model.evidence import Evidence
from rules.model.facts import Objectives
from rules.verdict.check import judge, load_catalogue
from rules.verdict.live import explain
from tests.parsers.catalogues import LOGS, installed_languages
from tests.watch_screens import AT

ROOT = Path(__file__).parents[3]
NAMES = sorted(path.name for path in LOGS.glob("*.*") if path.suffix in (".log", ".csv", ".json"))


def test_what_to_type_next_is_a_remedy_of_a_check() -> None:
    """`next_command` is a key of the JSON that pitr-watch prints, and nothing else."""
    sources = [
        path for room in ("agent", "rules", "parsers") for path in (ROOT / room).rglob("*.py")
    ]
    named = {str(path.relative_to(ROOT)) for path in sources if "next_command" in path.read_text()}
    assert named == {"agent/watch/report.py"}


@pytest.mark.parametrize("name", [name for name in NAMES if name != "truth.json"])
def test_the_agent_says_of_a_failure_what_pitr_watch_says(name: str) -> None:
    """Both follow the log with one machine, and ask the same check why."""
    stream, record = LogStream(find_languages=installed_languages), RestoreRecord()
    for line in (LOGS / name).read_bytes().splitlines(keepends=True):
        record.apply_all(stream.feed(line), AT)
    record.apply_all(stream.end(), AT)
    logged = record.snapshot()
    restore = take_facts(logged, logged.last, None, None)
    evidence = Evidence(
        now=AT, objectives=Objectives(rpo_seconds=60), facts={type(restore): restore}
    )
    findings = {found.id: found for found in judge(evidence, load_catalogue()).findings}
    watched = explain(watch_restore(record, summarize(record), None))
    assert ("restore_failed" in findings) is (summarize(record).outcome == FAILED)
    if "restore_failed" in findings:
        assert findings["restore_failed"].summary == f"the restore failed: {watched.cause}"
        assert findings["restore_failed"].remedy == watched.remedy
    if "restore_paused" in findings:
        assert findings["restore_paused"].remedy == watched.remedy
