"""Whoever asks gets the same answer: pitr-check, the agent's API, metrics and page, the report.

One configuration, the same files, every depth, with and without an acknowledged gap and objectives
that cannot be met. What is compared is what both could know.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from agent.cli.check import main
from agent.config.file import load_config
from agent.monitor.watched import WatchedCluster
from agent.web.application import make_application
from agent.web.exposition import Exposition
from parsers.lsn import parse_lsn
from parsers.segment import segment_name
from rules.verdict.check import load_catalogue
from tests.fix_check import MIB, SCHEMA, Archived
from tests.html_page import read_page
from tests.integration.test_samples import TRUTHS, unpacked

__all__ = ["unpacked"]  # the fixture

CHECKS = load_catalogue()
DEPTHS = ("names", "headers", "records")
# What the API tells of a cluster besides the document of pitr-check.
OF_THE_AGENT = {
    "name", "judged_at", "blind", "alerts", "collectors", "drills", "restore_estimate",
    "protection_class", "labels",
}  # fmt: skip
GAP = {"timeline": 1, "why": "the disk was lost"}
STRICT = {"rpo": "5m", "window": "36500d", "backup_age": "1h"}
EVERYTHING = [
    pytest.param(case, depth, acknowledged, strict, id=f"{case}-{depth}-{acknowledged}-{strict}")
    for case, depth, acknowledged, strict in itertools.product(
        TRUTHS, DEPTHS, (False, True), (False, True)
    )
]


@dataclass(frozen=True)
class Said:
    """What each face says of the same files."""

    checked: dict[str, Any]  # pitr-check --format json
    told: dict[str, Any]  # GET /api/v1/clusters/NAME
    metrics: dict[tuple[str, ...], float]
    page: str
    report: str  # pitr-check --format html


def ask(home: Path, depth: str, *, acknowledged: bool, strict: bool) -> Said:
    keys: dict[str, Any] = {
        **({"acknowledged_gaps": [known_gap(home.name)]} if acknowledged else {}),
        **({"objectives": STRICT} if strict else {}),
    }
    return ask_of(home / "archive", home, depth=depth, **keys)


def ask_of(archive: Path, backups: Path, *options: str, **keys: object) -> Said:
    """`options` are those of pitr-check alone: they ask, where the agent does not."""
    cluster = {
        "name": "lab",
        "archives": [{"url": str(archive)}],
        "backups": {"url": str(backups), "depth": "label"},
        "timeout": "60s",
        **keys,
    }
    file = archive.parent / "pitr.yaml"
    file.write_text(yaml.safe_dump({"clusters": [cluster]}))
    told, metrics, page = watch(file)
    options = ("--now", told["judged_at"], *options)  # a summary may hold an age
    checked, report = (check(file, form, *options) for form in ("json", "html"))
    return Said(json.loads(checked), told, metrics, page, report)


def known_gap(name: str) -> dict[str, Any]:
    return {**GAP, **dict(zip(("first", "last"), _gap_of(name), strict=True))}


def _gap_of(name: str) -> tuple[str, str]:
    gaps = TRUTHS[name]["gaps"]
    return tuple(gaps[0]) if gaps else ("0" * 7 + "1" + "F" * 13 + "000",) * 2


def check(file: Path, form: str, *options: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main(["--config", str(file), "--cluster", "lab", "--format", form, *options])
    return out.getvalue()


def watch(file: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], float], str]:
    (configured,) = load_config(file).resolved()
    cluster = WatchedCluster(configured, CHECKS)
    asyncio.run(cluster.scan())
    try:
        clusters = [cluster]
        exposition = Exposition(clusters, CollectorRegistry())
        client = TestClient(make_application(clusters, "/metrics", exposition))
        told = client.get("/api/v1/clusters/lab").json()
        families = text_string_to_metric_families(client.get("/metrics").text)
        page = client.get("/clusters/lab").text
    finally:
        cluster.close()
    metrics = {
        (
            sample.name,
            *(v for k, v in sorted(sample.labels.items()) if k != "cluster"),
        ): sample.value
        for family in families
        for sample in family.samples
    }
    return told, metrics, page


def findings(document: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Those that answer no question."""
    return {
        (each["id"], each["severity"], each["summary"])
        for each in document["findings"]
        if not CHECKS[each["id"]].asked
    }


def backups(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {key: each[key] for key in ("label", "url", "restorable")}
        | {"windows": [window | {"verified_at": None} for window in each["windows"]]}
        for each in document["backups"]
    ]


def drawn(html: str) -> list[str]:
    """The state of every backup that is drawn."""
    page = read_page(html).whole_axis
    marks = [*page.having("a", class_="backup"), *page.having("g", class_="backup")]
    return sorted(mark["class"] for mark in marks)


