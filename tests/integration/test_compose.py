"""The compose file of the tour, by its parts: no container engine runs here.

The file against the specification, every configuration by its own program's check, and the scripts
and settings that the containers run, on a real server with the containers' paths in a directory.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import compose_spec
import psycopg
import pytest
import yaml

from agent.cli import agent as agent_command
from agent.lab.metrics_page import MetricsPage
from agent.postgres.account import Account
from agent.postgres.cluster import Cluster
from agent.postgres.installation import Installation
from tests.fix_agent import FAST, WatchedAgent
from tests.fix_postgres import NewCluster
from tests.fix_tools import PATIENCE_SECONDS, need_program
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
TOUR = ROOT / "packaging" / "compose"
TEXT = (TOUR / "compose.yaml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
every_service = pytest.mark.parametrize("name", SERVICES)


def mounts(name: str) -> Iterator[tuple[str, str, str]]:
    """Source, target and mode of each volume of a service."""
    for mount in SERVICES[name].get("volumes", ()):
        source, target, mode = [*mount.split(":"), "rw"][:3]
        yield source, target, mode


def ends_by_itself(name: str) -> bool:
    wanted = {"condition": "service_completed_successfully"}
    waited_for = [service.get("depends_on", {}).get(name) for service in SERVICES.values()]
    return wanted in waited_for or "profiles" in SERVICES[name]


def test_the_file_follows_the_specification() -> None:
    merged = yaml.safe_dump(yaml.safe_load(TEXT))  # `<<` is YAML's, not the specification's
    document = compose_spec.PyCompose.from_yaml(merged)
    assert set(document.service_names()) == set(SERVICES)


@every_service
def test_what_is_mounted_is_there(name: str) -> None:
    volumes = yaml.safe_load(TEXT)["volumes"]
    for source, _, mode in mounts(name):
        if source.startswith("."):
            assert (TOUR / source).exists() and mode == "ro", "files of ours are not written"
        else:
            assert source in volumes


@every_service
def test_images_are_pinned_by_their_official_names(name: str) -> None:
    service = SERVICES[name]
    if "build" in service:
        assert (TOUR / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    else:
        assert re.fullmatch(r"([a-z]+/)?[a-z]+:v?\d+\.\d+[\w.-]*", service["image"])


@every_service
def test_nothing_is_published_beyond_this_machine(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


@every_service
def test_whoever_stays_says_whether_it_is_well(name: str) -> None:
    assert "healthcheck" in SERVICES[name] or ends_by_itself(name)


def test_the_agent_writes_nothing_but_its_state() -> None:
    assert SERVICES["agent"]["read_only"]
    written = [target for _, target, mode in mounts("agent") if mode != "ro"]
    assert written == ["/var/lib/pitr-agent"]


def test_prometheus_and_alertmanager_accept_their_configuration(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    rules = (ROOT / "dashboards" / "prometheus" / "pitr-alerts.yml").read_text()
    (tmp_path / "rules" / "pitr-alerts.yml").write_text(rules)
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text((TOUR / "prometheus.yml").read_text())
    checked(need_program("promtool"), "check", "config", configuration)
    amtool = need_program("amtool")
    checked(amtool, "check-config", TOUR / "alertmanager.yml")
    named = re.findall(r'targets: \["([a-z]+):(\d+)"\]', configuration.read_text())
    for service, port in named:
        assert f"127.0.0.1:{port}:{port}" in SERVICES[service]["ports"]


def test_the_agent_accepts_its_configuration_and_its_orders() -> None:
    assert agent_command.main(["check-config", "--config", str(TOUR / "pitr.yaml")]) == 0
    (order,) = SERVICES["rules"]["command"]
    program, _, rest = order.partition(" ")
    assert program == "pitr-agent"
    assert agent_command.main(rest.partition(" >")[0].split()) == 0


def checked(*command: object) -> str:
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Tour:
    """The containers' paths in one directory, and what runs in them."""

    def __init__(self, directory: Path, cluster: Cluster, account: Account) -> None:
        self.cluster = cluster
        self._account = account
        self._directory = directory
        self.readers = 4242 if account.drop else account.gid
        directory.mkdir(mode=0o755)
        bindir = str(cluster.installation.bindir)
        self._environment = {
            "PATH": f"{bindir}:{os.environ['PATH']}", "PGDATA": str(cluster.data), "LC_ALL": "C",
            "PGHOST": str(cluster.sockets), "READERS": str(self.readers), "TZ": "UTC",
        }  # fmt: skip

    def path(self, name: str) -> Path:
        return self._directory / name

    def text(self, name: str) -> str:
        """A file of the tour, with the paths of this directory and the account of these servers."""
        text = (TOUR / name).read_text()
        text = re.sub(r"(?<![\w.])/(archive|backups|log|restored|tour)\b", self._moved, text)
        text = text.replace("/var/run/postgresql", str(self.cluster.sockets))
        text = text.replace("-g postgres", f"-g {self._account.gid}")
        return text.replace("-o postgres", f"-o {self._account.uid}")

    def _moved(self, found: re.Match[str]) -> str:
        return str(self._directory / found[1])

    def put(self, name: str) -> None:
        """Into the folder that the containers call /tour."""
        place = self.path("tour") / Path(name).name
        place.parent.mkdir(exist_ok=True)
        place.write_text(self.text(name))

    def start(self, name: str, **environment: str) -> subprocess.Popen[bytes]:
        """A script, as the account of the server."""
        self.put(name)
        script = self.path("tour") / Path(name).name
        return self._start(["/bin/sh", str(script)], environment)

    def run(self, name: str) -> None:
        assert self.start(name).wait(PATIENCE_SECONDS) == 0, name

    def run_traffic(self, seconds: int) -> None:
        command = [*SERVICES["traffic"]["command"]]
        shorter = [re.sub("--time=.*", f"--time={seconds}", word) for word in command]
        assert shorter != command
        assert self._start(shorter, {}).wait(PATIENCE_SECONDS) == 0

    def _start(self, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, env={**self._environment, **environment}, **self._account.popen_options()
        )

    def prepare(self) -> None:
        """The one script that root runs."""
        self.put("prepare.sh")
        script = self.path("tour") / "prepare.sh"
        subprocess.run(
            ["/bin/sh", script], env=self._environment, check=True, timeout=PATIENCE_SECONDS
        )

    def unreadable(self) -> str:
        """What the group of readers cannot read of what the agent is to read."""
        names = [self.path(name) for name in ("archive", "backups", "log")]
        options: dict[str, Any] = {}
        if self._account.drop:
            options = {"user": 65534, "group": self.readers, "extra_groups": []}
        found = subprocess.run(
            ["find", *names, "!", "-readable"], capture_output=True, text=True, cwd="/", **options
        )
        return found.stdout + found.stderr


