"""Who is told of alerts, over what breaks: receivers that are down, hang or refuse, and kill -9.

The evidence is a real archive from which a segment is taken away and given back.
"""

from __future__ import annotations

import http.server
import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from agent.cli import agent as agent_command
from agent.config.file import ConfigError, load_config
from tests.fix_agent import UNHURRIED
from tests.fix_alertmanager import Alertmanager
from tests.fix_prometheus import Prometheus
from tests.fix_watched import Watched
from tests.ports import free_port
from tests.waiting import wait_until


@pytest.fixture
def watched(watched: Watched) -> Watched:
    """No other alert than that of the segment."""
    watched.config["defaults"] |= UNHURRIED
    return watched


class Sink:
    """A webhook that keeps what it was sent, and answers as it is told."""

    def __init__(self, port: int = 0) -> None:
        self.documents: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.authorizations: set[str | None] = set()
        self.answers: list[int] = []  # status of the next answers; then 200
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = sink.answers.pop(0) if sink.answers else 200
                if status == 200:
                    sink.documents.append(json.loads(body))
                sink.paths.append(self.path)
                sink.authorizations.add(self.headers["Authorization"])
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def told(self) -> list[tuple[str, str]]:
        alerts = [alert for document in self.documents for alert in document["alerts"]]
        told = [(alert["labels"]["alertname"], alert["status"]) for alert in alerts]
        return [(name, status) for name, status in told if name == "PitrWalGap"]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


FIRED, OVER = ("PitrWalGap", "firing"), ("PitrWalGap", "resolved")


@pytest.mark.slow
def test_alertmanager_shows_once_what_prometheus_raises_too(
    watched: Watched,
    alertmanager: Alertmanager,
    prometheus: Prometheus,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert agent_command.main(["rules", "--hold", "1s"]) == 0
    rules = tmp_path / "rules.yml"
    rules.write_text(capsys.readouterr().out)
    alertmanager.start()
    watched.start({"alertmanager": {"url": alertmanager.url}})
    scrape = watched.agent.url.removeprefix("http://")
    prometheus.start(scrape, rules, alertmanager=alertmanager.address)
    watched.agent.wait_for(lambda page: page.total("pitr_check_known", id="wal_gap") == 1)
    watched.break_it()
    wait_until(lambda: "PitrWalGap" in prometheus.alerts(), "Prometheus raises it")
    watched.agent.wait_for(
        lambda page: page.total("pitr_notifications_total", receiver="alertmanager")
    )
    wait_until(
        lambda: (metrics(alertmanager.url, 'alerts_received_total{status="firing"') or 0) >= 2,
        "both have told it",
    )
    (alert,) = alertmanager.alerts()
    labels = alert["labels"]
    expected = {"alertname": "PitrWalGap", "cluster": "lab", "id": "wal_gap"}
    assert labels == {**expected, "severity": "critical"}
    assert alert["annotations"]["runbook_url"] == "docs/runbooks/PitrWalGap.md"
    panel = "/d/pitr-cluster?var-cluster=lab&viewPanel=19"
    assert alert["annotations"]["dashboard_url"] == panel, "the same from both"
    watched.mend()
    wait_until(lambda: alertmanager.names() == [], "it is over for both")
    wait_until(lambda: prometheus.alerts() == set(), "Prometheus resolves it")


def metrics(url: str, prefix: str) -> float | None:
    import urllib.request

    with urllib.request.urlopen(f"{url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if f"alertmanager_{prefix}" in line)


@pytest.mark.slow
def test_a_kill_between_fault_and_delivery_loses_nothing(
    watched: Watched, alertmanager: Alertmanager
) -> None:
    watched.start({"alertmanager": {"url": alertmanager.url, "repeat": "2s"}})
    watched.break_it()
    watched.wait_waiting("alertmanager", 1)
    watched.kill()
    watched.hide()  # what is told from here on is remembered, and not judged anew
    alertmanager.start()
    watched.start()
    wait_until(lambda: "PitrWalGap" in alertmanager.names(), "it is told after the restart")
    alertmanager.stop()
    alertmanager.start()
    wait_until(lambda: "PitrWalGap" in alertmanager.names(), "it is told again")
    watched.show()
    watched.mend()
    wait_until(lambda: alertmanager.names() == [], "it is over")


@pytest.mark.slow
def test_firing_and_resolved_reach_a_webhook_that_was_down_over_a_kill(watched: Watched) -> None:
    port = free_port()
    secret = f"http://user:s3cret-password@127.0.0.1:{port}/s3cret-token"
    watched.start({"webhook": {"url": secret}})
    watched.break_it()
    watched.wait_waiting("webhook", 1)
    watched.mend()
    watched.wait_waiting("webhook", 2)
    watched.kill()
    watched.hide()
    sink = Sink(port)
    sink.answers = [503, 302]
    try:
        watched.start()
        wait_until(lambda: sink.told() == [FIRED, OVER], "both, in their order")
    finally:
        sink.close()
    assert set(sink.paths) == {"/s3cret-token"}
    assert sink.authorizations == {"Basic dXNlcjpzM2NyZXQtcGFzc3dvcmQ="}
    log = watched.agent.log.read_text()
    assert f"http://127.0.0.1:{port} answered 503" in log
    page = watched.agent.read()
    assert "s3cret" not in log + str(page and page.samples)


@pytest.mark.slow
def test_who_hangs_or_refuses_delays_nobody(watched: Watched, tmp_path: Path) -> None:
    told = tmp_path / "told"
    command = ["/bin/sh", "-c", f"cat >> {told}; echo >> {told}"]
    sink = Sink()
    sink.answers = [400]
    with socket.socket() as hung:
        hung.bind(("127.0.0.1", 0))
        hung.listen()
        watched.start(
            {"webhook": {"url": f"http://127.0.0.1:{hung.getsockname()[1]}"}, "timeout": "1h"},
            {"command": ["/bin/sh", "-c", "sleep 3600 & sleep 3600"], "timeout": "1s"},
            {"command": ["/absent/program"]},
            {"webhook": {"url": f"http://127.0.0.1:{sink.port}"}},
            {"command": command},
        )
        watched.break_it()
        wait_until(told.is_file, "the last receiver is told of the fault")
        wait_until(lambda: "/bin/sh did not end in 1 s" in watched.agent.log.read_text())
        watched.mend()
        wait_until(lambda: told.read_text().count('"resolved"') == 2, "and of its end")
        first = json.loads(told.read_text().splitlines()[0])
        assert first["alerts"][0]["labels"]["alertname"] == "PitrWalGap"
        wait_until(lambda: sink.told() == [OVER], "what was refused is not sent again")
        watched.agent.stop()  # with a receiver that hangs
    sink.close()
    log = watched.agent.log.read_text()
    assert "/absent/program: No such file or directory" in log
    assert "answered 400 Bad Request: dropped: PitrWalGap of lab" in log


@pytest.mark.slow
def test_a_new_receiver_hears_what_fires_already_and_a_cluster_that_is_gone_is_over(
    watched: Watched,
) -> None:
    watched.start({"command": ["/bin/true"]})
    watched.break_it()
    watched.agent.wait_for(
        lambda page: page.total("pitr_notifications_total", receiver="command") == 1
    )
    watched.agent.stop()
    sink = Sink()
    try:
        watched.config["clusters"][0]["name"] = "other"
        watched.hide()
        watched.start({"webhook": {"url": f"http://127.0.0.1:{sink.port}"}})
        wait_until(lambda: sink.told() == [FIRED, OVER], "it is told what was")
    finally:
        sink.close()
    assert {d["commonLabels"]["cluster"] for d in sink.documents} == {"lab"}


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b""])
def test_a_state_file_of_no_use_stops_nothing(watched: Watched, content: bytes) -> None:
    state = Path(watched.config["ledger"]).with_name("ledger-alerts.sqlite")
    state.write_bytes(content)
    watched.start({"command": ["/bin/true"]})
    watched.break_it()
    watched.agent.wait_for(
        lambda page: page.total("pitr_notifications_total", receiver="command") == 1
    )
    assert state.with_name(f"{state.name}.unreadable").exists() == bool(content)


