"""`pitr-check fleet` and the agent's fleet: every cluster against its goals, on real archives."""

from __future__ import annotations

import csv
import io
import json
import os
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest

from agent.cli.check import main
from agent.postgres.cluster import Cluster
from parsers.segment import parse_segment_name
from tests import forked
from tests.fix_agent import WatchedAgent
from tests.fix_check import Archived, Checked, pitr_check
from tests.fix_postgres import NewCluster
from tests.fix_tools import PATIENCE_SECONDS, need
from tests.waiting import wait_until

NewAgent = Callable[..., WatchedAgent]
SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "schemas" / "pitr-fleet.schema.json").read_text()
)
CLASSES: Final = {
    "gold": {"window": "3650d", "backup_age": "1h"},
    "lead": {"window": "1s", "backup_age": "3650d"},
}


def configure(tmp_path: Path, *clusters: dict[str, Any], **more: Any) -> Path:
    file = tmp_path / "pitr.yaml"
    file.write_text(json.dumps({"classes": CLASSES, "clusters": clusters, **more}))
    return file


def cluster_of(archived: Archived, name: str, **keys: Any) -> dict[str, Any]:
    return {
        "name": name,
        "archives": [{"url": str(archived.archive)}],
        "backups": {"url": str(archived.backup)},
        **keys,
    }


def fleet(file: Path, *options: object) -> Checked:
    return pitr_check("fleet", "--config", file, *options)


