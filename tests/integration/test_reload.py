# ruff: noqa: E501 - one mistake and its complaint a line
"""SIGHUP: the configuration is read again, and what did not change in it goes on undisturbed."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.config.file import ConfigError, load_config
from agent.lab.metrics_page import MetricsPage
from tests.fix_agent import UNHURRIED
from tests.fix_prometheus import ask
from tests.fix_watched import Watched

RELOADED = "pitr_config_last_reload_successful"


def alerts(watched: Watched) -> dict[str, dict[str, Any]]:
    """By cluster, those of the gap."""
    shown = ask(f"{watched.agent.url}/api/v1/alerts") or []
    return {alert["cluster"]: alert for alert in shown if alert["id"] == "wal_gap"}


@pytest.mark.slow
def test_a_reload_touches_only_what_changed(watched: Watched, tmp_path: Path) -> None:
    conf_d = watched.agent.config.parent / "conf.d"
    conf_d.mkdir()
    archive = {"url": str(watched.archive)}

    def write(name: str, **more: object) -> None:
        cluster = {"name": name, "archives": [archive], **more}
        (conf_d / f"{name.replace('/', '-')}.yaml").write_text(
            yaml.safe_dump({"clusters": [cluster]})
        )

    def clusters(page: MetricsPage) -> set[str]:
        judged = page.select("pitr_check_known", id="wal_gap")
        return {sample.labels["cluster"] for sample in judged}

    for name in ("changed/kept", "changed", "gone"):
        write(name)
    watched.config |= {"clusters": [], "include": "conf.d/*.yaml"}
    watched.config["defaults"] |= UNHURRIED
    watched.break_it()
    watched.start({"command": ["/bin/true"]})
    watched.agent.wait_for(
        lambda page: page.total("pitr_notifications_total", receiver="command") == 3
    )
    before = alerts(watched)
    started = watched.agent.wait_for(bool)

    (conf_d / "broken.yaml").write_text("clusters:\n  - name: broken\n    dns: x\n")
    watched.signal(signal.SIGHUP)
    page = watched.agent.wait_for(lambda page: page.total(RELOADED) == 0)
    assert clusters(page) == {"changed/kept", "changed", "gone"}
    log = watched.agent.log.read_text()
    assert "not reloaded" in log
    assert f"{conf_d}/broken.yaml:3: unknown key 'clusters.0.dns'" in log

    (conf_d / "broken.yaml").unlink()
    write("changed", objectives={"rpo": "1m"})
    write("new")
    (conf_d / "gone.yaml").unlink()
    watched.signal(signal.SIGHUP)
    page = watched.agent.wait_for(
        lambda page: (
            page.total(RELOADED) == 1 and clusters(page) == {"changed/kept", "changed", "new"}
        )
    )
    at = "pitr_config_last_reload_success_timestamp_seconds"
    assert page.total(at) > started.total(at)
    assert page.total("pitr_objective_seconds", cluster="changed", objective="rpo") == 60
    assert "1 cluster unchanged, 1 changed, 1 new, 1 gone" in watched.agent.log.read_text()
    # three fired, one of them is over with its cluster, one is new
    watched.agent.wait_for(
        lambda page: page.total("pitr_notifications_total", receiver="command") == 5
    )
    after = alerts(watched)
    assert after.keys() == {"changed/kept", "changed", "new"}
    for name in ("changed/kept", "changed"):
        assert (after[name]["state"], after[name]["since"]) == ("firing", before[name]["since"])
    # the kept one is read on, although the changed one's name begins as its own does
    watched.mend()
    watched.agent.wait_for(lambda page: page.total("pitr_finding", id="wal_gap") == 0)


def complaint(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return str(caught.value).replace(str(path.parent), "D")


def test_included_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    main = tmp_path / "pitr.yaml"
    main.write_text("clusters: [{name: m, dsn: host=x}]\ninclude: conf.d/*.yaml\n")
    (tmp_path / "conf.d").mkdir()
    for name in "ba":
        (tmp_path / "conf.d" / f"{name}.yaml").write_text(
            f"clusters: [{{name: {name}, dsn: host=x}}]\n"
        )
    (tmp_path / "conf.d" / "c.yaml.bak").write_text("not read")
    assert [cluster.name for cluster in load_config(main).clusters] == ["m", "a", "b"]
    main.write_text(f"include: {tmp_path}/conf.d/*.yaml\n")
    assert [cluster.name for cluster in load_config(main).clusters] == ["a", "b"]


@pytest.mark.parametrize(
    ("main", "included", "expected"),
    [
        ("include: a.yaml\n", "clusters: [{name: a}]\n", "D/a.yaml:1: clusters.0: a cluster needs"),
        ("include: a.yaml\n", "\nalerts: {}\n", "D/a.yaml:2: unknown key 'alerts': expected one of clusters"),
        ("include: a.yaml\n", "clusters: [\n", "D/a.yaml:2: not YAML"),
        ("include: a.yaml\nclusters: [{name: a, dsn: host=x}]\n", "\nclusters: [{name: a, dsn: host=y}]\n", "D/a.yaml:2: cluster name 'a' is taken already in D/pitr.yaml:2"),
        ("\ninclude: b.yaml\n", "", "D/pitr.yaml:2: include: b.yaml: there is no such file"),
        ("include: conf.d/*.yaml\n", "", "D/pitr.yaml:1: clusters: at least one cluster is needed"),
        ("include: [a]\n", "", "D/pitr.yaml:1: include: expected text"),
        ("include: ''\n", "", "D/pitr.yaml:1: include: "),
        ("? [a, b]\n: c\n", "", "D/pitr.yaml:1: "),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_own_file_and_line(
    tmp_path: Path, main: str, included: str, expected: str
) -> None:
    (tmp_path / "pitr.yaml").write_text(main)
    (tmp_path / "a.yaml").write_text(included)
    assert expected in complaint(tmp_path / "pitr.yaml")