def test_without_a_file_the_agent_says_once_that_it_forgets(watched: Watched) -> None:
    del watched.config["ledger"]
    watched.start({"command": ["/bin/true"]})
    watched.agent.wait_for(lambda page: page.total("pitr_check_known", id="wal_gap") == 1)
    assert watched.agent.log.read_text().count("alerts are kept in memory only") == 1


@pytest.mark.parametrize(
    ("receiver", "expected"),
    [
        ("{pager: x}", "4: unknown key 'alerts.notify.0.pager': expected one of alertmanager, "),
        ("{webhook: {url: ftp://secret@x}}", "url is not one that begins with http://"),
        ("{webhook: {url_file: /absent}}", "url_file /absent: No such file or directory"),
        ("{webhook: {}}", "url is not one that begins"),
        ("{webhook: {url: 'http://x', ca_file: /absent}}", "/absent: there is no such file"),
        ("{command: []}", "4: alerts.notify.0.command: "),
        ("{command: [x], webhook: {url: 'http://x'}}", "a receiver is one of alertmanager"),
        ("{command: [x], timeout: soon}", "'soon' is not a duration"),
        ("{alertmanager: {url: 'http://x', labels: {a-b: c}}}", "'a-b' is not a label's name"),
    ],
)
def test_a_wrong_receiver_is_told_at_its_line(tmp_path: Path, receiver: str, expected: str) -> None:
    path = tmp_path / "pitr.yaml"
    path.write_text(f"clusters: [{{name: a, dsn: host=x}}]\nalerts:\n  notify:\n    - {receiver}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert f"{path}:4: " in str(caught.value)
    assert expected in str(caught.value)
    assert "secret" not in str(caught.value)
