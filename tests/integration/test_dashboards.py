"""Every panel of the dashboards, asked in a real Prometheus that scrapes the real agent.

The laboratory is well, restores, breaks, and is forgotten (tests/fix_dashboards.py); what a panel
has to say in which state is in the table below. A state that is not named is not promised.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rules.alerting.panels import Panel
from tests import grafana
from tests.fix_dashboards import PRIMARY, PROTECTION_CLASS, RESTORED, STATES, Observed, Told, Unkept

pytestmark = pytest.mark.timeout(1800)  # eight states of two clusters, each waited for
ROOT = Path(__file__).parents[2]
DOCUMENTED = set(re.findall(r"^\| `(pitr_\w+)`", (ROOT / "docs" / "metrics.md").read_text(), re.M))
DOCUMENTS = grafana.load()

Samples = list[grafana.Sample]
Promise = Callable[[Samples], bool]


def says(value: float, target: str = "", **labels: str) -> Promise:
    """Exactly this."""
    return holds(lambda told: told == value, target, **labels)


def holds(test: Callable[[float], bool], target: str = "", **labels: str) -> Promise:
    """A value of which this is true, at the end of the range."""
    return lambda samples: any(
        sample.value is not None and test(sample.value) for sample in _of(samples, target, labels)
    )


def more_than(bound: float, target: str = "", **labels: str) -> Promise:
    return holds(lambda told: told > bound, target, **labels)


def between(low: float, high: float, target: str = "", **labels: str) -> Promise:
    return holds(lambda told: low <= told <= high, target, **labels)


def had(target: str, **labels: str) -> Promise:
    """More than nothing, somewhere in the range."""
    return lambda samples: any(sample.peak > 0 for sample in _of(samples, target, labels))


def nothing(target: str | None = None) -> Promise:
    """No value at the end: not known, or none to tell of. Never 0 in its place."""
    return lambda samples: all(
        sample.value is None for sample in samples if target in (None, sample.target)
    )


def every(*promises: Promise) -> Promise:
    return lambda samples: all(promise(samples) for promise in promises)


def _of(samples: Samples, target: str, labels: Mapping[str, str]) -> Samples:
    return [
        sample
        for sample in samples
        if sample.target == target and labels.items() <= sample.labels.items()
    ]


def an_instant(low: float = 1.7e12) -> Promise:
    """Milliseconds since 1970, of this decade or later."""
    return more_than(low)


_VERDICT_OF = {"healthy": 0, "broken": 3, "blind": 3, "forgotten": 2, "paused": 1}
_AN_HOUR, _A_DAY = 3600, 86400  # the restored server may be as old as the session of tests

PROMISES: dict[Panel, dict[str, Promise]] = {
    Panel.FLEET_VERDICTS: {
        "healthy": every(says(2, "OK"), says(0, "CRITICAL"), says(0, "UNKNOWN")),
        "broken": every(says(1, "CRITICAL"), says(1, "WARNING"), says(0, "OK")),
        "forgotten": every(says(2, "UNKNOWN"), says(0, "OK")),
    },
    Panel.FLEET_CLUSTERS: {
        "healthy": every(
            says(0, "Verdict", cluster=PRIMARY), says(0, "Verdict", cluster=RESTORED),
            says(0, "Findings", cluster=PRIMARY), says(0, "Blind checks", cluster=PRIMARY),
            between(0, 1, "of RPO", cluster=PRIMARY), between(0, 5, "Exposed", cluster=PRIMARY),
            between(0, _AN_HOUR, "Latest restorable", cluster=PRIMARY),
            between(0, _AN_HOUR, "Reaches back", cluster=RESTORED),
            between(0, _AN_HOUR, "Newest backup", cluster=PRIMARY),
            nothing("Alerts"),
        ),
        "promoted": every(
            more_than(0, "Restore takes", cluster=RESTORED),
            between(0, 1, "of RTO", cluster=RESTORED),
            between(0, _AN_HOUR, "Last good drill", cluster=RESTORED),
        ),
        "broken": every(
            says(3, "Verdict", cluster=PRIMARY), more_than(2, "Findings", cluster=PRIMARY),
            more_than(2, "Alerts", cluster=PRIMARY), more_than(1, "of RPO", cluster=PRIMARY),
        ),
        "blind": more_than(0, "Blind checks", cluster=PRIMARY),
        "forgotten": every(
            says(2, "Verdict", cluster=PRIMARY), says(2, "Verdict", cluster=RESTORED),
            nothing("Findings"), nothing("Blind checks"), nothing("Exposed"),
        ),
    },
    Panel.FLEET_EXPOSURE: {
        "healthy": between(0, 1, "{{cluster}}", cluster=PRIMARY),
        "broken": more_than(1, "{{cluster}}", cluster=PRIMARY),
        "forgotten": nothing(),
    },
    Panel.FLEET_RESTORE_ESTIMATE: {
        "promoted": between(0, 1, "{{cluster}}", cluster=RESTORED),
    },
    Panel.FLEET_GOALS: {
        "broken": holds(
            lambda left: left < 0, cluster=PRIMARY, protection_class=PROTECTION_CLASS, goal="rpo"
        ),
        "forgotten": nothing(),
    },
    Panel.FLEET_WINDOW: {
        "healthy": more_than(1, "{{cluster}}", cluster=PRIMARY),
        "forgotten": nothing(),
    },
    Panel.FLEET_ALERTS: {
        "healthy": nothing(),
        "broken": every(
            says(1, alertname="PitrWalGap", says="PitrWalGap", cluster=PRIMARY),
            says(1, alertname="PitrArchiverFailing", severity="critical", cluster=PRIMARY),
        ),
        "forgotten": says(1, alertname="PitrAgentAbsent"),
    },
    Panel.FLEET_BLIND: {
        "healthy": nothing(),
        "blind": says(0, id="wal_gap", says="wal_gap", cluster=PRIMARY),
    },
    Panel.FLEET_AGENTS: {
        "healthy": every(
            says(1, "Scraped"), says(1, "Configuration"), between(0, 3600, "Configured")
        ),
        "broken": every(
            more_than(0, "Not told yet"), more_than(0, "Attempts refused"), says(0, "Told")
        ),
        "forgotten": every(says(0, "Scraped"), nothing("Configuration"), nothing("Not told yet")),
    },
    Panel.VERDICT: {state: says(rank) for state, rank in _VERDICT_OF.items()},
    Panel.LATEST: {"healthy": an_instant(), "broken": an_instant(), "forgotten": nothing()},
    Panel.EARLIEST: {"healthy": an_instant(), "forgotten": nothing()},
    Panel.EXPOSURE_OF_OBJECTIVE: {
        "healthy": between(0, 1), "broken": more_than(1), "forgotten": nothing(),
    },
    Panel.RESTORE_OF_OBJECTIVE: {"healthy": nothing(), "promoted": between(0.0001, 1)},
    Panel.BLIND_COUNT: {"healthy": says(0), "blind": more_than(0), "forgotten": nothing()},
    Panel.FINDINGS: {
        "healthy": nothing(),
        "broken": every(
            says(1, id="wal_gap", says="wal_gap", severity="critical"),
            says(1, id="wal_damaged", severity="critical"),
            says(1, id="archiver_failing", severity="critical"),
        ),
        "blind": says(1, id="wal_gap"),  # what was found last stands
    },
    Panel.BLIND: {"healthy": nothing(), "blind": says(0, id="wal_gap")},
    Panel.EXPOSURE_SECONDS: {
        "healthy": every(between(0, 5, "exposed"), says(5, "objective")),
        "broken": every(more_than(5, "exposed"), says(5, "objective")),
        "forgotten": nothing(),
    },
    Panel.EXPOSURE_BYTES: {
        "healthy": more_than(-1, "exposed"), "broken": more_than(1e6, "exposed"),
    },
    Panel.RESTORABLE_AGE: {"healthy": between(0, _AN_HOUR, "age"), "forgotten": nothing()},
    Panel.WINDOW: {
        "healthy": every(between(1, _AN_HOUR, "reaches back"), says(1, "objective")),
        "promoted": nothing("objective"),  # none is stated for that cluster
    },
    Panel.READY: {"healthy": between(0, 5, "ready"), "broken": more_than(2, "ready")},
    Panel.READY_AGE: {
        "healthy": says(5, "objective"),
        "broken": every(more_than(2, "oldest"), says(5, "objective")),
    },
    Panel.ARCHIVER_RATES: {
        "healthy": every(more_than(0, "archived"), says(0, "failed")),
        "broken": more_than(0, "failed"),
    },
    Panel.ARCHIVER_LAST: {
        "healthy": every(between(0, 60, "success"), nothing("failure")),
        "broken": every(more_than(2, "success"), between(0, 60, "failure")),
    },
    Panel.WAL_DIRECTORY: {"healthy": more_than(1e6, "size"), "broken": more_than(1e6, "size")},
    Panel.WAL_DIRECTORY_FULL: {"healthy": nothing(), "broken": an_instant()},
    Panel.MISSING: {
        "healthy": every(*(
            says(0, "timeline {{timeline}}, {{class}}", timeline="1", **{"class": kind})
            for kind in ("lost", "delayed", "uploading", "acknowledged")
        )),
        "broken": says(1, "timeline {{timeline}}, {{class}}", timeline="1", **{"class": "lost"}),
    },
    Panel.DAMAGED: {
        "healthy": every(says(0, "looked"), nothing("{{kind}}")),
        "broken": says(1, "{{kind}}", kind="bad_crc"),
    },
    Panel.BACKUPS: {
        "healthy": every(
            says(1, "{{state}}", state="restorable"), says(0, "{{state}}", state="not_restorable"),
            says(0, "{{state}}", state="unknown"), says(1, "windows"),
        ),
        "forgotten": nothing(),
    },
    Panel.BACKUP_AGE: {"healthy": every(between(0, _AN_HOUR, "age"), says(_A_DAY, "objective"))},
    Panel.RESTORE_ESTIMATE: {
        "healthy": every(nothing("estimate"), says(3600, "objective")),
        "promoted": every(between(1, 3600, "estimate"), says(3600, "objective")),
    },
    Panel.DRILL_AGE: {
        "healthy": nothing(),  # that cluster is not drilled
        "promoted": every(between(0, _AN_HOUR, "age"), more_than(0, "objective")),
    },
    Panel.DRILL_OUTCOME: {
        "healthy": nothing(),
        "promoted": between(0, _AN_HOUR, "{{outcome}}", outcome="promoted"),
    },
    Panel.DRILL_AGREES: {"healthy": nothing(), "promoted": says(1)},
    Panel.DRILL_DURATIONS: {
        "promoted": every(
            more_than(0, "{{phase}}", phase="total"), more_than(0, "{{phase}}", phase="replay")
        ),
    },
    Panel.SERVER: {
        "healthy": says(1, "server"), "down": says(0, "server"), "forgotten": nothing(),
    },
    Panel.VERDICT_AGE: {
        "healthy": every(between(0, 60, "age"), more_than(0, "objective")),
        "forgotten": nothing("age"),
    },
    Panel.COLLECTORS: {
        "healthy": every(
            says(1, "{{collector}}", collector="archive"),
            says(1, "{{collector}}", collector="positions"),
        ),
        "blind": says(0, "{{collector}}", collector="archive"),
        "down": says(0, "{{collector}}", collector="positions"),
        "forgotten": nothing(),
    },
    Panel.COLLECTOR_DURATIONS: {
        "healthy": between(0, 60, "{{collector}}", collector="archive"),
    },
    Panel.RESTORE_STATE: {
        "healthy": says(0), "replaying": says(1), "paused": says(2), "promoted": says(0),
        "forgotten": nothing(),
    },
    Panel.RESTORE_PROGRESS: {
        "healthy": nothing(), "replaying": between(0.1, 1), "paused": says(1),
        "promoted": nothing(),
    },
    Panel.RESTORE_REMAINING: {"replaying": more_than(0), "paused": says(0), "promoted": nothing()},
    Panel.RESTORE_ETA: {"replaying": more_than(0), "paused": nothing(), "promoted": nothing()},
    Panel.RESTORE_OUTCOME: {
        "replaying": nothing(),
        "paused": between(0, 3600, "{{outcome}}", outcome="paused"),
        "promoted": every(
            between(0, 3600, "{{outcome}}", outcome="promoted"),
            lambda samples: len(samples) == 1,
        ),
    },
    Panel.RESTORE_REACHED: {"replaying": nothing(), "paused": says(1), "promoted": says(1)},
    Panel.RESTORE_POSITIONS: {
        "replaying": every(more_than(1e6, "replayed"), more_than(1e6, "objective")),
        "promoted": nothing(),
    },
    Panel.RESTORE_RATE: {"replaying": had("pace")},
    Panel.RESTORE_HISTORY: {
        "replaying": says(1, "state"), "paused": says(2, "state"), "promoted": says(0, "state"),
    },
    Panel.RESTORE_EVENTS: {
        "replaying": had("{{event}}", event="file_restored"),
        "promoted": had("{{event}}", event="archive_recovery_complete"),
    },
    Panel.RESTORE_FINDINGS: {
        "healthy": nothing(),
        "paused": says(1, id="restore_paused", says="restore_paused", severity="warning"),
    },
}  # fmt: skip


def _unkept(state: str, told: Told) -> set[tuple[str, int]]:
    return {
        panel.value
        for panel, promises in PROMISES.items()
        if state in promises and not promises[state](told[panel.value])
    }


@pytest.fixture(scope="module")
def unkept() -> Unkept:
    return _unkept


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES)
def test_every_panel_keeps_its_promise(state: str, observed: Observed) -> None:
    told = observed.told[state]
    assert {Panel(key): told[key] for key in _unkept(state, told)} == {}


@pytest.mark.slow
def test_every_query_told_something_in_some_state(observed: Observed) -> None:
    silent = {
        (target.dashboard, target.panel, target.name)
        for document in DOCUMENTS.values()
        for target in grafana.targets(document)
    }
    for told in observed.told.values():
        for (dashboard, panel), samples in told.items():
            silent -= {(dashboard, panel, sample.target) for sample in samples}
    assert silent == set()


@pytest.mark.slow
def test_the_rows_of_a_joined_table_have_the_label_that_joins_them(observed: Observed) -> None:
    """Any further label would make two rows of one cluster."""
    for told in observed.told.values():
        for panel, label in ((Panel.FLEET_CLUSTERS, "cluster"), (Panel.FLEET_AGENTS, "instance")):
            assert {tuple(sample.labels) for sample in told[panel.value]} <= {(label,)}


@pytest.mark.slow
def test_the_variable_lists_the_clusters_even_when_nobody_scrapes_them(observed: Observed) -> None:
    for document in DOCUMENTS.values():
        (query,) = (
            variable["query"]["query"]
            for variable in document["templating"]["list"]
            if variable["type"] == "query"
        )
        url, since = observed.prometheus.url, observed.since
        for until in observed.at.values():
            assert grafana.values_of(url, query, since, until) == [PRIMARY, RESTORED]


@pytest.mark.slow
def test_metrics_that_are_named_are_exported_and_documented(observed: Observed) -> None:
    found = grafana.values_of(
        observed.prometheus.url, "label_values(pitr_build_info, __name__)", 0, 0
    ) + _all_names(observed)
    named = set(re.findall(r"\bpitr_\w+", json.dumps(DOCUMENTS)))
    assert named <= set(found)
    assert {name for name in found if name.startswith("pitr_")} <= DOCUMENTED


def _all_names(observed: Observed) -> list[str]:
    answer = grafana.ask(f"{observed.prometheus.url}/api/v1/label/__name__/values")
    names: list[str] = answer["data"]
    return names


def test_each_panel_promises_something() -> None:
    assert set(PROMISES) == set(Panel)
