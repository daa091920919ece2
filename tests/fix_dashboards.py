"""A laboratory that is well, restores, breaks and is forgotten, with a real Prometheus looking on.

One agent watches two clusters: `laboratorio`, a primary under traffic, and `restaurado`, a restore
that is held at gates. A state is left only when every panel has said what it promises for it (or
after a while, for a test to complain): nothing is told from a page that was read too soon.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.cli import agent as agent_command
from agent.lab.laboratory import Laboratory, open_laboratory
from agent.lab.service import LabService
from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from tests import grafana
from tests.fix_prometheus import Prometheus
from tests.fix_tools import PATIENCE_SECONDS
from tests.integration.restores import Restored, Story, restore, segment_of

PRIMARY, RESTORED = "laboratorio", "restaurado"
OBJECTIVES = {"rpo": "5s", "rto": "1h", "window": "1s", "backup_age": "1d"}
PROTECTION_CLASS = "gold"
# State -> the cluster that the dashboards of one cluster are opened for.
STATES = {
    "healthy": PRIMARY,
    "replaying": RESTORED,
    "paused": RESTORED,
    "promoted": RESTORED,
    "broken": PRIMARY,
    "blind": PRIMARY,
    "down": RESTORED,
    "forgotten": PRIMARY,
}

Told = dict[tuple[str, int], list[grafana.Sample]]  # (uid, number of the panel) -> its samples
# The panels, by uid and number, that do not keep the promise of a state.
Unkept = Callable[[str, Told], set[tuple[str, int]]]


class Observed:
    """What every panel said in every state, and the Prometheus that it was asked of."""

    def __init__(self, directory: Path) -> None:
        self.prometheus = Prometheus(directory)
        self.told: dict[str, Told] = {}
        self.at: dict[str, float] = {}
        self.since = time.time()
        self._directory = directory

    def start(self, agent_url: str) -> None:
        """Scrape the agent, with the rules made from the catalogue and a short patience."""
        rules = self._directory / "pitr-alerts.yml"
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            assert agent_command.main(["rules", "--hold", "1s"]) == 0
        rules.write_text(printed.getvalue())
        self.since = time.time()
        self.prometheus.start(agent_url.removeprefix("http://"), rules)

    def look(self, state: str, unkept: Unkept) -> None:
        """Ask each panel until it says what it promises, and keep what it said."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        targets = [t for document in grafana.load().values() for t in grafana.targets(document)]
        told = self._ask(state, targets)
        while (waited_for := unkept(state, told)) and time.monotonic() < deadline:
            time.sleep(0.5)
            told |= self._ask(state, [t for t in targets if (t.dashboard, t.panel) in waited_for])
        self.told[state], self.at[state] = told, time.time()

    def _ask(self, state: str, targets: Iterable[grafana.Target]) -> Told:
        """All of a panel's queries at one instant."""
        at = time.time()
        told: Told = {}
        for target in targets:
            answer = grafana.run(self.prometheus.url, target, STATES[state], self.since, at)
            told.setdefault((target.dashboard, target.panel), []).extend(answer)
        return told


class Gates:
    """Two segments that a restore_command waits for, each until its gate is opened."""

    def __init__(self, story: Story) -> None:
        self._held = {
            segment_of(story, commit): story.primary.home.parent / f"gate-{commit}"
            for commit in (2, 4)
        }
        for gate in self._held.values():
            gate.touch()
        cases = " ".join(
            f"{name}) while [ -e {gate} ]; do sleep 0.1; done ;;"
            for name, gate in self._held.items()
        )
        self.command = f"case %f in {cases} esac; cp {story.archive}/%f %p"

    def is_waiting(self, cluster: Cluster) -> bool:
        """SQL is answered; the first gate is shut."""
        return cluster.log.exists() and "read-only connections" in cluster.log.read_text()

    def open(self) -> None:
        """The next one."""
        name = next(iter(self._held))
        self._held.pop(name).unlink()


def observe(
    lab: Laboratory, service: LabService, story: Story, observed: Observed, unkept: Unkept
) -> None:
    """Go through all states; the server and Prometheus are up before, and still up after."""
    gates = Gates(story)
    with restore(
        story, command=gates.command, until=gates.is_waiting,
        recovery_target_lsn=story.restore_point_lsn, recovery_target_action="pause",
        recovery_prefetch=False,  # it would read on to the gate before it replays
    ) as restored:  # fmt: skip
        service.start(
            archive_timeout_seconds=1,
            objectives=OBJECTIVES,
            clusters=[_primary(service), _restored(story, restored, lab.directory)],
            classes={PROTECTION_CLASS: {}},
            alerts={"hold": "1s", "notify": [{"webhook": {"url": "http://127.0.0.1:1/"}}]},
        )
        observed.start(lab.agent.url)
        observed.look("healthy", unkept)
        gates.open()
        observed.look("replaying", unkept)
        gates.open()
        observed.look("paused", unkept)
        restored.cluster.sql("SELECT pg_wal_replay_resume()")
        observed.look("promoted", unkept)
        for fault in ("gap", "bitflip", "archive-fails"):
            service.break_it(fault)
        observed.look("broken", unkept)
        lab.archive.rename(lab.archive.with_name("unmounted"))
        observed.look("blind", unkept)
    observed.look("down", unkept)
    lab.agent.stop()
    observed.look("forgotten", unkept)


def _primary(service: LabService) -> dict[str, Any]:
    (cluster,) = service.agent_config(OBJECTIVES)["clusters"]
    return {**cluster, "class": PROTECTION_CLASS}


def _restored(story: Story, restored: Restored, directory: Path) -> dict[str, Any]:
    return {
        "name": RESTORED,
        "dsn": restored.cluster.dsn,
        "log": str(restored.log),
        "archives": [{"url": str(story.archive)}],
        "backups": {"url": str(story.backup)},
        "objectives": {"rpo": "1h", "rto": "1h"},
        "drill": {
            "schedule": "*/30 * * * * *",
            "at": "latest",
            "nice": False,
            "directory": str(directory),
            "pg_bindir": str(restored.cluster.installation.bindir),
        },
    }


@pytest.fixture(scope="module")
def observed(
    account: Account,
    installations: dict[int, Installation],
    restore_stories: Callable[[Installation], Story],
    tmp_path_factory: pytest.TempPathFactory,
    unkept: Unkept,
) -> Iterator[Observed]:
    """All states, seen one after the other. `unkept` is the test module's own."""
    installation = installations[16]
    directory = tmp_path_factory.mktemp("prometheus")
    seen = Observed(directory)
    with contextlib.ExitStack() as stack:
        stack.callback(seen.prometheus.stop)
        lab = stack.enter_context(open_laboratory(installation, account))
        observe(lab, LabService(lab), restore_stories(installation), seen, unkept)
        yield seen
