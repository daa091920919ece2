"""One restore asked of everybody: pitr-check and its drill, pitr-watch before and after, the agent.

Each must say what the predictor said, which a real server then did.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from agent.cli.check import main
from agent.config.file import load_config
from agent.documents.parts import stop_part
from agent.monitor.watched import WatchedCluster
from agent.postgres.cluster import Cluster
from agent.web.application import make_application
from agent.web.exposition import Exposition
from parsers.lsn import format_lsn
from rules.model.goal import Goal
from rules.model.outcome import Outcome
from rules.model.restore_inputs import RestoreInputs
from rules.model.target import Target
from rules.recovery.prediction import predict_target
from rules.verdict.check import load_catalogue
from tests.html_page import read_page
from tests.integration.restores import watch
from tests.truth.world import World
from tests.watching import Job

Told = dict[str, Any]


def ask_everybody(
    world: World, given: RestoreInputs, archive: Path, target: Target, goal: Goal
) -> Iterator[str]:
    """What differs, and where."""
    said = predict_target(target, goal, [given])
    assert said.prediction is not None
    backup = Path(given.backup.url)
    expected = {
        "outcome": said.outcome, "reachable": said.reachable, **_fields(said.prediction)
    }  # fmt: skip
    document = _check(world, archive, backup, target)
    yield from _differ("pitr-check", expected, document["target"])
    yield from _differ_in_drill(document["drill"], expected, target, said.prediction)
    yield from _agent(world, archive, backup, target, said.reachable, said.prediction)


def _differ_in_drill(drill: Told, expected: Told, target: Target, said: Outcome) -> Iterator[str]:
    """How it fails is its own matter: its restore_command refuses what the server would die of.

    Where recovery to the end of WAL would open short of it, a drill takes another target; where the
    WAL makes a tablespace outside, it is not made.
    """
    yield from (f"drill: {each}" for each in drill["disagreements"])
    if said.outcome != "opens" or (target.type == "none" and not expected["reachable"]):
        return
    if any(each.lsn is not None for each in said.directories):
        if "creates a tablespace" not in (drill["reason"] or ""):
            yield f"drill: {drill['outcome']}, {drill['reason']}"
        return
    stopped = {key: expected[key] for key in ("stop", "new_timeline")}
    yield from _differ("drill", stopped, _logged(drill, said))


def _fields(outcome: Outcome) -> Told:
    stop = outcome.stop
    return {
        "fatal": outcome.fatal,
        "new_timeline": outcome.new_timeline,
        "stop": stop_part(stop) if stop else None,
    }


def _differ(face: str, expected: Told, told: Told) -> Iterator[str]:
    for key, value in expected.items():
        there = told.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            known = {name: value[name] for name in value.keys() & there.keys()}
            yield from _differ(f"{face}: {key}", known, there)
        elif value != there and not (key == "stop" and _says_nothing(there)):
            yield f"{face}: {key}: expected {value!r}, was {there!r}"


def _says_nothing(stop: Told | None) -> bool:
    """Of the end of WAL a log has no line; other faces have it as a stop of its own kind."""
    return not any((stop or {}).values())


def _logged(told: Told, said: Outcome) -> Told:
    """What a server's log tells of the stop: of a commit no LSN, of the end of WAL nothing.

    Of consistency it has the record that was read last, which may be the one after.
    """
    stop = told.get("stop") or {}
    known = {name: value for name, value in stop.items() if value is not None}
    last = said.redo_done_lsn
    if known.get("kind") == "consistency" and last and known.get("lsn") == format_lsn(last):
        del known["lsn"]
    return {**told, "stop": known or None}


# -- pitr-check, with a drill ----------------------------------------------------------------------


def _check(world: World, archive: Path, backup: Path, target: Target) -> Told:
    area = world.home / "drills"
    area.mkdir(mode=0o755, exist_ok=True)
    return _json(
        main, "--archive", archive, "--backup", backup, *_options(target), "--workers", 1,
        "--drill", "--drill-directory", area, "--pg-bindir", world.installation.bindir,
    )  # fmt: skip


def _options(target: Target) -> Iterator[str]:
    if target.type == "immediate":
        yield "--target-immediate"
    elif target.type != "none":
        yield f"--target-{target.type}={target.value}"
    if not target.inclusive and target.type in ("time", "lsn", "xid"):
        yield "--exclusive"
    yield from ("--timeline", target.timeline)
    if target.type != "none":
        yield from ("--action", target.action)


def _json(run: Callable[[list[str]], int], *arguments: object) -> Told:
    out = io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.suppress(SystemExit),
    ):
        run([*map(str, arguments), "--format", "json"])
    document: Told = json.loads(out.getvalue())
    return document


# -- the agent -------------------------------------------------------------------------------------


def _agent(
    world: World, archive: Path, backup: Path, target: Target, reachable: bool | None, said: Outcome
) -> Iterator[str]:
    """Its page answers for times and restore points, its API for the end of WAL."""
    below = world.home / "agents"  # the agent looks for backups below a directory
    below.mkdir(exist_ok=True)
    link = below / "backup"
    link.unlink(missing_ok=True)
    link.symlink_to(backup)
    file = world.home / "pitr.yaml"
    cluster = {
        "name": "lab", "archives": [{"url": str(archive)}], "timeout": "60s", "depth": "records",
        "backups": {"url": str(below), "depth": "files"},
    }  # fmt: skip
    file.write_text(yaml.safe_dump({"clusters": [cluster]}))
    (configured,) = load_config(file).resolved()
    watched = WatchedCluster(configured, load_catalogue())
    try:
        asyncio.run(watched.scan())
        exposition = Exposition([watched], CollectorRegistry())
        client = TestClient(make_application([watched], "/metrics", exposition))
        if target.type in ("time", "name"):
            yield from _on_page(client, target, reachable, said)
        elif target.type == "none" and (target.timeline, target.action) == ("latest", "promote"):
            told = client.get("/api/v1/clusters/lab").json()["target"]
            yield from _differ("API", {"reachable": reachable, **_fields(said)}, told)
    finally:
        watched.close()


def _on_page(
    client: TestClient, target: Target, reachable: bool | None, said: Outcome
) -> Iterator[str]:
    query = {
        "at" if target.type == "time" else "point": target.value or "",
        "inclusive": "on" if target.inclusive else "off",
        "timeline": target.timeline,
        "action": target.action,
    }
    page = read_page(client.get("/clusters/lab", params=query).text)
    cards = [each["data-reachable"] for _, each in page.elements if "data-reachable" in each]
    if cards != [str(reachable).lower()]:
        yield f"page: expected reachable = {reachable}, was {cards}"
    if said.fatal and f"{said.severity}: {said.fatal}" not in " ".join(page.text.split()):
        yield f"page: does not say {said.severity}: {said.fatal}"


# -- pitr-watch ------------------------------------------------------------------------------------


@contextlib.contextmanager
def watched_restore(cluster: Cluster, said: Outcome, wrong: list[str]) -> Iterator[None]:
    """Follow a restore that is prepared, and started and ended inside."""
    expected = {
        "outcome": said.outcome, "ending": said.ending.value if said.ending else None,
        **_fields(said),
    }  # fmt: skip
    job = Job("--pgdata", str(cluster.data), "--timeout", "300s")
    try:
        wrong += _differ("pitr-watch before", expected, job.wait_for("prediction"))
        yield
    finally:
        job.stop()
    wrong += (f"pitr-watch: {each['text']}" for each in job.of("disagreement"))
    lines, _ = watch("--log", str(cluster.log), "--once")
    names = ("new_timeline", "fatal", *(("stop",) if said.outcome == "opens" else ()))
    if said.outcome != "unknown":
        told = _logged({**lines[-1], "fatal": lines[-1]["fatal_message"]}, said)
        wrong += _differ("pitr-watch after", {key: expected[key] for key in names}, told)