@pytest.mark.parametrize(("case", "depth", "acknowledged", "strict"), EVERYTHING)
def test_all_faces_say_the_same(
    unpacked: Path, case: str, depth: str, acknowledged: bool, strict: bool
) -> None:
    said = ask(unpacked / case, depth, acknowledged=acknowledged, strict=strict)
    checked, told, metrics = said.checked, said.told, said.metrics
    jsonschema.validate({key: told[key] for key in told.keys() - OF_THE_AGENT}, SCHEMA)
    assert told.keys() - checked.keys() == OF_THE_AGENT
    assert findings(checked) == findings(told)
    assert backups(checked) == backups(told)
    for key in ("restorable", "system_identifier", "wal_segment_size", "server_major", "depth"):
        assert checked[key] == told[key], key
    for one, other in zip(checked["archives"], told["archives"], strict=True):
        assert one == other
    assert checked["restore_points"] == told["restore_points"]
    assert checked["target"] == told["target"], "what recovery to the end of WAL would do"
    states = Counter(str(each["restorable"]) for each in checked["backups"])
    for state, name in (("True", "restorable"), ("False", "not_restorable"), ("None", "unknown")):
        assert metrics["pitr_backups", name] == states[state]
    counted = Counter((each[0], each[1]) for each in findings(checked))
    fired = {key[1:]: n for key, n in metrics.items() if key[0] == "pitr_finding" and n}
    assert fired == counted
    gaps = Counter[tuple[str, str]]()
    for gap in checked["archives"][0]["gaps"]:
        gaps[gap["class"], str(gap["timeline"])] += gap["segments"]
    missing = {
        key[1:]: n for key, n in metrics.items() if key[0] == "pitr_archive_missing_segments" and n
    }
    assert missing == gaps
    windows = [window for each in checked["backups"] for window in each["windows"]]
    assert metrics["pitr_restorable_windows",] == len(windows)
    assert drawn(said.page) == drawn(said.report)
    for _, severity, summary in findings(checked):
        if severity != "info":
            assert summary[:60] in read_page(said.page).text
    assert ("wal_gap" in {each[0] for each in findings(checked)}) is bool(
        TRUTHS[case]["gaps"] and not acknowledged
    )


# -- what they once said differently ---------------------------------------------------------------


def test_an_acknowledged_gap_is_one_to_a_target_too(unpacked: Path) -> None:
    """Its class was `lost`, and the finding critical, as soon as pitr-check was given a target."""
    home = unpacked / "gap_middle"
    gaps = [known_gap(home.name)]
    said = ask_of(home / "archive", home, "--target-immediate", acknowledged_gaps=gaps)
    assert said.checked["target"]["type"] == "immediate"
    assert said.checked["target"]["reachable"] is True
    for document in (said.checked, said.told):
        assert [gap["class"] for gap in document["archives"][0]["gaps"]] == ["acknowledged"]
        assert "critical" not in {each["severity"] for each in document["findings"]}
    assert said.metrics["pitr_archive_missing_segments", "acknowledged", "1"] == 1
    assert said.metrics["pitr_archive_missing_segments", "lost", "1"] == 0


def test_objectives_are_held_against_what_is_found(unpacked: Path) -> None:
    home = unpacked / "good_15"
    missed = {"backup_stale", "window_too_short"}
    said = ask_of(home / "archive", home, objectives={"window": "3650d", "backup_age": "1h"})
    for document in (said.checked, said.told):
        assert missed <= {each["id"] for each in document["findings"]}
    said = ask_of(home / "archive", home)
    for document in (said.checked, said.told):
        assert not missed & {each["id"] for each in document["findings"]}


@pytest.mark.parametrize("depth", ["names", "headers"])
def test_a_whole_backup_is_restorable_by_names(archived: Archived, depth: str) -> None:
    """The page and the report called it unknown, where no record was read."""
    said = ask_of(archived.archive, archived.backup, depth=depth)
    for document in (said.checked, said.told):
        assert document["restorable"] is True
        assert [each["restorable"] for each in document["backups"]] == [True]
    assert said.metrics["pitr_backups", "restorable"] == 1
    for html in (said.page, said.report):
        (mark,) = drawn(html)
        assert "by_names" in mark.split()
        assert "restorable, by the names of files alone" in html
        assert "not known whether it can be restored" not in html


def test_damage_in_a_backups_own_wal_is_named(archived: Archived) -> None:
    """One byte in its pg_wal: the agent had only that no backup could be restored."""
    (own,) = (path for path in (archived.backup / "pg_wal").iterdir() if len(path.name) == 24)
    flip(own)
    said = ask_of(archived.archive, archived.backup)
    for document in (said.checked, said.told):
        (found,) = (each for each in document["findings"] if each["id"] == "backup_wal_damaged")
        assert own.name in found["summary"]
        assert found["evidence"]["segment"] == own.name
        assert f" at {found['evidence']['lsn']} " in found["summary"]
        assert segment_of(found["evidence"]["lsn"]) == own.name
    assert findings(said.checked) == findings(said.told)
    assert said.metrics["pitr_finding", "backup_wal_damaged", "warning"] == 1
    assert own.name in read_page(said.page).text


def segment_of(lsn: str) -> str:
    return segment_name(1, parse_lsn(lsn) // MIB, MIB)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100] ^= 0xFF
    path.write_bytes(data)
