"""The agent on a real server: every source alone, and every way for a source to go bad."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from agent.postgres.cluster import Cluster
from tests.fix_agent import UNHURRIED, WatchedAgent
from tests.fix_postgres import NewCluster
from tests.fix_tools import PATIENCE_SECONDS, need_program
from tests.integration.test_drill_hangs import hanging
from tests.waiting import reload, wait_until

NewAgent = Callable[..., WatchedAgent]
GOLDEN = Path(__file__).parent.parent / "golden" / "metrics.txt"
SERVER_COLLECTORS = (
    "archiver", "positions", "control", "settings", "slots", "base_backups", "archive_status",
    "wal_directory", "wal_volume",
)  # fmt: skip


@pytest.fixture
def primary(new_cluster: NewCluster) -> Cluster:
    """A server with an archive of five segments and one base backup."""
    cluster = new_cluster(16, track_commit_timestamp=True, autovacuum=False)
    cluster.base_backup(cluster.account.make_directory(cluster.home / "backups") / "one")
    cluster.sql("CREATE TABLE t (n int)")
    for _ in range(3):
        cluster.sql("INSERT INTO t SELECT generate_series(1, 100)")
        cluster.sql("SELECT pg_switch_wal()")
    _wait_until_archived(cluster)
    return cluster


def _wait_until_archived(cluster: Cluster) -> None:
    query = "SELECT FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"
    wait_until(lambda: not cluster.sql(query), "the archiver does not keep up")


def archives(cluster: Cluster) -> list[dict[str, str]]:
    return [{"url": str(cluster.home / "archive")}]


def segments(cluster: Cluster) -> list[Path]:
    return sorted(p for p in (cluster.home / "archive").iterdir() if len(p.name) == 24)


def everything(cluster: Cluster) -> dict[str, object]:
    return {
        "dsn": cluster.dsn,
        "archives": archives(cluster),
        "backups": {"url": str(cluster.home / "backups")},
        "log": str(cluster.log),
    }


def test_a_healthy_cluster_gives_the_golden_page(primary: Cluster, new_agent: NewAgent) -> None:
    agent = new_agent(UNHURRIED, **everything(primary))
    collectors = (*SERVER_COLLECTORS, "archive", "backups", "log", "segments", "windows")
    agent.wait_for(
        lambda page: (
            all(agent.succeeded(collector)(page) for collector in collectors)
            and {sample.value for sample in page.select("pitr_check_known")} == {1}
            and page.total("pitr_backups", state="restorable") == 1
        )
    )
    with urllib.request.urlopen(f"{agent.url}/metrics") as answer:
        page = answer.read().decode()
    masked = _mask(page)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(masked)
    assert masked == GOLDEN.read_text()


def test_promtool_accepts_the_page(primary: Cluster, new_agent: NewAgent) -> None:
    promtool = need_program("promtool")
    agent = new_agent(**everything(primary))
    agent.wait_for(lambda page: page.total("pitr_up") == 1)
    with urllib.request.urlopen(f"{agent.url}/metrics") as answer:
        page = answer.read()
    result = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True)
    assert (result.returncode, result.stdout + result.stderr) == (0, b"")


def _mask(page: str) -> str:
    """The page with its values out, but for those that say which state something is in."""
    lines = []
    for line in page.splitlines():
        if line.startswith("#") or not line.startswith("pitr_"):
            lines.append(line if "pitr_" in line else "")
            continue
        name, value = line.rsplit(" ", 1)
        if name.startswith("pitr_recovery_point_exposure_seconds"):
            continue  # there, or not yet: it hangs on what the server wrote after the switch
        stays = re.match(
            r"pitr_(up|finding|check_known|collector_success|backups|objective|archive_(miss|dam))",
            name,
        )
        lines.append(f"{name} {value if stays else 'VALUE'}")
    text = re.sub(
        r'(python_version|version|engine)="[^"]*"', r'\1="X"', "\n".join(filter(None, lines))
    )
    return text + "\n"


def test_the_latest_restorable_instant_is_the_last_archived_commit(
    primary: Cluster, new_agent: NewAgent
) -> None:
    last_archived = """
        SELECT extract(epoch FROM pg_xact_commit_timestamp(max(xmin::text::int)::text::xid)) FROM t
    """
    ((archived,),) = primary.sql(last_archived)
    primary.sql("INSERT INTO t VALUES (0)")  # committed, and in no archived segment
    agent = new_agent(archives=archives(primary), backups={"url": str(primary.home / "backups")})
    page = agent.wait_for(lambda page: page.total("pitr_restorable_windows") == 1)
    latest = page.total("pitr_latest_restorable_timestamp_seconds")
    assert latest == pytest.approx(float(archived), abs=1e-5)
    assert page.total("pitr_earliest_restorable_timestamp_seconds") < latest
    primary.sql("SELECT pg_switch_wal()")
    ((archived,),) = primary.sql(last_archived)
    agent.wait_for(
        lambda page: (
            page.total("pitr_latest_restorable_timestamp_seconds")
            == pytest.approx(float(archived), abs=1e-5)
        )
    )


@pytest.mark.parametrize("source", ["dsn", "archives", "backups", "log"])
def test_one_source_alone_is_enough(primary: Cluster, new_agent: NewAgent, source: str) -> None:
    agent = new_agent(UNHURRIED, **{source: everything(primary)[source]})
    collectors = {"dsn": SERVER_COLLECTORS, "archives": ("archive", "segments", "windows")}.get(
        source, (source,)
    )
    page = agent.wait_for(lambda page: all(agent.succeeded(c)(page) for c in collectors))
    seen = {sample.labels["collector"] for sample in page.select("pitr_collector_success")}
    assert seen == set(collectors)
    assert (page.total("pitr_up") is None) == (source != "dsn")
    assert not page.findings("critical", "warning")


def test_a_dead_primary_leaves_the_archive_judged(primary: Cluster, new_agent: NewAgent) -> None:
    primary.stop()
    agent = new_agent(**everything(primary))
    page = agent.wait_for(
        lambda page: agent.succeeded("archive")(page) and page.total("pitr_up") == 0
    )
    assert page.total("pitr_archive_ready_files") is None
    segments(primary)[-2].unlink()
    page = agent.wait_for(lambda page: "wal_gap" in page.findings("critical"))
    assert page.total("pitr_archive_missing_segments", timeline="1", **{"class": "lost"}) == 1
    assert page.total("pitr_check_known", id="archiver_failing") == 0


def test_a_stopped_server_delays_nobody_and_is_read_again_when_it_goes_on(
    primary: Cluster, new_agent: NewAgent
) -> None:
    agent = new_agent({"timeout": "5s"}, **everything(primary))
    agent.wait_for(lambda page: all(agent.succeeded(c)(page) for c in SERVER_COLLECTORS))
    before = len(_said_of_the_server(agent))  # a busy machine may have been late at the start
    pids = _stopped(primary)
    try:
        agent.wait_for(  # a scrape only renders the last readings
            lambda page: agent.failed("archiver")(page) and agent.succeeded("archive")(page)
        )
        segments(primary)[-2].unlink()
        agent.wait_for(lambda page: "wal_gap" in page.findings())
        page = agent.wait_for(
            lambda page: all(agent.failed(collector)(page) for collector in SERVER_COLLECTORS)
        )
        assert page.total("pitr_finding", id="collector_failing") == 1, "one server, one loss"
        assert len(_said_of_the_server(agent)[before:]) == 1
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    agent.wait_for(lambda page: page.total("pitr_finding", id="collector_failing") == 0)
    lost, works = _said_of_the_server(agent)[before:]
    assert "level=warning" in lost and "lab: server: " in lost
    assert "level=info" in works and "lab: server: works again" in works


def _said_of_the_server(agent: WatchedAgent) -> list[str]:
    """Lines of the agent's log about what is asked of the server, whichever collector it was."""
    sources = "|".join(("server", *SERVER_COLLECTORS))
    return [
        line
        for line in agent.log.read_text().splitlines()
        if re.search(f"lab: ({sources}): ", line)
    ]


