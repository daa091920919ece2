"""What the agent remembers of its drills outlives it, whatever ended it, and is bounded."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.config.drills import DrillConfig, ProbeConfig
from agent.config.model import (
    ArchiveConfig,
    BackupsConfig,
    ClusterConfig,
    Config,
    ResolvedCluster,
)
from agent.drill.probes import read_probes
from agent.drill_schedule import queue
from agent.drill_schedule.history import DrillHistory
from agent.drill_schedule.process import command_line, probes_document
from agent.drill_schedule.queue import DrillQueue
from rules.drill.comparison import Inspection, Probe
from rules.drill.records import DrillRecord, DrillsFacts

NOW = datetime(2026, 1, 1, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)


def record(at: datetime = NOW, **values: object) -> DrillRecord:
    common: dict[str, object] = {
        "started_at": at, "seconds": 12.5, "outcome": "promoted", "agrees": True, "backup": "/b",
        "target": "end of WAL, timeline latest", "instant": at - HOUR, "lsn": 1 << 40,
        "phases": {"copy": 1.0}, "copied_bytes": 7, "replayed_bytes": 9, "notes": ("a",),
        "inspections": (Inspection(name="dump", result="passed", detail="all"),),
        "probes": (Probe(database="d", sql="s", expected="e", got="e"),),
    }  # fmt: skip
    return DrillRecord(**(common | values))  # type: ignore[arg-type]


def test_what_was_remembered_is_read_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "drills.sqlite"
    history = DrillHistory(path)
    history.plan("a", NOW)
    history.begin("a", NOW)
    history.end("a", record(), keep=10)
    before = history.facts("a")
    # never closed: as a kill leaves it
    assert DrillHistory(path).facts("a") == before
    assert before == DrillsFacts(records=(record(),), since=NOW, counts={"promoted": 1})
    assert DrillHistory(path).facts("b") == DrillsFacts()


def test_only_the_last_are_kept_and_all_are_counted(tmp_path: Path) -> None:
    history = DrillHistory(tmp_path / "drills.sqlite")
    for number in range(25):
        history.begin("a", NOW)
        history.end("a", record(NOW + number * HOUR), keep=10)
    for each in (history, DrillHistory(tmp_path / "drills.sqlite")):
        facts = each.facts("a")
        assert [r.started_at for r in facts.records] == [NOW + n * HOUR for n in range(15, 25)]
        assert facts.counts == {"promoted": 25}


def test_the_last_good_drill_is_not_forgotten_however_many_failed_since(tmp_path: Path) -> None:
    history = DrillHistory(tmp_path / "drills.sqlite")
    for number in range(25):
        outcome = "promoted" if number < 2 else "failed"
        history.end("a", record(NOW + number * HOUR, outcome=outcome), keep=10)
    for each in (history, DrillHistory(tmp_path / "drills.sqlite")):
        facts = each.facts("a")
        assert len(facts.records) == 11 and facts.last_success == record(NOW + HOUR)
    history.end("a", record(NOW + 99 * HOUR), keep=10)
    assert len(history.facts("a").records) == 10


def test_a_drill_that_was_running_is_told_as_killed_once(tmp_path: Path) -> None:
    path = tmp_path / "drills.sqlite"
    DrillHistory(path).begin("a", NOW)
    for _ in range(2):
        facts = DrillHistory(path).facts("a")
        (killed,) = facts.records
        assert (killed.outcome, killed.started_at, facts.running_since) == ("not_run", NOW, None)
        assert killed.reason == "the agent was killed while it ran"


def test_what_waits_and_what_was_put_off_waits_again(tmp_path: Path) -> None:
    path = tmp_path / "drills.sqlite"
    history = DrillHistory(path)
    history.ask("waits", NOW)
    history.ask("runs", NOW)
    history.begin("runs", NOW + HOUR)
    assert history.asked_at("runs") is None
    history.put_off("runs")
    again = DrillHistory(path)
    assert again.asked_at("waits") == NOW and again.asked_at("runs") == NOW + HOUR
    assert again.facts("runs").records == ()


def test_a_file_of_another_release_is_moved_aside_and_one_damaged_row_costs_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "drills.sqlite"
    history = DrillHistory(path)
    for name in ("a", "b"):
        history.end(name, record(), keep=10)
    history.close()
    with sqlite3.connect(path) as file:
        file.execute("UPDATE state SET value = '{}' WHERE kind = 'drill' AND name = 'a'")
    history = DrillHistory(path)
    assert history.facts("a").records == () and history.facts("b").records == (record(),)
    assert "the drill of a cannot be read" in caplog.text
    history.close()
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version = 99")
    assert DrillHistory(path).facts("b") == DrillsFacts()
    assert (tmp_path / "drills.sqlite.unreadable").exists()
    assert "written by a newer release" in caplog.text


def test_a_damaged_file_is_moved_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its header alone is whole: what is after it is not found damaged until it is read."""
    path = tmp_path / "drills.sqlite"
    history = DrillHistory(path)
    for number in range(200):
        history.ask(f"{number}" * 50, NOW)
    history.close()
    content = path.read_bytes()
    assert len(content) > 40_000
    path.write_bytes(content[:8192] + bytes(len(content) - 8192))
    history = DrillHistory(path)
    assert history.lasts and history.asked_at("7" * 50) is None
    history.ask("a", NOW)
    history.close()
    assert DrillHistory(path).asked_at("a") == NOW
    assert (tmp_path / "drills.sqlite.unreadable").stat().st_size == len(content)


