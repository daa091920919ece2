"""Clients that mean ill: half requests, answers that nobody takes, floods of passwords.

What must hold: the agent's own readings go on, others are served, and no log grows.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest

from agent.lab.agent_process import AgentProcess
from agent.lab.metrics_page import MetricsPage, parse_metrics_page
from tests.fix_agent import WatchedAgent
from tests.fix_tools import PATIENCE_SECONDS, need_program
from tests.fix_web import PASSWORD, Guarded, guarded
from tests.waiting import wait_until

DESCRIPTORS = 256
OFTEN = {"poll": "500ms", "scan": "500ms", "timeout": "60s"}


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    """One that may open few files, beside an archive that it looks at twice a second."""
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / "00000002.history").write_text("1\t0/3000000\tno recovery target specified\n")
    prefix = (need_program("prlimit"), f"--nofile={DESCRIPTORS}", "--")
    agent = WatchedAgent(tmp_path, prefix=prefix)
    cluster = {"name": "a", "archives": [{"url": str(archive)}]}
    agent.start({"clusters": [cluster], "defaults": OFTEN})
    yield agent
    agent.stop()


def address(agent: AgentProcess) -> tuple[str, int]:
    host, port = agent.url.removeprefix("http://").split(":")
    return host, int(port)


def refused(page: MetricsPage | None, reason: str) -> float:
    return page.total("pitr_http_refused_total", reason=reason) if page else 0


def read_at_once(agent: AgentProcess) -> MetricsPage:
    """What a scrape gets that is made once."""
    with urllib.request.urlopen(f"{agent.url}/metrics", timeout=PATIENCE_SECONDS) as answer:
        return parse_metrics_page(answer.read().decode())


def test_half_open_requests_blind_nobody(agent: AgentProcess) -> None:
    log_before = agent.log.stat().st_size
    with contextlib.ExitStack() as opened:
        for _ in range(400):
            half = opened.enter_context(socket.create_connection(address(agent), PATIENCE_SECONDS))
            half.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Long: ")
        began = time.time()
        page = read_at_once(agent)
        assert refused(page, "displaced") >= 400 - DESCRIPTORS // 4
        assert page.total("pitr_http_connections") <= DESCRIPTORS // 4
        assert len(list(Path(f"/proc/{agent.pid}/fd").iterdir())) < DESCRIPTORS * 3 // 4
        wait_until(
            lambda: (
                read_at_once(agent).total("pitr_verdict_timestamp_seconds", cluster="a") > began + 2
            ),
            "the cluster is looked at meanwhile",
        )
        page = read_at_once(agent)
        readings = [s for s in page.samples if s.name == "pitr_collector_success"]
        assert readings
        assert all(sample.value == 1 for sample in readings)
        assert agent.log.stat().st_size - log_before < 4096
        wait_until(lambda: refused(read_at_once(agent), "head") > 0, "what stays half is ended")


@pytest.mark.slow
def test_each_part_of_a_request_has_its_time(agent: AgentProcess) -> None:
    """Bytes that trickle count for nothing; what was answered and not taken ends as well."""

    def trickle(head: bytes) -> float:
        """For how long the agent listens to a byte a second."""
        began = time.monotonic()
        with socket.create_connection(address(agent), PATIENCE_SECONDS) as client:
            client.sendall(head)
            with contextlib.suppress(OSError):
                while time.monotonic() - began < PATIENCE_SECONDS:
                    client.sendall(b"a")
                    time.sleep(1)
        return time.monotonic() - began

    def hold_out() -> float:
        """For how long an answer may lie untaken: as many requests as fit, and no reading."""
        began = time.monotonic()
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(address(agent))
            client.settimeout(1)
            while time.monotonic() - began < PATIENCE_SECONDS:
                try:
                    client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
                except TimeoutError:
                    continue
                except OSError:
                    break
        return time.monotonic() - began

    lasted: dict[str, float] = {}
    head = b"GET /metrics HTTP/1.1\r\nHost: a\r\n"
    stories = {
        "head": lambda: trickle(head + b"X-Long: "),
        "body": lambda: trickle(head + b"Content-Length: 100000\r\n\r\n"),
        "answer": hold_out,
    }
    threads = [
        threading.Thread(target=lambda name=name, tell=tell: lasted.update({name: tell()}))
        for name, tell in stories.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    least = {"head": 9, "body": 29, "answer": 59}
    assert all(least[part] < lasted[part] < PATIENCE_SECONDS for part in stories), lasted
    page = read_at_once(agent)
    assert [refused(page, reason) for reason in stories] == [1, 1, 1]


def test_what_is_no_http_fills_no_log(agent: AgentProcess) -> None:
    before = agent.log.read_text()
    head = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
    for said in (
        b"\x16\x03\x01 no HTTP\r\n\r\n",
        head + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        head + b"Transfer-Encoding: chunked\r\n\r\nno chunk\r\n\r\n",
        head + b"X: " + b"a" * (1 << 17),
    ) * 10:
        with socket.create_connection(address(agent), PATIENCE_SECONDS) as client:
            with contextlib.suppress(OSError):
                client.sendall(said)
                client.shutdown(socket.SHUT_WR)  # of what was refused half way nothing is left
            with contextlib.suppress(OSError):
                while client.recv(4096):
                    pass
    assert refused(read_at_once(agent), "malformed") == 30
    assert agent.log.read_text() == before


def test_the_answer_does_not_say_what_serves(agent: AgentProcess) -> None:
    for path in ("/metrics", "/", "/absent"):
        try:
            with urllib.request.urlopen(agent.url + path, timeout=PATIENCE_SECONDS) as answer:
                headers = answer.headers
        except urllib.error.HTTPError as error:
            headers = error.headers
        assert "server" not in headers
        assert "date" in headers


_WITHOUT_DESCRIPTORS = """
import asyncio, logging, os, resource, socket, sys
from agent.web import connections
from agent.web.refusals import Refusals