def _stopped(cluster: Cluster) -> list[int]:
    """The postmaster and its children, which do nothing from here on."""
    postmaster = cluster.postmaster_pid()
    assert postmaster is not None
    os.kill(postmaster, signal.SIGSTOP)
    wait_until(lambda: psutil.Process(postmaster).status() == psutil.STATUS_STOPPED)
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGSTOP)
    return [postmaster, *map(int, children)]


def test_an_archive_that_hangs_delays_nobody(primary: Cluster, new_agent: NewAgent) -> None:
    history = primary.home / "archive" / "00000009.history"
    history.touch()
    with hanging(history):  # opening it waits, as a dead NFS server makes one wait
        agent = new_agent(**everything(primary))
        page = agent.wait_for(
            lambda page: agent.failed("archive")(page) and page.total("pitr_up") == 1
        )
        assert page.total("pitr_archive_missing_segments") is None
        first = page.total("pitr_verdict_timestamp_seconds")
        agent.wait_for(lambda page: page.total("pitr_verdict_timestamp_seconds") > first)
        assert "archive: no answer within 2 s" in agent.log.read_text()
        history.unlink()


def test_an_archive_that_vanishes_is_unknown_and_keeps_its_findings(
    primary: Cluster, new_agent: NewAgent
) -> None:
    archive = primary.home / "archive"
    segments(primary)[-2].unlink()
    agent = new_agent(UNHURRIED, **everything(primary))
    agent.wait_for(lambda page: "wal_gap" in page.findings())
    archive.rename(primary.home / "away")
    page = agent.wait_for(agent.failed("archive"))
    page = agent.wait_for(lambda page: page.total("pitr_check_known", id="wal_gap") == 0)
    assert "wal_gap" in page.findings("critical")
    assert page.total("pitr_archive_missing_segments") is None
    assert "there is no such directory" in agent.log.read_text()
    (primary.home / "away").rename(archive)
    agent.wait_for(lambda page: page.total("pitr_check_known", id="wal_gap") == 1)


