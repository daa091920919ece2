"""`pitr-check --config`: every key of a cluster holds there too, unless it is a schedule.

The tables say of each key of the models what pitr-check does with it. A key that is in none of them
is one that nobody decided.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from agent.cli.check import read_arguments
from agent.cli.options import cost
from agent.cli.options.drill_options import order_of
from agent.cli.options.sources import add_sources, complete_sources
from agent.cli.options.target_options import context_of
from agent.config.drills import DrillConfig
from agent.config.model import ClusterConfig, Config, DefaultsConfig
from agent.drill.drill import Order
from agent.errors import UsageError
from agent.inputs.gather import ReadingOptions
from rules.case.context import Context
from rules.drill.comparison import Probe
from rules.model.facts import Objectives
from rules.model.sequence import AcknowledgedGap


@dataclass(frozen=True)
class Asked:
    """What pitr-check would do."""

    cluster: str
    archives: list[str]
    backups: str | None
    backup_depth: str
    repositories: list[tuple[str, str | None]]
    context: Context
    reading: ReadingOptions
    drill: Order


@dataclass(frozen=True)
class Applied:
    """A key that pitr-check heeds."""

    value: object  # in the file
    of: Callable[[Asked], object]
    expected: object
    option: tuple[str, ...] = ()  # that goes before it
    instead: object = None  # what it then is


GAP: Final = {
    "timeline": 1, "first": "000000010000000000000042", "last": "000000010000000000000044",
    "why": "the disk was lost",
}  # fmt: skip
PROBE: Final = {"sql": "SELECT 1", "expected": 1}
PROBED: Final = (Probe(database="postgres", sql="SELECT 1", expected="1"),)

_READING: Final = {
    "depth": Applied(
        "headers", lambda a: a.context.depth, "headers", ("--depth", "names"), "names"
    ),
    "reverify": Applied(
        "3d",
        lambda a: a.reading.limits.reverify_seconds,
        3 * 86400.0,
        ("--ledger", ":memory:", "--reverify", "1h"),
        3600.0,
    ),
    "io_limit": Applied(
        "5MB/s", lambda a: a.reading.limits.bytes_per_second, 5e6, ("--io-limit", "1MB/s"), 1e6
    ),
    "scan_on": Applied(
        "tcp://a:8786",
        lambda a: a.reading.scheduler,
        "tcp://a:8786",
        ("--scheduler", "tls://b:8786"),
        "tls://b:8786",
    ),
}
_DRILL: Final = {
    "directory": Applied("/room", lambda a: str(a.drill.base), "/room",
                         ("--drill-directory", "/other"), "/other"),
    "pg_bindir": Applied("/pg/bin", lambda a: str(a.drill.bindir), "/pg/bin",
                         ("--pg-bindir", "/other"), "/other"),
    "probes": Applied([PROBE], lambda a: a.drill.probes, PROBED, ("--probe", "SELECT 2=2"),
                      (Probe(database="postgres", sql="SELECT 2", expected="2"),)),
    "nice": Applied(True, lambda a: a.drill.nice, True),
    "user": Applied("pitr-drill", lambda a: a.drill.user, "pitr-drill",
                    ("--drill-user", "other"), "other"),
    "confine": Applied("always", lambda a: a.drill.confine, "always",
                       ("--confine", "never"), "never"),
    "preload": Applied(["a", "b"], lambda a: a.drill.preload, ("a", "b"),
                       ("--preload", "c"), ("c",)),
    "timeout": Applied("2h", lambda a: a.drill.timeout_seconds, 7200.0,
                       ("--drill-timeout", "1h"), 3600.0),
}  # fmt: skip
_CLUSTER: Final = _READING | {
    "name": Applied("other", lambda a: a.cluster, "other"),
    "archives": Applied(
        [{"url": "/w"}, {"url": "/x"}], lambda a: a.archives, ["/w", "/x"], ("--archive", "/y"),
        ["/y"],
    ),
    "backups": Applied(
        {"url": "/b", "depth": "pages"}, lambda a: (a.backups, a.backup_depth),
        ("/b", "pages"), ("--backups", "/c", "--backup-depth", "label"), ("/c", "label"),
    ),
    "repositories": Applied(
        [{"url": "/r", "stanza": "main"}], lambda a: a.repositories, [("/r", "main")],
        ("--repository", "/s"), [("/s", None)],
    ),
    "via": Applied(
        "restore_command", lambda a: a.context.way.via, "restore_command",
        ("--repository", "/s", "--via", "tool"), "tool",
    ),
    "objectives": Applied(
        {"rpo": "1m", "window": "7d"}, lambda a: a.context.objectives,
        Objectives(rpo_seconds=60.0, window_seconds=7 * 86400.0),
    ),
    "acknowledged_gaps": Applied(
        [GAP], lambda a: a.context.acknowledged,
        (AcknowledgedGap(timeline=1, first=str(GAP["first"]), last=str(GAP["last"]),
                         why="the disk was lost"),),
    ),
    "server_version": Applied(
        "17.10", lambda a: a.context.server_version, 170010, ("--server-version", "18.7"), 180007
    ),
    "drill": Applied(
        {"probes": [PROBE], "schedule": "0 3 * * *"}, lambda a: a.drill.probes, PROBED
    ),
}  # fmt: skip

# What changes nothing of a run, and why.
_SCHEDULES: Final = {
    "poll": "1m",  # how often a server is asked
    "relist": "2h",  # how often an archive is listed whole; a run lists all of it
    "scan": "1h",  # how often archives are read; --budget is how long a run may
    "timeout": "3s",  # after which the agent's other sources go on; a run waits for what it reads
}
_OF_THE_SERVER: Final = {  # a dead primary is no excuse: a verdict comes of files
    "dsn": "host=nowhere.invalid",
    "log": "/var/log/nowhere",  # what became of past restores; pitr-check find --log reads one
    "log_line_prefix": "%m ",
    "log_timezone": "UTC",
}
_WHEN_DRILLED: Final = {
    "schedule": "0 3 * * *",
    "timezone": "UTC",  # of the schedule
    "at": "random",  # where the agent's drills go; --random-instant and --target-time say it here
    "history": 20,  # what the agent remembers
    "socket": "/run/pitr-drill.socket",  # whom the agent has make its drills
}
_SHOWN: Final = {"labels": {"team": "payments"}}  # by the agent
_PLAIN: Final = {"name": "lab", "archives": [{"url": "/wal"}], "backups": {"url": "/base"}}


def ask(tmp_path: Path, document: Mapping[str, Any], *options: str) -> Asked:
    file = tmp_path / "pitr.yaml"
    file.write_text(yaml.safe_dump(dict(document)))
    arguments = read_arguments(["--config", str(file), "--now", "2026-01-01T00:00Z", *options])
    return Asked(
        cluster=arguments.cluster,
        archives=arguments.archives,
        backups=arguments.backups_below,
        backup_depth=arguments.backup_depth,
        repositories=[(place.url, place.name) for place in arguments.repositories],
        context=context_of(arguments),
        reading=cost.reading(arguments),
        drill=replace(order_of(arguments), announce=print),
    )


def of_cluster(key: str, value: object) -> dict[str, Any]:
    return {"clusters": [{**_PLAIN, key: value}]}


def of_defaults(key: str, value: object) -> dict[str, Any]:
    return {"clusters": [_PLAIN], "defaults": {key: value}}


def of_drill(key: str, value: object) -> dict[str, Any]:
    return {"clusters": [_PLAIN | {"drill": {key: value}}]}


def of_drill_defaults(key: str, value: object) -> dict[str, Any]:
    return {"clusters": [_PLAIN], "defaults": {"drill": {key: value}}}


APPLIED: Final = [
    pytest.param(place, key, each, id=f"{place.__name__}-{key}")
    for place, table in (
        (of_cluster, _CLUSTER),
        (of_defaults, _READING | {"drill": _CLUSTER["drill"]}),
        (of_drill, _DRILL),
        (of_drill_defaults, _DRILL),
    )
    for key, each in table.items()
]
WITHOUT_EFFECT: Final = [
    pytest.param(place, key, value, id=f"{place.__name__}-{key}")
    for place, table in (
        (of_cluster, _SCHEDULES | _OF_THE_SERVER | _SHOWN),
        (of_defaults, _SCHEDULES),
        (of_drill, _WHEN_DRILLED),
        (of_drill_defaults, _WHEN_DRILLED),
    )
    for key, value in table.items()
]


def test_every_key_is_in_a_table() -> None:
    cluster = _CLUSTER.keys() | _SCHEDULES.keys() | _OF_THE_SERVER.keys() | _SHOWN.keys()
    written = {each.alias or name for name, each in ClusterConfig.model_fields.items()}
    assert cluster | {"class"} == written, "the class is below"
    defaults = _READING.keys() | _SCHEDULES.keys() | {"drill"}
    assert defaults == DefaultsConfig.model_fields.keys()
    assert _DRILL.keys() | _WHEN_DRILLED.keys() == DrillConfig.model_fields.keys()
    of_file = {
        "clusters", "classes", "include", "defaults", "alerts", "ledger", "evidence", "lang",
    }  # fmt: skip
    why = "alerts, evidence and lang are the agent's, ledger is below"
    assert of_file == Config.model_fields.keys(), why


@pytest.mark.parametrize(("place", "key", "each"), APPLIED)
def test_a_key_is_heeded(
    tmp_path: Path, place: Callable[[str, object], dict[str, Any]], key: str, each: Applied
) -> None:
    plain = ask(tmp_path, {"clusters": [_PLAIN]}, "--drill")
    assert each.of(plain) != each.expected
    document = place(key, each.value)
    assert each.of(ask(tmp_path, document, "--drill")) == each.expected
    if each.option:
        assert each.of(ask(tmp_path, document, "--drill", *each.option)) == each.instead


@pytest.mark.parametrize(("place", "key", "value"), WITHOUT_EFFECT)
def test_a_schedule_changes_nothing(
    tmp_path: Path, place: Callable[[str, object], dict[str, Any]], key: str, value: object
) -> None:
    plain = ask(tmp_path, {"clusters": [_PLAIN]}, "--drill")
    told = ask(tmp_path, place(key, value), "--drill")
    wanted = told.context.objectives
    if key == "schedule":  # how old a good drill may be follows from it
        assert wanted.drill_age_seconds is not None
        wanted = replace(wanted, drill_age_seconds=None)
    assert replace(told, context=replace(told.context, objectives=wanted)) == plain


@pytest.mark.parametrize("written", ["17.10", "'17'", "'9.6.24'", "'19beta1'"])
def test_a_release_is_written_in_quotes_with_its_minor(tmp_path: Path, written: str) -> None:
    """17.10 without quotes is the number 17.1, another release."""
    file = tmp_path / "pitr.yaml"
    file.write_text(f"clusters: [{{name: lab, log: /var/log/x, server_version: {written}}}]")
    with pytest.raises(UsageError, match=r"is not a minor release: write it in quotes, as '18\.7'"):
        read_arguments(["--config", str(file)])


def test_the_goals_of_a_class_are_heeded(tmp_path: Path) -> None:
    goals = {"classes": {"gold": {"window": "7d", "copies": 2}}}
    told = ask(tmp_path, of_cluster("class", "gold") | goals).context.objectives
    assert told == Objectives(rpo_seconds=300.0, window_seconds=7 * 86400.0, copies=2)


def test_the_ledger_is_the_files(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    opened = ask(tmp_path, {"clusters": [_PLAIN], "ledger": str(file)}).reading.ledger
    assert opened is not None


def test_find_remembers_records_where_the_agent_reads_names(tmp_path: Path) -> None:
    """A program without --depth reads records: the depth of the file is not its own."""
    file, ledger = tmp_path / "pitr.yaml", tmp_path / "ledger.sqlite"
    document = of_cluster("depth", "names") | {"ledger": str(ledger)}
    file.write_text(yaml.safe_dump(document))
    parser = argparse.ArgumentParser()
    add_sources(parser.add_argument_group())
    cost.add_options(parser.add_argument_group())
    arguments = parser.parse_args(["--config", str(file)])
    complete_sources(arguments)
    assert cost.reading(arguments).ledger is not None


def test_the_keys_of_a_drill_ask_for_none(tmp_path: Path) -> None:
    """Probes that are configured are no option that --drill is missing for."""
    told = ask(tmp_path, of_drill("probes", [PROBE]))
    assert told.drill.probes == ()