async def main():
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    refusals, served = Refusals(), asyncio.Event()

    class Served(asyncio.Protocol):
        def connection_made(self, transport):
            served.set()

    accepting = connections.Connections(listening, lambda place: Served(), None, refusals)
    accepting.start()
    client = socket.socket()
    client.setblocking(False)
    taken = [os.open("/dev/null", os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 80, 4096))
    while True:
        try:
            taken.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            break
    await asyncio.get_running_loop().sock_connect(client, listening.getsockname())
    loop = asyncio.get_running_loop()
    began = loop.time()
    while refusals.accept_error_count < 4:
        await asyncio.sleep(0.05)
    print("a second each" if loop.time() - began > 2.5 else "one after the other")
    for descriptor in taken:
        os.close(descriptor)
    await served.wait()
    print("served")

asyncio.run(main())
"""


def test_an_accept_that_fails_is_said_once_a_minute_and_tried_again() -> None:
    result = subprocess.run(
        [sys.executable, "-c", _WITHOUT_DESCRIPTORS],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    said, errors, served = result.stdout.splitlines()
    assert said.startswith("cannot accept a connection: Too many open files (1 times")
    assert errors == "a second each"
    assert served == "served"
    assert result.stderr == ""


def test_a_flood_of_passwords_locks_out_nobody(tmp_path: Path) -> None:
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(11)).decode()
    right = ("-u", f"prometheus:{PASSWORD}", "--max-time", f"{PATIENCE_SECONDS:g}")
    with guarded(tmp_path, {"basic_auth_users": {"prometheus": hashed}}) as agent:
        with flood(agent):
            answer = agent.curl(*right, "--interface", "127.0.0.2", scheme="http")
            assert answer.endswith("200"), "another address has its own turn"
        assert agent.curl(*right, scheme="http").endswith("200")
        agent.stop()
        agent.start()
        with flood(agent) as refusals:
            assert agent.curl(*right, scheme="http").endswith("200"), "after a restart, too"
            wait_until(lambda: refusals, "those who wait too many are refused")
            assert set(refusals) == {429}
        request = urllib.request.Request(f"http://{agent.address}/metrics")
        word = base64.b64encode(f"prometheus:{PASSWORD}".encode()).decode()
        request.add_header("Authorization", f"Basic {word}")
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            page = parse_metrics_page(answer.read().decode())
        assert refused(page, "passwords") > 0
    assert PASSWORD not in (tmp_path / "state").joinpath("ledger-web.sqlite").read_text("latin-1")


@contextlib.contextmanager
def flood(agent: Guarded) -> Iterator[list[int]]:
    """Ten clients of one address, each password another; gives what is neither 200 nor 401."""
    over, others = threading.Event(), []

    def guess(number: int) -> None:
        count = 0
        while not over.is_set():
            client = http.client.HTTPConnection(agent.address, timeout=PATIENCE_SECONDS)
            with contextlib.suppress(OSError, http.client.HTTPException):
                while not over.is_set():
                    count += 1
                    word = base64.b64encode(f"prometheus:{number}.{count}".encode()).decode()
                    client.request("GET", "/metrics", headers={"Authorization": f"Basic {word}"})
                    answer = client.getresponse()
                    answer.read()
                    if answer.status not in (200, 401):
                        others.append(answer.status)
                    time.sleep(0.02)
            client.close()

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    try:
        yield others
    finally:
        over.set()
        for thread in threads:
            thread.join()