def test_a_role_without_pg_monitor_is_told_what_to_grant(
    primary: Cluster, new_agent: NewAgent
) -> None:
    primary.sql("CREATE ROLE watcher LOGIN")
    dsn = primary.dsn.replace("user=postgres", "user=watcher")
    agent = new_agent(UNHURRIED, dsn=dsn, archives=archives(primary))
    agent.wait_for(lambda page: all(agent.succeeded(c)(page) for c in SERVER_COLLECTORS[:4]))
    agent.wait_for(agent.failed("archive_status"))
    page = agent.wait_for(agent.failed("wal_directory"))
    assert page.total("pitr_archive_ready_files") is None
    assert "GRANT pg_monitor TO" in agent.log.read_text()
    primary.sql("GRANT pg_monitor TO watcher")
    agent.wait_for(lambda page: all(agent.succeeded(c)(page) for c in SERVER_COLLECTORS))


def test_pg_monitor_is_enough_and_a_wrong_password_is_said_without_it(
    primary: Cluster, new_agent: NewAgent
) -> None:
    primary.sql("CREATE ROLE watcher LOGIN PASSWORD 'right' IN ROLE pg_monitor")
    hba = primary.data / "pg_hba.conf"
    hba.write_text("local all watcher scram-sha-256\nlocal all all trust\n")
    reload(primary)
    dsn = primary.dsn.replace("user=postgres", "user=watcher")
    agent = new_agent(UNHURRIED, dsn=f"{dsn} password=s3cret-wrong")
    agent.wait_for(lambda page: page.total("pitr_up") == 0)
    log = agent.log.read_text()
    assert "password authentication failed for user" in log
    assert "s3cret" not in log
    right = new_agent(dsn=f"{dsn} password=right")
    right.wait_for(lambda page: all(right.succeeded(c)(page) for c in SERVER_COLLECTORS))


