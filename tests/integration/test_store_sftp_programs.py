"""What restores, drills and follows a restore, from another host; and where its keys come from."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fix_check import Archived, open_to_the_server, pitr_check
from tests.fix_layouts import FetchWal, promoted
from tests.fix_postgres import NewCluster
from tests.fix_sftp import Host
from tests.fix_tools import PATIENCE_SECONDS, need_program


@pytest.fixture
def keys(host: Host, archived: Archived) -> Path:
    """Where the account of the test's servers may read the key and the known hosts."""
    at = archived.archive.parent / "keys"
    at.mkdir()
    for file in (host.key_file, host.known_hosts_file):
        shutil.copy(file, at)
    open_to_the_server(archived)
    subprocess.run(["chmod", "-R", "a+rX", at], check=True)
    return at


def url_with(host: Host, keys: Path, path: Path) -> str:
    return f"{host.bare(path)}?key_file={keys / 'user'}&known_hosts_file={keys / 'known_hosts'}"


@pytest.mark.parametrize("options", [(), ("--prefetch", "3")], ids=["plain", "prefetch"])
def test_a_server_restores_from_a_host_and_the_restore_is_followed(
    host: Host,
    archived: Archived,
    keys: Path,
    new_cluster: NewCluster,
    fetch_wal: FetchWal,
    options: tuple[str, ...],
) -> None:
    url = url_with(host, keys, archived.archive)
    command = fetch_wal("--archive", f'"{url}"', *options)
    cluster = new_cluster(16, initdb=False)
    cluster.restore_from(archived.backup, restore_command=command)
    with promoted(cluster):
        assert cluster.sql("SELECT count(*) FROM t") == [(4 * 1500,)]
    restored = [line for line in cluster.log_lines() if "restored log file" in line]
    assert any(archived.segments[-1].name in line for line in restored)
    local, remote = (summary(cluster.log, each) for each in (str(archived.archive), url))
    assert local["outcome"] == "promoted"
    assert remote == local


def summary(log: Path, archive: str) -> dict[str, object]:
    program = Path(sys.executable).with_name("pitr-watch")
    said = subprocess.run(
        [program, "--log", log, "--once", "--format", "json", "--archive", archive],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert (said.returncode, said.stderr) == (0, "")
    document: dict[str, object] = json.loads(said.stdout.splitlines()[-1])
    document.pop("next_command")  # names the archive
    return document


def test_a_drill_from_a_host(host: Host, archived: Archived, keys: Path) -> None:
    archive, backup = (url_with(host, keys, each) for each in (archived.archive, archived.backup))
    drilled = pitr_check("--archive", archive, "--backup", backup, "--drill")
    assert drilled.status == 0, drilled.out + drilled.err
    assert "it was restored and opened" in drilled.out
    assert "it matched the prediction" in " ".join(drilled.out.split())


@pytest.fixture
def ssh_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An agent without keys, and a home without any."""
    need_program("ssh-agent")
    at = f"/tmp/pa-{os.getpid()}-{time.monotonic_ns()}"  # a socket's path is short
    process = subprocess.Popen(["ssh-agent", "-D", "-a", at], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not Path(at).exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    (tmp_path / "home" / ".ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SSH_AUTH_SOCK", at)
    yield
    process.send_signal(signal.SIGTERM)
    process.wait()
    Path(at).unlink(missing_ok=True)


@pytest.mark.usefixtures("ssh_agent")
def test_keys_of_the_agent_and_of_the_home(host: Host, archived: Archived, tmp_path: Path) -> None:
    url = f"{host.bare(archived.archive)}?known_hosts_file={host.known_hosts_file}"
    asked = ("--archive", url, "--backup", archived.backup)
    refused = pitr_check(*asked)
    assert refused.status == 3
    assert "the host refuses this account's keys (ssh-add -l, key_file)" in refused.err
    subprocess.run(["ssh-add", "-q", host.key_file], check=True)
    assert pitr_check(*asked).status == 0
    subprocess.run(["ssh-add", "-q", "-D"], check=True)
    assert pitr_check(*asked).status == 3
    home = tmp_path / "home" / ".ssh"
    shutil.copy(host.key_file, home / "id_ed25519")
    shutil.copy(host.known_hosts_file, home)
    assert pitr_check("--archive", host.bare(archived.archive), *asked[2:]).status == 0


@pytest.mark.usefixtures("ssh_agent")
def test_a_key_with_a_passphrase_is_the_agents(host: Host, archived: Archived) -> None:
    """Nobody is asked for it: the file is refused, and what to type is said."""
    change = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "hunter2", "-f", host.key_file]
    subprocess.run(["ssh-add", "-q", host.key_file], check=True)
    subprocess.run(change, check=True)
    asked = ("--backup", archived.backup, "--archive")
    checked = pitr_check(*asked, host.url(archived.archive))
    assert checked.status == 3
    assert "a key file cannot be used: load it into the agent (ssh-add)" in checked.err
    of_agent = f"{host.bare(archived.archive)}?known_hosts_file={host.known_hosts_file}"
    assert pitr_check(*asked, of_agent).status == 0