@pytest.mark.parametrize("value", ["x'ff00'", "cast(x'ff00' AS TEXT)", "NULL", "7"])
def test_a_row_that_holds_anything_costs_no_other(value: str, tmp_path: Path) -> None:
    path = tmp_path / "drills.sqlite"
    history = DrillHistory(path)
    history.end("b", record(), keep=10)
    history.close()
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        file.execute(f"INSERT INTO state VALUES ('drill', 'a', 1, {value})")
    assert DrillHistory(path).facts("b").records == (record(),)


def test_a_file_of_something_else_is_moved_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "drills.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        file.execute("CREATE TABLE state (a)")
    assert DrillHistory(path).lasts
    assert "its table has other columns: a" in caplog.text


def test_without_a_file_it_lasts_as_long_as_the_process() -> None:
    history = DrillHistory(None)
    history.end("a", record(), keep=10)
    assert not history.lasts and history.facts("a").last == record()


# -- whose turn it is, and what is run -------------------------------------------------------------


def cluster(name: str, **drill: object) -> ResolvedCluster:
    configured = ClusterConfig(
        name=name, archives=(ArchiveConfig(url="/wal"),), backups=BackupsConfig(url="/base"),
        drill=DrillConfig(schedule="0 3 * * 0", **drill),  # type: ignore[arg-type]
    )  # fmt: skip
    return Config(clusters=(configured,)).resolved()[0]


def test_one_at_a_time_and_first_whose_last_is_longest_ago(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running, order = 0, list[str]()

    async def pretend(config: ResolvedCluster, *_: object) -> DrillRecord:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        running -= 1
        order.append(config.name)
        return record(datetime.now(UTC))

    monkeypatch.setattr(queue, "run_drill", pretend)
    history, told = DrillHistory(None), list[str]()
    history.end("late", record(NOW), keep=10)
    history.end("later", record(NOW + HOUR), keep=10)
    made = asyncio.Event()

    def tell(name: str, facts: DrillsFacts) -> None:
        told.append(name)
        if len(told) == 6:  # at its begin and its end
            made.set()

    drills = DrillQueue(history, None, tell)
    drills.configure([cluster(name) for name in ("later", "late", "never")])
    monkeypatch.setattr(DrillQueue, "_sweep", _nothing)

    async def story() -> None:
        for name in ("later", "late", "never", "later"):
            await drills.ask(name)
        making = asyncio.create_task(drills.run())
        await asyncio.wait_for(made.wait(), 60)
        making.cancel()

    asyncio.run(story())
    assert order == ["never", "late", "later"]


async def _nothing(self: DrillQueue) -> None:
    return None


def test_a_drill_is_what_a_person_could_type() -> None:
    config = cluster(
        "a", directory="/scratch", probes=(ProbeConfig(sql="SELECT 1", expected="1"),),
        timeout="1h",
    )  # fmt: skip
    assert config.drill is not None
    drills = DrillsFacts(
        records=(record(), record(NOW + HOUR), record(outcome="not_run", instant=NOW))
    )
    assert command_line(config, config.drill, drills, Path("/l.sqlite")) == [
        "--backups", "/base", "--backup-depth", "label", "--other-machine", "--archive", "/wal",
        "--workers", "1", "--format", "json", "--drill", "--ledger", "/l.sqlite",
        "--reverify", "604800.0s", "--drill-timeout", "3600.0s", "--drill-directory", "/scratch",
        "--probes", "/dev/stdin", "--nice", "--random-instant",
        "--drilled", "2026-01-01T02:00:00+00:00", "--drilled", "2026-01-01T03:00:00+00:00",
    ]  # fmt: skip
    newest = cluster("a", at="latest", nice=False)
    assert newest.drill is not None
    words = command_line(newest, newest.drill, drills, None)
    options = {"--nice", "--random-instant", "--drilled", "--ledger", "--reverify"}
    assert not options & set(words)


def test_probes_arrive_as_they_were_configured(tmp_path: Path) -> None:
    sql = "SELECT '\U0001f418 ñ', \"a\" -- it's: {all}\n\tone"
    probe = ProbeConfig(database="tienda", sql=sql, expected="\U0001f418 ñ|#1")
    drill = cluster("a", probes=(probe,)).drill
    assert drill is not None
    file = tmp_path / "probes"
    file.write_bytes(probes_document(drill))
    assert read_probes(file) == (probe.facts(),)
