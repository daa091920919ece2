"""--timeout: whatever does not answer, the command ends in time, with one line and status 3."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fix_check import Archived
from tests.fix_sftp import Host
from tests.fix_tools import PATIENCE_SECONDS
from tests.signing import draft, new_signed

SAID = "not done within 5s (--timeout): a source does not answer in time"
CHECK = (sys.executable, "-c", "import sys; from agent.cli.check import main; sys.exit(main())")
FETCH = (sys.executable, "-c", "import sys; from agent.cli.start import main; sys.exit(main())",
         "fetch-wal")  # fmt: skip


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, words)], capture_output=True, text=True, timeout=PATIENCE_SECONDS,
        env={**os.environ, **environment},
    )  # fmt: skip


@pytest.fixture
def silent_store() -> Iterator[dict[str, str]]:
    """A store that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.getsockname()[1]}",
            "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "c",
            "AWS_ALLOW_HTTP": "true",
        }  # fmt: skip


@pytest.mark.parametrize("command", [[], ["find"], ["retention"], ["windows"], ["plan"]], ids=str)
def test_a_store_that_is_silent(
    archived: Archived, silent_store: dict[str, str], command: list[str]
) -> None:
    ended = run(*CHECK, *command, "--archive", "s3://bucket/wal", "--backup", archived.backup,
                "--timeout", "5s", "--format", "json", **silent_store)  # fmt: skip
    assert ended.returncode == 3, ended.stderr
    assert ended.stderr.splitlines() == [f"{' '.join(['pitr-check', *command])}: {SAID}"]
    document = json.loads(ended.stdout)
    assert SAID in ended.stdout
    assert document.get("verdict", "unknown") == "unknown"


def test_proof_in_a_store_that_is_silent(silent_store: dict[str, str], tmp_path: Path) -> None:
    signed = new_signed(tmp_path / "signed")
    signed.writer().write(draft(1))
    words = (*CHECK, "verify-evidence", signed.directory, "--key", signed.public)
    ended = run(*words, "--archive", "s3://bucket/wal", "--timeout", "5s", "--format", "json",
                **silent_store)  # fmt: skip
    assert (ended.returncode, ended.stderr) == (3, f"pitr-check verify-evidence: {SAID}\n")
    document = json.loads(ended.stdout)
    assert (document["verdict"], document["notes"]) == ("unknown", [SAID])


def test_a_report_in_time_is_the_same(tmp_path: Path) -> None:
    signed = new_signed(tmp_path / "signed")
    signed.writer().write(draft(1))
    words = (*CHECK, "report", "--evidence", signed.directory, "--key", signed.public,
             "--from", "2026-01-01", "--to", "2026-01-02", "--format", "json")  # fmt: skip
    limited, free = run(*words, "--timeout", "1h"), run(*words)
    documents = [json.loads(ended.stdout) for ended in (limited, free)]
    for each in documents:
        each.pop("made_at")
    assert documents[0] == documents[1]
    assert (limited.returncode, limited.stderr) == (free.returncode, free.stderr)


def test_a_fleet_with_a_store_that_is_silent(
    archived: Archived, silent_store: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "pitr.yaml"
    places = {"archives": [{"url": "s3://bucket/wal"}], "backups": {"url": str(archived.backup)}}
    file.write_text(json.dumps({"clusters": [{"name": "a", **places}]}))
    ended = run(*CHECK, "fleet", "--config", file, "--timeout", "5s", "--format", "json",
                **silent_store)  # fmt: skip
    assert (ended.returncode, ended.stderr) == (3, f"pitr-check fleet: {SAID}\n")
    (told,) = json.loads(ended.stdout)["clusters"]
    assert (told["name"], told["verdict"]) == ("a", "unknown")


def test_a_restore_is_not_told_that_a_file_is_absent(
    archived: Archived, host: Host, tmp_path: Path
) -> None:
    """The host's server is stopped, as a machine that swaps would be: nothing answers."""
    segment, target = archived.segments[0].name, tmp_path / "RECOVERYXLOG"
    words = ("--archive", host.url(archived.archive), "--timeout", "5s", segment, target)
    assert host.process is not None
    host.process.send_signal(signal.SIGSTOP)
    try:
        ended = run(*FETCH, *words)
    finally:
        host.process.send_signal(signal.SIGCONT)
    assert (ended.returncode, ended.stderr) == (200, f"pitr-agent fetch-wal: {SAID}\n")
    assert not target.exists()
    assert run(*FETCH, *words[:2], "--timeout", "1h", *words[4:]).returncode == 0
    assert target.stat().st_size == archived.segments[0].stat().st_size


def test_a_command_that_is_done_in_time_says_what_it_found(archived: Archived) -> None:
    ended = run(*CHECK, "--archive", archived.archive, "--backup", archived.backup, "--timeout",
                "1h", "--depth", "names")  # fmt: skip
    assert (ended.returncode, "--timeout" in ended.stderr) == (0, False), ended.stderr


@pytest.mark.parametrize("given", ["0s", "5", "soon"])
def test_what_is_no_limit_is_refused(given: str) -> None:
    assert run(*CHECK, "--archive", "/nowhere", "--timeout", given).returncode == 64
    assert run(*FETCH, "--archive", "/nowhere", "--timeout", given, "x", "y").returncode == 200
