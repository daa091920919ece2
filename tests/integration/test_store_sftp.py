"""Archives and backups on another host, over OpenSSH's sftp-server: the directory's answers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.archive.directory import NotAnArchive, list_archive
from agent.archive.fetch import FileRefused, fetch
from agent.store.objects import list_objects, open_object
from agent.store.patience import REST_SECONDS
from agent.store.urls import take
from tests.fix_check import Archived, pitr_check
from tests.fix_sftp import Host
from tests.integration.test_hostile_files import _SECRET, a_dangling_link, a_link_out
from tests.integration.test_no_files import a_directory, a_link_to_a_device, a_pipe, a_socket, put
from tests.integration.test_store import ARCHIVES, placeless
from tests.integration.test_store_backups import as_pg_basebackup_packs, same
from tests.unpack import unpack_tar

Kind = Callable[[Path], None]


@pytest.mark.parametrize("case", ["timelines_good", "gap_middle", "good_tar_19"])
def test_archive_and_backup_have_the_directorys_verdict(
    host: Host, tmp_path: Path, case: str
) -> None:
    unpack_tar(ARCHIVES / f"{case}.tar.xz", tmp_path / case)
    home = tmp_path / case
    local, remote = (
        pitr_check(
            "--archive", of(home / "archive"), "--backups", of(home / "backup"),
            "--backup-depth", "files", "--format", "json",
        )
        for of in (str, host.url)
    )  # fmt: skip
    same(local, home, remote, host.bare(home))


def test_a_packed_backup_and_every_question(host: Host, archived: Archived, tmp_path: Path) -> None:
    packed = as_pg_basebackup_packs(archived.backup, tmp_path / "packed", ".gz")
    for words in (
        ("--backup-depth", "checksums", "--format", "json"),
        ("find", "--format", "json"),
        ("retention", "--format", "json"),
    ):
        subcommand = words[:1] if words[0] in ("find", "retention") else ()
        local, remote = (
            pitr_check(
                *subcommand, "--archive", of(archived.archive), "--backup", of(packed),
                *words[len(subcommand) :],
            )
            for of in (str, host.url)
        )  # fmt: skip
        assert (remote.status, remote.err) == (local.status, local.err)
        said, told = placeless(remote.out, host.bare(tmp_path)), placeless(local.out, tmp_path)
        for document in (said, told):
            for key in ("command", "target"):  # cp and pg_archivecleanup know directories alone
                document.pop(key, None)
        assert said == told


def test_names_come_in_the_order_of_keys_from_wherever(host: Host, tmp_path: Path) -> None:
    root = tmp_path / "tree"
    for name in ("a/1", "a/2", "a-b/1", "a.b", "b/c/d", "b.", "é/x", "z\n/x"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    (root / "again").symlink_to("a")
    (root / "b" / "round").symlink_to("..")
    url = take(host.url(root))
    keys = [entry.key for entry in list_objects(url)]
    assert keys == sorted(keys)
    below = [key.removeprefix(f"{str(root)[1:]}/") for key in keys]
    assert set(below) == {"a/1", "a/2", "a-b/1", "a.b", "b/c/d", "b.", "é/x", "z\n/x"}
    for place, key in enumerate(keys):
        assert [entry.key for entry in list_objects(url, key)] == keys[place + 1 :]


def test_a_file_is_read_from_wherever_to_its_end(host: Host, tmp_path: Path) -> None:
    data = os.urandom(20 << 20)
    (tmp_path / "big").write_bytes(data)
    with open_object(take(host.url(tmp_path / "big"))) as file:
        assert file.read() == data
        file.seek(9 << 20)
        assert file.read(100) == data[9 << 20 :][:100]


@pytest.mark.parametrize(
    "kind", [a_pipe, a_socket, a_directory, a_dangling_link, a_link_to_a_device, a_link_out],
    ids=lambda kind: kind.__name__,
)  # fmt: skip
def test_what_is_no_file_is_unreadable(host: Host, archived: Archived, kind: Kind) -> None:
    """A pipe would hold the server for ever."""
    put(kind, archived.archive / "00000002.history")
    if kind is not a_link_out:  # of a segment the server follows it as well
        put(kind, archived.segments[-2])
    checked = pitr_check("--archive", host.url(archived.archive), "--backup", archived.backup,
                         "--format", "json")  # fmt: skip
    assert checked.status == 3, checked.out
    assert "history_unread" in checked.findings
    assert _SECRET not in checked.out + checked.err
    damaged = checked.json["archives"][0]["damaged"]
    assert [each["kind"] for each in damaged] == ["unreadable"] * (kind is not a_link_out)
    assert checked.json["archives"][0]["gaps"] == []


def test_who_is_not_known_is_not_spoken_to(host: Host, archived: Archived, tmp_path: Path) -> None:
    stranger = host.home / "stranger"
    changed = tmp_path / "changed"
    key = stranger.with_suffix(".pub").read_text().split()
    changed.write_text(f"[127.0.0.1]:{host.port} {key[0]} {key[1]}\n")
    (tmp_path / "empty").write_text("")
    for key_file, known, said in (
        (host.key_file, changed, "the host's key is not known, or another"),
        (host.key_file, tmp_path / "empty", f"ssh -p {host.port} 127.0.0.1"),
        (stranger, host.known_hosts_file, "the host refuses this account's keys"),
        (tmp_path / "empty", host.known_hosts_file, "a key file cannot be used"),
    ):
        url = f"{host.bare(archived.archive)}?key_file={key_file}&known_hosts_file={known}"
        checked = pitr_check("--archive", url, "--backup", archived.backup)
        assert checked.status == 3
        assert f"cannot be listed: {said}" in checked.err or said in checked.err, checked.err
        assert len(checked.err.strip().splitlines()) == 1


def test_a_host_that_went_is_unknown_and_known_again(host: Host, archived: Archived) -> None:
    url = take(host.url(archived.archive))
    before = list_archive(url)
    host.stop()
    with pytest.raises(NotAnArchive, match="cannot be listed: no connection to the host"):
        list_archive(url)
    target = str(archived.archive.parent / "RECOVERYXLOG")
    with pytest.raises(FileRefused):
        fetch(archived.segments[0].name, target, [url])
    host.start()
    time.sleep(REST_SECONDS + 1)
    assert list_archive(url).segments == before.segments
    assert fetch(archived.segments[0].name, target, [url])
    assert Path(target).read_bytes() == archived.segments[0].read_bytes()
    assert not fetch("00000001000000FF00000000", target, [url])


def test_a_directory_that_is_not_there_is_unknown(host: Host, archived: Archived) -> None:
    checked = pitr_check("--archive", host.url(archived.archive / "none"),
                         "--backup", archived.backup)  # fmt: skip
    assert checked.status == 3
    assert "cannot be listed: there is no such file or directory" in checked.err


def test_without_its_library_what_to_type_is_said(archived: Archived) -> None:
    code = (
        "import sys; sys.modules['asyncssh'] = None; from agent.cli.check import main;"
        f" sys.exit(main(['--archive', 'sftp://host/wal', '--backup', {str(archived.backup)!r}]))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert said.returncode == 3, said.stderr
    assert f"sftp:// needs asyncssh: type  {sys.executable} -m pip install" in said.stderr
    assert len(said.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sftp://me:hunter2@host/wal", "an address holds no password"),
        ("sftp:///wal", "names no host"),
        ("sftp://host/a/../b", "has no ?, . or .. in it"),
        ("sftp://host/wal?key_file=id", "name the file by its whole path"),
        ("sftp://host/wal?region=eu", "region is for s3://"),
    ],
)
def test_an_address_that_is_none(archived: Archived, url: str, said: str) -> None:
    checked = pitr_check("--archive", url, "--backup", archived.backup)
    assert checked.status == 64
    assert said in checked.err
    assert "hunter2" not in checked.out + checked.err
