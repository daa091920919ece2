"""Where credentials come from, and that nobody tells them: not a log, not a page, not ps."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from agent.store import objects
from agent.store.credentials import s3_credentials, s3_profile
from agent.store.patience import StoreError
from agent.store.urls import StoreSettings, remembered, take
from tests import forked
from tests.fix_agent import FAST, WatchedAgent
from tests.fix_check import Archived, pitr_check
from tests.fix_stores import READER_KEY, READER_SECRET, Bucket, Proxy
from tests.integration.test_store_faults import answers, hangs_up
from tests.integration.test_store_programs import _everything, sound

PLANTED = (READER_SECRET, READER_KEY)


@pytest.fixture
def url(bucket: Bucket, archived: Archived) -> str:
    return bucket.put_tree(archived.archive, "secrets")


@pytest.fixture
def without_keys(monkeypatch: pytest.MonkeyPatch, bucket: Bucket, tmp_path: Path) -> Path:
    """No keys in the environment, and a home of one's own."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    return tmp_path / ".aws"


def write_profile(aws: Path, name: str, key: str = READER_KEY, secret: str = READER_SECRET) -> None:
    with (aws / "credentials").open("a") as file:
        print(f"[{name}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}", file=file)


def files_of_keys(directory: Path) -> dict[str, str]:
    key, secret = directory / "key", directory / "secret"
    key.write_text(f"{READER_KEY}\n")
    secret.write_text(f"{READER_SECRET}\n")
    return {"access_key_id_file": str(key), "secret_access_key_file": str(secret)}


def test_a_profile_gives_keys_region_and_endpoint(
    without_keys: Path, archived: Archived, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_profile(without_keys, "dba")
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    (without_keys / "config").write_text(
        f"[profile dba]\nregion = us-east-1\nendpoint_url = {endpoint}\n"
        "[profile sso]\nsso_session = x\n"
    )
    check = ("--backup", archived.backup, "--format", "json")
    assert pitr_check("--archive", f"{url}?profile=dba", *check).status == 0
    monkeypatch.setenv("AWS_PROFILE", "dba")
    assert pitr_check("--archive", url, *check).status == 0
    for name, said in {
        "none": "there is no profile 'none'",
        "sso": "profile 'sso' holds sso_session, not keys: export them with aws configure",
    }.items():
        checked = pitr_check("--archive", f"{url}?profile={name}", *check)
        assert checked.status == 3
        assert said in checked.err


def test_the_default_profile_is_used_where_the_environment_has_no_keys(
    without_keys: Path, archived: Archived, url: str
) -> None:
    write_profile(without_keys, "default")
    assert pitr_check("--archive", url, "--backup", archived.backup).status == 0


def test_keys_in_files_are_read_again(tmp_path: Path) -> None:
    settings = StoreSettings(**files_of_keys(tmp_path))
    given = s3_credentials(settings, s3_profile(settings))
    assert given is not None
    assert given()["secret_access_key"] == READER_SECRET
    (tmp_path / "secret").write_text("renewed\n")
    assert given()["secret_access_key"] == "renewed"
    (tmp_path / "secret").unlink()
    with pytest.raises(StoreError, match="secret: cannot be read: No such file"):
        given()


def test_a_file_of_profiles_that_cannot_be_parsed_is_not_quoted(
    without_keys: Path, archived: Archived, url: str
) -> None:
    (without_keys / "credentials").write_text(f"aws_secret_access_key = {READER_SECRET}\n")
    checked = pitr_check("--archive", f"{url}?profile=dba", "--backup", archived.backup)
    assert checked.status == 3
    assert "it is not written as the aws command writes it" in checked.err
    assert READER_SECRET not in checked.err + checked.out


def test_the_configuration_takes_address_and_keys_from_files(
    without_keys: Path, archived: Archived, url: str, tmp_path: Path
) -> None:
    (tmp_path / "address").write_text(f"{url}\n")
    archive = {"url_file": str(tmp_path / "address"), **files_of_keys(tmp_path)}
    cluster = {"name": "a", "archives": [archive], "backups": {"url": str(archived.backup)}}
    config = tmp_path / "pitr.yaml"
    config.write_text(yaml.safe_dump({"clusters": [cluster]}))
    checked = pitr_check("--config", config, "--format", "json")
    assert (checked.status, checked.json["archives"][0]["url"]) == (0, url)
    segment, target = archived.segments[0], tmp_path / "RECOVERYXLOG"
    fetch = ("pitr-agent", "fetch-wal", "--config", config, segment.name, target)
    fetched = forked.run(*fetch)
    assert (fetched.returncode, target.read_bytes()) == (0, segment.read_bytes()), fetched.stderr
    (tmp_path / "address").write_text(f"password {READER_SECRET}")
    refused = pitr_check("--config", config)
    assert refused.status == 64
    fetched = forked.run(*fetch)
    assert fetched.returncode == 200 and READER_SECRET not in fetched.stderr
    assert "it holds no address and no absolute path" in fetched.stderr
    assert "it holds no address and no absolute path" in refused.err
    assert READER_SECRET not in refused.err


def test_nothing_of_a_secret_is_told_anywhere(
    proxy: Proxy, archived: Archived, url: str, without_keys: Path, tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    """With keys of a profile: while it is well, refused and cut off; at log level debug."""
    write_profile(without_keys, "dba")
    place = {"endpoint": proxy.endpoint, "profile": "dba"}
    directory = tmp_path / "agent"
    directory.mkdir()
    agent = WatchedAgent(directory, prefix=("sh", "-c", 'exec "$0" "$@" --log.level debug'))
    archives, backups = [{"url": url, **place}], {"url": str(archived.backup)}
    cluster = {"name": "lab", "archives": archives, "backups": backups}
    agent.start({"clusters": [cluster], "defaults": FAST | {"timeout": "30s"}})
    request.addfinalizer(agent.stop)
    agent.wait_for(sound)
    told = [_everything(agent), *command_lines(agent)]
    for fault in (answers(403, b"SignatureDoesNotMatch"), hangs_up):
        proxy.fault = fault
        agent.wait_for(agent.failed("archive"))
        told += [_everything(agent), *command_lines(agent)]
        for style in ("text", "json", "html", "nagios") if fault is not hangs_up else ("json",):
            options = ("--backup", archived.backup, "--format", style)
            checked = pitr_check("--archive", f"{url}?profile=dba", *options)
            told += [checked.out, checked.err]
    told.append(agent.log.read_text())
    for secret in PLANTED:
        assert not any(secret in text for text in told)


def command_lines(agent: WatchedAgent) -> Iterator[str]:
    """Of every process there is, as ps would show them."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            yield " ".join(process.cmdline())


def test_no_repr_holds_one(
    url: str, tmp_path: Path, without_keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    files = files_of_keys(tmp_path)
    take(f"{url}?" + "&".join(f"{key}={value}" for key, value in files.items()))
    store = objects.store_of(url)
    told: list[Any] = [store, vars(store), remembered(), list(objects.list_objects(url))[:1]]
    for secret in PLANTED:
        assert secret not in repr(told) + caplog.text