def document_of(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    jsonschema.validate(document, SCHEMA)
    return document


@pytest.fixture
def three(archived: Archived, pristine: Archived, tmp_path: Path) -> Path:
    """A cluster with a gap, one that misses a goal, one that is fine, one that cannot be read."""
    archived.segments[len(archived.segments) // 2].unlink()
    archived.age(archived.segments[-1])
    return configure(
        tmp_path,
        cluster_of(pristine, "fine", **{"class": "lead"}),
        cluster_of(pristine, "old", **{"class": "gold", "objectives": {"backup_age": "1s"}}),
        {"name": "=gone", "archives": [{"url": str(tmp_path / "nowhere")}]},
        cluster_of(archived, "broken", objectives={"window": "1s"}),
    )


def test_the_worst_comes_first_in_every_form(three: Path) -> None:
    told = fleet(three, "--format", "json")
    clusters = document_of(told.out)["clusters"]
    ranked = [(each["name"], each["class"], each["verdict"]) for each in clusters]
    assert ranked == [
        ("broken", None, "critical"), ("=gone", None, "unknown"), ("old", "gold", "warning"),
        ("fine", "lead", "ok"),
    ]  # fmt: skip
    assert told.status == 2
    rows = list(csv.DictReader(io.StringIO(fleet(three, "--format", "csv").out)))
    assert [row["name"] for row in rows] == ["broken", "'=gone", "old", "fine"]
    text = fleet(three).out.splitlines()
    said = "4 clusters: 1 critical, 1 could not be checked, 1 with warnings, 1 fine"
    assert text[0] == f"CRITICAL: {said}"
    html = fleet(three, "--format", "html").out
    assert said in html and "<script" not in html and "=gone" in html


def test_goals_that_are_broken_say_since_when(three: Path) -> None:
    clusters = document_of(fleet(three, "--format", "json").out)["clusters"]
    old, fine = clusters[2], clusters[3]
    goals = {each["goal"]: each for each in old["breaches"]}
    assert goals.keys() == {"window", "backup_age"}
    assert all(datetime.fromisoformat(each["at"]) <= datetime.now(UTC) for each in goals.values())
    assert old["backup_needed_by"] == goals["backup_age"]["at"]
    assert old["window"]["goal_seconds"] == 3650 * 86400.0 > old["window"]["seconds"] > 0
    assert fine["breaches"] == [] and fine["backup_needed_by"] > "2030"


def test_wal_before_the_only_backup_is_obsolete(pristine: Archived, tmp_path: Path) -> None:
    file = configure(tmp_path, cluster_of(pristine, "a", **{"class": "lead"}))
    (told,) = document_of(fleet(file, "--format", "json").out)["clusters"]
    planned = json.loads(
        pitr_check(
            "retention", "--archive", pristine.archive, "--backup", pristine.backup,
            "--format", "json",
        ).out
    )  # fmt: skip
    assert told["obsolete_bytes"] == planned["not_needed"]["bytes"] > 0


def test_an_archive_without_any_backup_needs_one_today(pristine: Archived, tmp_path: Path) -> None:
    goals = {"window": "7d", "backup_age": "1d"}
    alone = cluster_of(pristine, "alone", objectives=goals)
    del alone["backups"]
    (tmp_path / "empty").mkdir()
    file = configure(
        tmp_path,
        alone,
        cluster_of(pristine, "unmounted", backups={"url": str(tmp_path / "empty")}),
        cluster_of(pristine, "fine", **{"class": "lead"}),
    )
    now = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%S}+00:00"
    told = document_of(fleet(file, "--format", "json", "--now", now).out)["clusters"]
    kept = {each["name"]: (each["backups"], each["backup_needed_by"]) for each in told}
    assert kept["alone"][0] == "none" and kept["alone"][1].startswith(now[:19])
    assert kept["unmounted"] == ("unknown", None)
    assert kept["fine"][0] == "there"
    (broken,) = (each["breaches"] for each in told if each["name"] == "alone")
    assert {each["goal"] for each in broken} == {"window", "backup_age"}
    said = "1 cluster needs one within a day (alone); 0 more within 7 d; of 1 it is not known"
    assert f"{said} (unmounted)" in fleet(file).out
    assert f"{said} (unmounted)" in fleet(file, "--format", "html").out
    rows = list(csv.DictReader(io.StringIO(fleet(file, "--format", "csv").out)))
    assert {row["name"]: row["backups"] for row in rows} == {
        name: state for name, (state, _) in kept.items()
    }


def test_of_a_directory_that_holds_anything_but_a_backup_it_is_not_known(
    pristine: Archived, tmp_path: Path
) -> None:
    """It may be the wrong one, or hold backups of a kind that this program does not know."""
    (place := tmp_path / "backups" / "2026-11-01").mkdir(parents=True)
    (place / "backup.log").write_text("done\n")
    (place / "base.dar").write_bytes(bytes(1 << 20))
    goals = {"window": "1s", "backup_age": "1d"}
    named = cluster_of(pristine, "a", objectives=goals, backups={"url": str(place.parent)})
    file = configure(tmp_path, named)
    told = fleet(file, "--format", "json")
    (line,) = document_of(told.out)["clusters"]
    assert told.status == 3
    assert (line["verdict"], line["backups"]) == ("unknown", "unknown")
    assert (line["breaches"], line["backup_needed_by"]) == ([], None)
    assert f"{place.parent}: no base backup here" in fleet(file).out


def test_since_when_there_is_no_backup_stands_still(
    pristine: Archived, tmp_path: Path, new_agent: NewAgent
) -> None:
    """Who never looked before does not know it; an agent says since when it has seen that."""
    alone = cluster_of(pristine, "alone", objectives={"window": "7d", "backup_age": "1d"})
    del alone["backups"]
    file = configure(tmp_path, alone)
    (told,) = document_of(fleet(file, "--format", "json").out)["clusters"]
    assert [(each["goal"], each["at"]) for each in told["breaches"]] == [
        ("window", None), ("backup_age", None),
    ]  # fmt: skip
    (row,) = csv.DictReader(io.StringIO(fleet(file, "--format", "csv").out))
    assert (row["first_breach_goal"], row["first_breach_at"]) == ("window", "")
    text = fleet(file).out
    assert "window already" in text
    assert "backup_age is broken (since when is not known): there is no base backup" in text
    assert "already" in fleet(file, "--format", "html").out
    agent = new_agent(**{key: value for key, value in alone.items() if key != "name"})
    seen = set[float]()
    judged = set[float]()
    while len(judged) < 4:
        page = agent.wait_for(
            lambda page: page.total("pitr_verdict_timestamp_seconds") not in judged
        )
        judged.add(page.total("pitr_verdict_timestamp_seconds"))
        seen.add(page.total("pitr_goal_breach_timestamp_seconds", goal="window"))
    with urllib.request.urlopen(f"{agent.url}/api/v1/fleet", timeout=PATIENCE_SECONDS) as answer:
        (served,) = document_of(answer.read().decode())["clusters"]
    seen.add(datetime.fromisoformat(served["breaches"][0]["at"]).timestamp())
    assert max(seen) - min(seen) < 0.001
    assert 0 < min(seen) <= min(judged) + 0.001


def test_the_page_and_the_metrics_say_that_there_is_no_backup(
    pristine: Archived, new_agent: NewAgent
) -> None:
    goals = {"window": "3650d", "backup_age": "1d"}
    agent = new_agent(archives=[{"url": str(pristine.archive)}], objectives=goals)
    agent.wait_for(lambda page: page.total("pitr_goal_breach_timestamp_seconds", goal="backup_age"))
    with urllib.request.urlopen(f"{agent.url}/", timeout=PATIENCE_SECONDS) as answer:
        assert "now: there is none" in answer.read().decode()


def test_the_space_that_the_goal_needs_is_told(pristine: Archived, tmp_path: Path) -> None:
    file = configure(tmp_path, cluster_of(pristine, "a", objectives={"window": "1s"}))
    (told,) = document_of(fleet(file, "--format", "json").out)["clusters"]
    (row,) = csv.DictReader(io.StringIO(fleet(file, "--format", "csv").out))
    held = sum(path.stat().st_size for path in pristine.archive.iterdir())
    assert told["space"]["available_bytes"] > held
    assert row["needed_bytes"] == str(told["space"]["needed_bytes"] or "")


def test_one_that_cannot_be_checked_is_unknown_and_the_others_are_told(
    pristine: Archived, tmp_path: Path
) -> None:
    file = configure(
        tmp_path, cluster_of(pristine, "fine"), {"name": "blind", "log": str(tmp_path / "log")}
    )
    told = fleet(file, "--format", "json")
    assert told.status == 3
    assert [each["verdict"] for each in document_of(told.out)["clusters"]] == ["unknown", "ok"]
    assert "no archive, backups or repository is configured" in fleet(file).out


def test_a_program_gets_its_document_when_it_is_broken_off(
    pristine: Archived,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("agent.fleet.collect.fleet_lines", interrupt)
    file = configure(tmp_path, cluster_of(pristine, "fine"))
    assert main(["fleet", "--config", str(file), "--format", "json"]) == 3
    (told,) = document_of(capsys.readouterr().out)["clusters"]
    assert told["verdict"] == "unknown"


def test_a_configuration_that_is_wrong_is_usage(tmp_path: Path) -> None:
    file = configure(tmp_path, {"name": "a", "class": "gol", "dsn": "host=x"})
    told = fleet(file)
    assert told.status == 64
    assert "did you mean gold" in told.err


@pytest.mark.parametrize(
    "options",
    [("--workers", 0), ("--scheduler", "nowhere"), ("--ledger", ""), ("--reverify", "1d")],
    ids=str,
)
def test_a_command_line_that_is_wrong_is_no_clusters_fault(
    pristine: Archived, tmp_path: Path, options: tuple[object, ...]
) -> None:
    told = fleet(configure(tmp_path, cluster_of(pristine, "fine")), *options)
    assert (told.status, told.out) == (64, "")
    assert str(options[0]) in told.err


def test_the_workers_of_a_scheduler_read_where_one_is_named(
    pristine: Archived, tmp_path: Path
) -> None:
    need("distributed")
    file, nobody = configure(tmp_path, cluster_of(pristine, "fine")), "tcp://127.0.0.1:9"
    told = forked.run(
        "pitr-check", "fleet", "--config", str(file), "--scheduler", nobody,
        environment=os.environ | {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"},
    )  # fmt: skip
    assert told.returncode == 3
    assert f"no scheduler answers at {nobody}: " in told.stdout


@pytest.mark.pg("== 16")
def test_a_server_that_answers_says_how_much_is_not_archived(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    primary = new_cluster(16, autovacuum=False)  # which would write meanwhile
    primary.sql("CREATE TABLE t AS SELECT generate_series(1, 1000)")
    primary.sql("SELECT pg_switch_wal()")
    primary.sql("INSERT INTO t SELECT generate_series(1, 100000)")
    archive = {"url": str(primary.home / "archive")}
    here = {"name": "here", "dsn": primary.dsn, "archives": [archive]}
    away = {"name": "away", "dsn": "host=/nowhere", "archives": [archive]}
    file = configure(tmp_path, here, away)
    before = waiting(primary)
    told = document_of(fleet(file, "--format", "json").out)["clusters"]
    exposed = {each["name"]: each["exposure"]["bytes"] for each in told}
    assert exposed["away"] is None
    assert 0 < before <= exposed["here"] <= waiting(primary)


def waiting(primary: Cluster) -> int:
    """WAL after the last segment that was archived, as the server tells, once it tells of all."""

    def less_than_a_segment() -> int:
        ((lsn, name, size),) = primary.sql(
            "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, last_archived_wal,"
            " pg_size_bytes(current_setting('wal_segment_size')) FROM pg_stat_archiver"
        )
        left = int(lsn - (parse_segment_name(name, size)[1] + 1) * size) if name else size
        return left if left < size else 0

    return int(wait_until(less_than_a_segment))


def test_the_agent_says_the_same(pristine: Archived, new_agent: NewAgent, tmp_path: Path) -> None:
    keys = cluster_of(pristine, "lab", objectives={"window": "3650d", "backup_age": "1s"})
    agent = new_agent(**{key: value for key, value in keys.items() if key != "name"})
    page = agent.wait_for(
        lambda page: (
            page.total("pitr_goal_breach_timestamp_seconds", goal="window")
            and page.total("pitr_collector_success", collector="windows") == 1
        )
    )
    with urllib.request.urlopen(f"{agent.url}/api/v1/fleet", timeout=PATIENCE_SECONDS) as answer:
        (served,) = document_of(answer.read().decode())["clusters"]
    file = configure(tmp_path, keys)
    (told,) = document_of(fleet(file, "--format", "json").out)["clusters"]
    assert stable(served) == stable(told)
    assert page.total("pitr_window_goal_seconds") == 3650 * 86400
    for breach in told["breaches"]:
        at = datetime.fromisoformat(breach["at"]).timestamp()
        shown = page.total("pitr_goal_breach_timestamp_seconds", goal=breach["goal"])
        assert shown == pytest.approx(at, abs=0.001)
    with urllib.request.urlopen(f"{agent.url}/", timeout=PATIENCE_SECONDS) as answer:
        assert '<span class="goal-of">window</span>' in answer.read().decode()


def stable(line: dict[str, Any]) -> dict[str, Any]:
    """Without what goes on while one looks."""
    kept = {key: value for key, value in line.items() if key not in ("name", "window", "space")}
    return kept | {"goal": line["window"]["goal_seconds"], "needed": line["space"]["needed_bytes"]}