@pytest.fixture
def tour(
    pg: Installation, new_cluster: NewCluster, short_directory: Path, account: Account
) -> Tour:
    """As the image does it: a server to initialise by, the scripts, then the server for good."""
    cluster = new_cluster(pg, archive=False, segment_mib=16)
    tour = Tour(short_directory / "t", cluster, account)
    tour.prepare()
    tour.put("postgres/tour.conf")
    with cluster.connect() as connection:
        connection.execute((ROOT / "packaging" / "sql" / "role.sql").read_bytes())
    tour.run("postgres/initdb.sh")
    cluster.stop()
    cluster.start()
    return tour


@pytest.fixture
def agent(tour: Tour, tmp_path: Path) -> Iterator[WatchedAgent]:
    agent = WatchedAgent(tmp_path)
    yield agent
    agent.stop()


@pytest.mark.slow
@pytest.mark.pg("== 16")
def test_the_tour_is_well_and_can_be_restored(tour: Tour, agent: WatchedAgent) -> None:
    tour.run("base-backup.sh")
    tour.run("base-backup.sh")  # the second time there is nothing to do
    (backup,) = tour.path("backups").iterdir()
    config = yaml.safe_load(tour.text("pitr.yaml"))
    agent.start({**config, "defaults": {**config["defaults"], **FAST}, "ledger": None})
    tour.run_traffic(seconds=2)
    ((target,),) = tour.cluster.sql("SELECT clock_timestamp()::text")
    ((rows,),) = _rows(tour.cluster.sockets)
    tour.run_traffic(seconds=2)
    tour.cluster.sql("SELECT pg_current_xact_id()")  # one commit after it, however slow pgbench is
    ((last,),) = tour.cluster.sql("SELECT pg_walfile_name(pg_switch_wal())")
    wait_until(lambda: (tour.path("archive") / last).exists(), "the last segment is archived")

    def is_well(page: MetricsPage) -> bool:
        return (
            page.total("pitr_up", cluster="tour") == 1
            and page.total("pitr_backups", cluster="tour", state="restorable") == 1
            and page.total("pitr_recovery_point_exposure_seconds", cluster="tour") == 0
            and {sample.value for sample in page.select("pitr_check_known")} == {1}
            and not page.findings("warning", "critical", "unknown")
        )

    agent.wait_for(is_well, seconds=PATIENCE_SECONDS)
    with urllib.request.urlopen(f"{agent.url}/runbooks/PitrWalGap.md") as answer:
        assert "PitrWalGap" in answer.read().decode(), "where the links of rules and panels lead"
    assert tour.unreadable() == ""
    assert (backup / "backup_manifest").is_file()

    restored = tour.start("restore.sh", TARGET_TIME=target)
    try:
        agent.wait_for(
            lambda page: page.total(
                "pitr_recovery_last_outcome", cluster="restored", outcome="paused"
            ),
            seconds=PATIENCE_SECONDS,
        )
        assert _rows(tour.path("restored")) == [(rows,)], "not a transaction more or less"
    finally:
        restored.send_signal(signal.SIGINT)
        restored.wait(PATIENCE_SECONDS)


def _rows(sockets: Path) -> list[tuple[Any, ...]]:
    """How many transactions pgbench has made."""
    with psycopg.connect(f"host={sockets} user=postgres dbname=tour") as connection:
        return connection.execute("SELECT count(*) FROM pgbench_history").fetchall()
