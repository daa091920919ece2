"""Archives in an object store: a real one, asked what directories are asked, and one that fails."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fix_check import Archived, pitr_check, timeless
from tests.fix_layouts import DATED, file_by_date, mix_codecs
from tests.fix_stores import Bucket
from tests.unpack import unpack_tar

ARCHIVES = Path(__file__).parent.parent / "data" / "archives"
TICK_SECONDS = 2.5  # what came in the two seconds before a listing may not be the last of it
CASES = sorted(path.name.removesuffix(".tar.xz") for path in ARCHIVES.glob("*.tar.xz"))


def placeless(text: str, root: object) -> Any:
    """A document without the archive's place and the instants of reading."""
    return timeless(json.loads(text.replace(str(root), "<archive>")))


def settingless(document: Any) -> Any:
    """Without restore_command: cp reads no store."""
    document["target"].pop("settings", None)
    return document


@pytest.mark.parametrize("case", CASES)
def test_a_bucket_gives_the_verdict_of_the_directory(
    bucket: Bucket, tmp_path: Path, case: str
) -> None:
    home = tmp_path / case
    unpack_tar(ARCHIVES / f"{case}.tar.xz", home)
    url = bucket.put_tree(home / "archive", case)
    time.sleep(TICK_SECONDS)
    options = ("--backup", home / "backup", "--backup-depth", "label", "--format", "json")
    local = pitr_check("--archive", home / "archive", *options)
    remote = pitr_check("--archive", url, *options)
    assert settingless(placeless(remote.out, url)) == settingless(
        placeless(local.out, home / "archive")
    )
    assert (remote.status, remote.err) == (local.status, local.err)


@pytest.mark.parametrize("folder", DATED)
def test_dated_folders_in_every_codec(bucket: Bucket, archived: Archived, folder: str) -> None:
    file_by_date(archived.archive, DATED[folder])
    mix_codecs(archived.archive)
    url = bucket.put_tree(archived.archive, f"dated-{folder.replace('/', '-')}")
    local = archived.check()
    remote = pitr_check("--archive", url, "--backup", archived.backup, "--format", "json")
    assert settingless(placeless(remote.out, url)) == settingless(
        placeless(local.out, archived.archive)
    )
