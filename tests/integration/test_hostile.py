"""What strangers may write (names in an archive, lines of a log) does nothing but be shown."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from agent.html.addresses import path_segment
from tests.fix_tools import PATIENCE_SECONDS, need_program
from tests.fix_watched import Watched
from tests.waiting import wait_until

FORGED = 'pitr_finding{cluster="forged",id="x",severity="critical"} 1'
NAMES = (
    f"000000010000000000000099\n{FORGED}",
    "00000001000000000000009A\x1b[2J\x1b]0;owned\x07",
    '00000001000000000000009B"}\\',
    "..%2f..%2fetc%2fpasswd",
    "$(touch owned)`touch owned`",
    "<script>alert(1)</script>.history",
    "00000001000000000000009C\x9b31m\u202e\u2028\x7f",
    b"not-utf8-\xff\xfe".decode(errors="surrogateescape"),
)
CLUSTER = 'a"b\\c/../d {x="y"} # HELP pitr_up <b>é</b>'


@pytest.mark.slow
def test_names_lines_and_labels_of_strangers(watched: Watched, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    lines = [
        f"2026-01-01 00:00:00.000 UTC [1] LOG:  {FORGED}\n",
        "2026-01-01 00:00:00.000 UTC [1] LOG:  redo starts at \x1b[2J0/0\x00\n",
        '2026-01-01 00:00:00.000 UTC [1] LOG:  restored log file "../../etc/passwd" from archive\n',
        "x" * (4 << 20) + "\n",
        '{"message": "\\u0000", "log": ' * 1000 + "\n",
    ]
    log.write_bytes("".join(lines).encode() + bytes(range(256)) * 100)
    for name in NAMES:
        if "/" not in name:
            (watched.archive / name).write_bytes(b"\0" * 100)
    (watched.archive / "0000000100000000000000F0").symlink_to("/dev/zero")
    (watched.archive / "0000000100000000000000F1").symlink_to(watched.archive)
    (watched.archive / "0000000100000000000000F2").mkdir()
    (watched.config["clusters"][0]) |= {"name": CLUSTER, "log": str(log)}
    watched.config["defaults"]["depth"] = "records"
    told = tmp_path / "told"
    watched.break_it()
    watched.start({"command": ["/bin/sh", "-c", f"cat >> {told}; echo >> {told}"]})
    page = watched.agent.wait_for(lambda page: "wal_gap" in page.findings())
    page = watched.agent.wait_for(watched.agent.succeeded("archive"))
    clusters = {s.labels["cluster"] for s in page.samples if s.name == "pitr_finding"}
    assert clusters == {CLUSTER}
    raw = get(f"{watched.agent.url}/metrics")
    promtool = need_program("promtool")
    checked = subprocess.run([promtool, "check", "metrics"], input=raw, capture_output=True)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
    shown = json.loads(get(f"{watched.agent.url}/api/v1/clusters/{urllib.parse.quote(CLUSTER)}"))
    assert shown["name"] == CLUSTER
    page_of_it = f"/clusters/{path_segment(CLUSTER)}"
    for path in (
        "/", page_of_it, f"{page_of_it}?part=live", "/runbooks/PitrWalGap", "/findings/wal_gap",
        "/healthz", "/readyz", "/api/v1/clusters", "/api/v1/alerts",
    ):  # fmt: skip
        body = get(watched.agent.url + path).decode()
        assert ("<script>" not in body and "<b>" not in body) or path.startswith("/api"), path
        assert not [c for c in body if ord(c) < 32 and c != "\n"], path
        if path == "/":
            assert all(line.isprintable() for line in body.splitlines())
        assert FORGED not in body.splitlines()
    wait_until(lambda: told.is_file() and "\n" in told.read_text(), "a notification is whole")
    first = json.loads(told.read_text().splitlines()[0])
    assert first["commonLabels"]["cluster"] == CLUSTER
    for line in watched.agent.log.read_text().splitlines()[1:]:
        assert line.startswith("ts="), line
        assert line.isprintable(), line
    assert not list(Path.cwd().glob("owned")) and not list(watched.archive.glob("owned"))


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
        body: bytes = answer.read()
    return body


def test_paths_of_strangers_lead_nowhere(watched: Watched) -> None:
    watched.start()
    for path in (
        "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/api/v1/clusters/../../../etc/passwd",
        "/api/v1/clusters/%00", "/metrics/../../etc/passwd", "/" + "a" * 60_000,
    ):  # fmt: skip
        result = subprocess.run(
            [need_program("curl"), "-s", "--path-as-is", "-w", "%{http_code}",
             watched.agent.url + path],
            capture_output=True, text=True, timeout=PATIENCE_SECONDS,
        )  # fmt: skip
        assert result.stdout[-3:] in ("404", "400"), path
        assert "root:" not in result.stdout
