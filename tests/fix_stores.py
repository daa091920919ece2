"""A real object store (SeaweedFS) on loopback, and a proxy of ours in front that does it wrong."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from agent.store import objects, urls
from tests import forked
from tests.fix_tools import PATIENCE_SECONDS, need
from tests.ports import free_ports

ACCESS_KEY, SECRET_KEY = "AKREADER7", "planted-secret-key-9f3"
READER_KEY, READER_SECRET = "AKONLYREADS", "planted-reader-secret-51c"


@dataclass(frozen=True)
class Store:
    """A running S3 server."""

    endpoint: str
    data: Path

    def bucket(self, name: str) -> Bucket:
        from obstore.store import S3Store

        writer = S3Store(
            name,
            endpoint=self.endpoint,
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET_KEY,
            region="us-east-1",
            client_options={"allow_http": True},
            retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=60)},
        )
        return Bucket(self, name, writer)


@dataclass(frozen=True)
class Bucket:
    """One bucket, and what tests do to it. The product only reads."""

    store: Store
    name: str
    writer: Any

    def put(self, key: str, data: bytes) -> None:
        import obstore

        obstore.put(self.writer, key, data)

    def delete(self, key: str) -> None:
        import obstore

        obstore.delete(self.writer, key)

    def put_tree(self, directory: Path, prefix: str) -> str:
        """Put a directory's files below a prefix, and give the address of that."""
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(directory)}", path.read_bytes())
        return self.url(prefix)

    def url(self, prefix: str) -> str:
        return f"s3://{self.name}/{prefix}"


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    need("weed")
    with running_store(tmp_path_factory.mktemp("weed")) as store:
        yield store


@contextmanager
def running_store(data: Path) -> Iterator[Store]:
    """An S3 server with a bucket `archives`, until the end of the block."""
    log = (data / "weed.log").open("wb")
    ports = free_ports(8)
    endpoint = f"http://127.0.0.1:{ports[6]}"
    process = subprocess.Popen(_command(data, ports), stdout=log, stderr=log)
    try:
        _wait_until_ready(endpoint, process, data / "weed.log")
        _make_bucket(f"http://127.0.0.1:{ports[4]}", "archives")
        yield Store(endpoint, data)
    finally:
        process.send_signal(signal.SIGKILL)  # it takes its time to end, and nothing is kept
        process.wait()
        log.close()


@pytest.fixture
def bucket(object_store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket, and the environment in which programs read it: their account cannot write."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", READER_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", READER_SECRET)
    monkeypatch.setenv("AWS_ENDPOINT_URL", object_store.endpoint)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    _begin_anew()
    yield object_store.bucket("archives")
    _begin_anew()


def _begin_anew() -> None:
    objects._store.cache_clear()
    urls.adopt({})


@contextmanager
def given_up_soon() -> Iterator[None]:
    """A store that fails is given up in seconds here: for what is so however long it was asked."""
    with pytest.MonkeyPatch.context() as patch:
        for name, seconds in (("DEADLINE_SECONDS", 2.0), ("REST_SECONDS", 1.0)):
            patch.setattr(objects, name, seconds)
            patch.setitem(forked.constants, f"{objects.__name__}.{name}", seconds)
        yield


def _command(data: Path, ports: list[int]) -> list[str]:
    config = data / "s3.json"
    config.write_text(
        json.dumps(
            {
                "identities": [
                    _identity("writer", ACCESS_KEY, SECRET_KEY, "Admin", "Read", "List", "Write"),
                    _identity("reader", READER_KEY, READER_SECRET, "Read", "List"),
                ]
            }
        )
    )
    master, master_grpc, volume, volume_grpc, filer, filer_grpc, s3, s3_grpc = ports
    return [
        str(Path(sys.executable).with_name("weed")), "server",
        f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        f"-master.port={master}", f"-master.port.grpc={master_grpc}",
        f"-volume.port={volume}", f"-volume.port.grpc={volume_grpc}",
        "-filer", f"-filer.port={filer}", f"-filer.port.grpc={filer_grpc}",
        "-s3", f"-s3.port={s3}", f"-s3.port.grpc={s3_grpc}", f"-s3.config={config}",
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false",
        "-volume.max=400", "-master.volumeSizeLimitMB=32", "-master.volumePreallocate=false",
    ]  # fmt: skip


def _identity(name: str, key: str, secret: str, *actions: str) -> dict[str, Any]:
    return {
        "name": name,
        "credentials": [{"accessKey": key, "secretKey": secret}],
        "actions": list(actions),
    }


def _wait_until_ready(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urlopen(endpoint, timeout=PATIENCE_SECONDS).close()
        except HTTPError:
            return  # it refuses us, so it is there
        except (URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"no object store: {log.read_text(errors='replace')[-2000:]}")


def _make_bucket(filer: str, name: str) -> None:
    """A bucket is a directory of SeaweedFS' filer; obstore makes none."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            urlopen(
                Request(f"{filer}/buckets/{name}/", method="POST"), timeout=PATIENCE_SECONDS
            ).close()
            return
        except (URLError, OSError) as error:
            if time.monotonic() > deadline:
                pytest.fail(f"no bucket: {error}")
            time.sleep(0.5)


# -- the proxy ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    number: int  # from 0
    path: str  # with the query

    @property
    def is_listing(self) -> bool:
        return "list-type=2" in self.path


@dataclass
class Answer:
    """What the store said, for a fault to change; `hangs_up`: the connection is dropped."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    hangs_up: bool = False
    promised: int | None = None  # Content-Length; None: the body's own


Fault = Callable[[Asked, Answer], None]


@dataclass
class Proxy:
    """Forwards to a store, and lets `fault` spoil each answer."""

    store: Store
    fault: Fault = lambda asked, answer: None
    asked: list[Asked] = field(default_factory=list)
    endpoint: str = ""

    def forward(self, asked: Asked, method: str, headers: dict[str, str]) -> Answer:
        host = self.store.endpoint.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=PATIENCE_SECONDS)
        try:
            connection.putrequest(method, asked.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            said = connection.getresponse()
            return Answer(said.status, said.getheaders(), said.read())
        finally:
            connection.close()


@pytest.fixture
def proxy(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The endpoint of the environment, from here on."""
    made = Proxy(bucket.store)
    lock = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with lock:
                asked = Asked(len(made.asked), self.path)
                made.asked.append(asked)
            answer = made.forward(asked, self.command, dict(self.headers.items()))
            made.fault(asked, answer)
            if answer.hangs_up and not answer.body:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            length = len(answer.body) if answer.promised is None else answer.promised
            if self.command == "HEAD":
                length = int(dict(answer.headers).get("Content-Length", "0"))
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(answer.body)
            self.close_connection = answer.hangs_up or length != len(answer.body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            """Nothing on stderr."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that went away is one of the faults."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", made.endpoint)
    _begin_anew()
    yield made
    server.shutdown()
    server.server_close()