def test_a_paused_restore_is_seen(
    primary: Cluster, new_agent: NewAgent, new_cluster: NewCluster
) -> None:
    primary.sql("SELECT pg_create_restore_point('here')")
    primary.sql("INSERT INTO t VALUES (1)")
    primary.sql("SELECT pg_switch_wal()")
    _wait_until_archived(primary)
    restored = new_cluster(16, initdb=False)
    restored.restore_from(
        primary.home / "backups" / "one",
        restore_command=f"cp {primary.home}/archive/%f %p",
        recovery_target_name="here",
        recovery_target_action="pause",
    )
    with restored.running():
        agent = new_agent(dsn=restored.dsn)
        page = agent.wait_for(lambda page: page.total("pitr_recovery_paused") == 1)
        assert page.total("pitr_recovery_in_progress") == 1
        assert page.total("pitr_recovery_replayed_bytes") > 0
        restored.sql("SELECT pg_wal_replay_resume()")
        page = agent.wait_for(lambda page: page.total("pitr_recovery_in_progress") == 0)
        assert page.total("pitr_recovery_paused") is None


def test_every_installed_major_answers_every_poller(
    pg, new_cluster: NewCluster, new_agent: NewAgent
) -> None:  # type: ignore[no-untyped-def]
    cluster = new_cluster(pg)
    agent = new_agent(dsn=cluster.dsn)
    agent.wait_for(lambda page: all(agent.succeeded(c)(page) for c in SERVER_COLLECTORS))


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "pitr-agent"
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )


def test_a_port_in_use_ends_in_unknown_with_one_line(tmp_path: Path) -> None:
    config = tmp_path / "pitr.yaml"
    config.write_text(f"clusters: [{{name: a, archives: [{{url: {tmp_path}}}]}}]\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = _run("run", "--config", str(config), "--web.listen-address", address)
    assert result.returncode == 3
    assert result.stderr.splitlines()[-1] == (
        f"pitr-agent: cannot listen on {address}: Address already in use: "
        "choose another --web.listen-address"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["run"],
        ["walk"],
        ["run", "--config"],
        ["check-config", "--config", "/absent.yaml"],
        ["run", "--config", "x", "--nope"],
        ["run", "--config", "VALID", "--web.listen-address", "127.0.0.1:99999"],
        ["run", "--config", "VALID", "--web.telemetry-path", "metrics"],
        ["run", "--config", "VALID", "--web.telemetry-path", "/"],
        ["run", "--config", "VALID", "--web.telemetry-path", "/{x"],
        ["run", "--config", "VALID", "--web.telemetry-path", "/healthz"],
    ],
)
def test_what_is_typed_wrong_ends_in_usage(arguments: list[str], tmp_path: Path) -> None:
    valid = tmp_path / "valid.yaml"
    valid.write_text("clusters: [{name: a, dsn: host=x}]\n")
    result = _run(*(str(valid) if word == "VALID" else word for word in arguments))
    assert result.returncode == 64
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_check_config_says_what_it_read(tmp_path: Path) -> None:
    config = tmp_path / "pitr.yaml"
    config.write_text("clusters: [{name: a, dsn: host=x}, {name: b, dsn: host=y}]\n")
    result = _run("check-config", "--config", str(config))
    assert (result.returncode, result.stdout) == (0, f"{config}: valid: 2 clusters: a, b\n")
    config.write_text("clusters:\n  - {name: a, dns: x}\n")
    result = _run("check-config", "--config", str(config))
    assert result.returncode == 64
    assert f"{config}:2: unknown key 'clusters.0.dns'" in result.stderr
