"""Which repositories a tool's own configuration names: what the tool itself makes of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from agent.errors import UsageError
from agent.repositories.configured import barman_places, pgbackrest_places, walg_places
from agent.repositories.opening import RepoPlace, open_repository
from agent.repositories.repository import NotRead
from agent.store.urls import StoreKeys, StoreSettings
from tests.fix_repositories import KEY, Samples
from tests.fix_tools import need_program

GLOBAL = """\
# of all stanzas
[global]
repo1-path = {0}/one
repo4-path=/four
repo3-retention-full=2
[global:restore]
repo5-path=/five
[global:backup]
repo1-path=/never
[main]
pg1-path={0}/pg
"""
MORE = "[main]\nrepo4-path=/main/four # not a comment\n[main:restore]\nrepo1-path=/restored/one\n"
OLD = "[global]\nrepo-path=/old\n[main]\npg1-path={0}/pg\n"
LATER = "[global]\nrepo2-path=/two\n[main]\npg1-path={0}/pg\n"


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.replace("{0}", str(folder)))


@pytest.mark.parametrize(
    ("files", "options", "variables"),
    [
        ({"pgbackrest.conf": GLOBAL}, ["config"], {}),
        ({"pgbackrest.conf": GLOBAL, "conf.d/a.conf": MORE}, ["config"], {}),
        ({"pgbackrest.conf": GLOBAL, "conf.d/a.conf": MORE}, ["above"], {}),
        ({"pgbackrest.conf": GLOBAL, "conf.d/a.conf": MORE, "conf.d/no.txt": "x"}, ["above"], {}),
        ({"pgbackrest.conf": GLOBAL, "conf.d/a.conf": MORE}, ["config", "include"], {}),
        ({"pgbackrest.conf": GLOBAL}, ["config"], {"PGBACKREST_REPO4_PATH": "/env"}),
        ({"pgbackrest.conf": GLOBAL}, ["config"], {"PGBACKREST_REPO_PATH": "/env"}),
        ({"pgbackrest.conf": OLD}, ["config"], {}),
        ({"pgbackrest.conf": LATER}, ["config"], {}),
        ({"pgbackrest.conf": LATER}, ["config"], {"PGBACKREST_REPO2_TYPE": "cifs"}),
    ],
)
def test_pgbackrest_takes_the_same(
    tmp_path: Path, files: dict[str, str], options: list[str], variables: dict[str, str]
) -> None:
    """What `pgbackrest restore` says that it begins with."""
    program = need_program("pgbackrest")
    write(tmp_path, files)
    (tmp_path / "pg").mkdir()
    given = {
        "config": ("PGBACKREST_CONFIG", tmp_path / "pgbackrest.conf"),
        "above": ("PGBACKREST_CONFIG_PATH", tmp_path),
        "include": ("PGBACKREST_CONFIG_INCLUDE_PATH", tmp_path / "conf.d"),
    }
    environment = variables | {name: str(path) for name, path in map(given.__getitem__, options)}
    logged = subprocess.run(
        [program, "--stanza=main", "--log-level-console=info", "--log-level-file=off",
         f"--lock-path={tmp_path}", "restore"],
        env=os.environ | environment, capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    begin = logged.splitlines()[0]
    told = {
        int(number): path.strip('"')
        for number, path in re.findall(r'--repo(\d+)-path=("[^"]*"|\S+)', begin)
    }
    found = pgbackrest_places(None, "main", environment)
    assert told and {place.number: place.url for place in found} == told


SERVERS = """\
[barman]
barman_home = {0}/home
barman_user = root
log_file = {0}/log
configuration_files_directory = {0}/barman.d
[first]
description = one
conninfo = host=x
ssh_command = true
"""
MOVED = """\
[second]
description = "two"
conninfo = host=x
streaming_conninfo = host=x
streaming_archiver = on
backup_method = postgres
backup_directory = '{0}/data'
wals_directory = %(backup_directory)s/some where/wal
"""


@pytest.mark.parametrize("server", ["first", "second"])
def test_barman_takes_the_same(tmp_path: Path, server: str) -> None:
    """What `barman show-server` says."""
    program = need_program("barman")
    write(tmp_path, {"barman.conf": SERVERS, "barman.d/two.conf": MOVED, "barman.d/no.txt": "["})
    (tmp_path / "home").mkdir()
    config = str(tmp_path / "barman.conf")
    shown = subprocess.run(
        [program, "-c", config, "show-server", server], capture_output=True, text=True, check=False
    ).stdout
    told = dict(re.findall(r"^\t(\w+_directory): (.*)$", shown, re.MULTILINE))
    (place,) = barman_places(config, server)
    assert place.barman is not None
    assert {
        "backup_directory": place.barman.home,
        "basebackups_directory": place.barman.base,
        "streaming_wals_directory": place.barman.streaming,
        "wals_directory": place.barman.wals,
    }.items() <= told.items()


def test_keys_of_a_store_are_taken_and_never_shown(tmp_path: Path) -> None:
    write(tmp_path, {"c": (
        "[global]\nrepo1-type=s3\nrepo1-path=/some/where\nrepo1-s3-bucket=wal\n"
        "repo1-s3-endpoint=minio.example.com\nrepo1-storage-port=9000\nrepo1-s3-region=eu\n"
        "repo1-s3-key=name\nrepo1-s3-key-secret=hidden\n"
        "repo2-type=gcs\nrepo2-gcs-bucket=b\nrepo2-gcs-key=/etc/key.json\n"
        "repo3-type=azure\nrepo3-azure-container=c\nrepo3-azure-account=a\nrepo3-azure-key=hidden\n"
    )})  # fmt: skip
    s3, gcs, azure = pgbackrest_places(str(tmp_path / "c"), "main", {})
    assert (s3.url, gcs.url, azure.url) == (
        "s3://wal/some/where", "gs://b/var/lib/pgbackrest", "az://c/var/lib/pgbackrest",
    )  # fmt: skip
    assert s3.settings == StoreSettings(
        endpoint="https://minio.example.com:9000", region="eu", keys=StoreKeys("name", "hidden")
    )
    assert gcs.settings == StoreSettings(credentials_file="/etc/key.json")
    assert azure.settings == StoreSettings(keys=StoreKeys("a", "hidden"))
    assert "hidden" not in repr((s3, azure))


@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_walg_by_its_file_and_its_variables(samples: Samples, tmp_path: Path, ending: str) -> None:
    sample = samples("wg_zstd_sodium_gap_18")
    storage = sample.root / "storage"
    given = {"walg_file_prefix": str(storage), "WALG_LIBSODIUM_KEY_TRANSFORM": "hex"}
    path = tmp_path / f"c.{ending}"
    path.write_text(json.dumps(given))
    (place,) = walg_places(str(path), {"WALG_LIBSODIUM_KEY": KEY})
    repository = open_repository(place, None)
    assert repository.read_backups("label", None).read and repository.url == str(storage)
    (other,) = walg_places(str(path), {"WALG_FILE_PREFIX": "file://localhost/elsewhere"})
    assert other.url == "/elsewhere"


def test_walg_fails_over_to_further_storages(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps({
        "WALG_S3_PREFIX": "s3://wal/main", "AWS_ENDPOINT": "127.0.0.1:9000", "AWS_REGION": "eu",
        "AWS_ACCESS_KEY_ID": "name", "AWS_SECRET_ACCESS_KEY": "hidden",
        "WALG_FAILOVER_STORAGES": {"other": {"WALG_S3_PREFIX": "s3://spare/main"}},
    }))  # fmt: skip
    first, second = walg_places(str(path), {})
    assert (first.url, second.url, second.number) == ("s3://wal/main", "s3://spare/main", 2)
    keys = StoreKeys("name", "hidden")
    assert first.settings == StoreSettings(
        endpoint="https://127.0.0.1:9000", region="eu", keys=keys
    )


def test_the_passphrase_is_the_configurations(samples: Samples, tmp_path: Path) -> None:
    sample = samples("br_two_repos_15")
    secret = sample.truth["cipher_pass"]["2"]
    path = tmp_path / "c"
    path.write_text(
        f"[global]\nrepo1-path={sample.url(1)}\nrepo2-path={sample.url(2)}\n"
        f"repo2-cipher-type=aes-256-cbc\nrepo2-cipher-pass={secret}\n[main]\npg1-path=/pg\n"
    )
    for place in pgbackrest_places(str(path), None, {}):
        read = open_repository(place, None).read_backups("label", None)
        assert read.read and not read.unreadable


def wrong_of(kind: str, path: Path, environment: Mapping[str, str]) -> Sequence[RepoPlace]:
    if kind == "pgbackrest":
        return pgbackrest_places(str(path), "main", environment)
    return barman_places(str(path), "main") if kind == "barman" else walg_places(str(path), {})


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("pgbackrest", None, "No such file or directory"),
        ("pgbackrest", "x=hidden\n", "line 1: an option before any"),
        ("pgbackrest", "[global]\nhidden\n", "line 2: neither"),
        ("pgbackrest", "[global]\nrepo1-path=\n", "line 2: neither"),
        ("pgbackrest", "[global]\nrepo1-path=/a\nrepo1-path=/b\n", "line 3: repo1-path is there"),
        ("pgbackrest", "[global]\nrepo1-type=s3\n", "repo1: 's3:///var/lib/pgbackrest' names no"),
        ("barman", None, "No such file or directory"),
        ("barman", "hidden\n", "line 1: an option before any"),
        ("barman", "[main]\nhidden\n", "line 2: neither"),
        ("barman", "[barman]\n", "it has no server"),
        ("barman", "[other]\n", "no server 'main': it has other"),
        ("barman", "[main]\nwals_directory=%(hidden_x)s/y\n", "stands for an option that is not"),
        ("walg", None, "No such file or directory"),
        ("walg", "{hidden", "line 1: not written as"),
        ("walg", "[1]", "not names with their values"),
        ("walg", "{}", "no WALG_S3_PREFIX"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(
    tmp_path: Path, kind: str, text: str | None, said: str
) -> None:
    path = tmp_path / "c.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=r"[^\n]*") as caught:
        wrong_of(kind, path, {})
    line = str(caught.value)
    assert said in line and str(path) in line and "\n" not in line and "hidden" not in line


@pytest.mark.parametrize(
    ("option", "said"),
    [("host=db2", "repo1 lies on the host db2"), ("type=sftp", "repo1 is of type sftp")],
)
def test_a_repository_that_is_elsewhere_is_not_read(tmp_path: Path, option: str, said: str) -> None:
    path = tmp_path / "c"
    path.write_text(f"[global]\nrepo1-{option}\n[main]\n")
    (place,) = pgbackrest_places(str(path), None, {})
    with pytest.raises(NotRead, match=said):
        open_repository(place, None)


def test_a_place_without_a_repository_says_whose_it_should_be(tmp_path: Path) -> None:
    place = RepoPlace(url=str(tmp_path), name="main", tool="pgBackRest")
    with pytest.raises(NotRead, match="no repository of pgBackRest lies there"):
        open_repository(place, None)
