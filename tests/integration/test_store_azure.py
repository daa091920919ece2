"""An archive in an Azure container, as Azurite has it: the same answers as from its directory."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import obstore
import pytest
from obstore.store import AzureStore

from tests.fix_check import Archived, pitr_check
from tests.fix_tools import PATIENCE_SECONDS
from tests.integration.test_store import ARCHIVES, placeless, settingless
from tests.integration.test_store_gcs import WELL
from tests.ports import free_ports
from tests.unpack import unpack_tar

# Azurite's own, as its documentation has them.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    (port,) = free_ports(1)
    process = subprocess.Popen(
        ["azurite-blob", "--silent", "--blobHost", "127.0.0.1", "--blobPort", str(port),
         "--location", str(tmp_path / "azurite"), "--skipApiVersionCheck"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not _made_container(endpoint):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.3)
        yield endpoint
    finally:
        process.kill()
        process.wait()


def _made_container(endpoint: str) -> bool:
    """Signed by hand: obstore makes none."""
    return signed_put(endpoint, "wal", "restype", "container")


def signed_put(
    endpoint: str, path: str, key: str, value: str, headers: dict[str, str] | None = None
) -> bool:
    date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    sent = {**(headers or {}), "x-ms-date": date, "x-ms-version": "2021-08-06"}
    signed = "\n".join(
        ["PUT", *[""] * 11, *(f"{name}:{sent[name]}" for name in sorted(sent)),
         f"/{ACCOUNT}/{ACCOUNT}/{path}", f"{key}:{value}"]
    )  # fmt: skip
    digest = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
    sent["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    try:
        url = f"{endpoint}/{path}?{key}={value}"
        urlopen(Request(url, method="PUT", headers=sent), timeout=PATIENCE_SECONDS).close()
    except (URLError, OSError):
        return False
    return True


@pytest.mark.needs("azurite")
def test_a_container_gives_the_verdict_of_the_directory(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack_tar(ARCHIVES / "timelines_good.tar.xz", tmp_path / "case")
    archive = tmp_path / "case" / "archive"
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    writer = AzureStore("wal", endpoint=endpoint, client_options={"allow_http": True})
    for path in sorted(path for path in archive.rglob("*") if path.is_file()):
        obstore.put(writer, f"p/{path.relative_to(archive)}", path.read_bytes())
    options = ("--backup", tmp_path / "case" / "backup", "--backup-depth", "label")
    local = pitr_check("--archive", archive, *options, "--format", "json")
    remote = pitr_check(
        "--archive", f"az://wal/p?endpoint={endpoint}", *options, "--format", "json"
    )
    assert settingless(placeless(remote.out, "az://wal/p")) == settingless(
        placeless(local.out, archive)
    )
    assert (remote.status, remote.err) == (local.status, local.err)
    assert KEY not in remote.out
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", base64.b64encode(b"another").decode())
    refused = pitr_check("--archive", f"az://wal/p?endpoint={endpoint}", *options)
    assert refused.status == 3
    assert "the store refuses access (HTTP 403, Auth" in refused.err


@pytest.mark.needs("azurite")
def test_odd_keys_beside_an_archive(
    endpoint: str, archived: Archived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every script they change nothing; one that obstore cannot take is said, and unknown."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    writer = AzureStore("wal", endpoint=endpoint, client_options={"allow_http": True})
    for path in archived.archive.iterdir():
        obstore.put(writer, f"p/{path.name}", path.read_bytes())
    for name in WELL:
        obstore.put(writer, f"p/{name}/notes", b"x")
    asked = ("--archive", f"az://wal/p?endpoint={endpoint}", "--backup", archived.backup)
    checked = pitr_check(*asked)
    assert checked.status == 0, checked.out + checked.err
    blob = {"x-ms-blob-type": "BlockBlob"}
    assert signed_put(endpoint, "wal/p//notes", "timeout", "30", blob)
    checked = pitr_check(*asked)
    assert checked.status == 3, checked.out
    assert "as in a//b: move it elsewhere" in checked.err
