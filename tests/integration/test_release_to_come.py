"""PostgreSQL 20, invented in each format: what is not known is unknown, and never critical.

A whole backup and archive of 19 on which one format is changed as a later release may change it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from parsers.log.stream import LogStream
from parsers.wal.crc import crc32c
from rules.live.facts import RestoreRecord, watch_restore
from rules.live.summary import Summary, summarize
from rules.model.findings import Verdict
from rules.verdict.live import explain
from tests.fix_check import pitr_check
from tests.parsers.catalogues import LOGS
from tests.unpack import unpack_tar

ARCHIVE = Path(__file__).parent.parent / "data" / "archives" / "good_19.tar.xz"
PAGE = 8192


@pytest.fixture(scope="session")
def of_19(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("of_19")
    unpack_tar(ARCHIVE, home)
    return home


def _control(home: Path) -> None:
    path = home / "backup/global/pg_control"
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 8, 2000)
    struct.pack_into("<I", data, 316, crc32c(bytes(data[:316])))  # two fields more
    path.write_bytes(data)


def _wal(home: Path) -> None:
    for path in (*(home / "archive").iterdir(), *(home / "backup/pg_wal").iterdir()):
        if re.fullmatch("[0-9A-F]{24}", path.name):
            data = bytearray(path.read_bytes())
            for page in range(0, len(data), PAGE):
                if any(data[page : page + 24]):
                    struct.pack_into("<H", data, page, 0xD12B)
            path.write_bytes(data)


def _manifest(home: Path) -> None:
    path = home / "backup/backup_manifest"
    text = path.read_text().replace('Manifest-Version": 2', 'Manifest-Version": 3')
    body = text[: text.rindex('"Manifest-Checksum"')]
    checksum = hashlib.sha256(body.encode()).hexdigest()
    path.write_text(f'{body}"Manifest-Checksum": "{checksum}"}}\n')


def _version(home: Path) -> None:
    (home / "backup/PG_VERSION").write_text("20\n")


def _everything(home: Path) -> None:
    for invent in (_control, _wal, _manifest, _version):
        invent(home)


FORMATS: dict[str, Callable[[Path], None]] = {
    "control file": _control, "WAL": _wal, "manifest": _manifest, "PG_VERSION": _version,
    "everything": _everything,
}  # fmt: skip


def _pack(home: Path) -> None:
    """The backup as pg_basebackup -Ft lays it down."""
    plain, tar = home / "plain", home / "backup"
    tar.rename(plain)
    tar.mkdir()
    (plain / "backup_manifest").rename(tar / "backup_manifest")
    for name, folder in (("pg_wal", plain / "pg_wal"), ("base", plain)):
        command = ["tar", "cf", tar / f"{name}.tar", "-C", folder, *sorted(
            path.name for path in folder.iterdir() if path.name != "pg_wal"
        )]  # fmt: skip
        subprocess.run(command, check=True)


@pytest.mark.parametrize("form", ["plain", "tar"])
@pytest.mark.parametrize("changed", FORMATS)
def test_what_a_release_to_come_wrote_is_unknown(
    of_19: Path, tmp_path: Path, changed: str, form: str
) -> None:
    home = Path(shutil.copytree(of_19, tmp_path / "it"))
    FORMATS[changed](home)
    if form == "tar":
        _pack(home)
    named = ("--archive", home / "archive", "--backup", home / "backup", "--format", "json")
    for more in ((), ("--target-immediate",)):
        checked = pitr_check(*named, *more)
        document = checked.json
        found = {each["id"]: each for each in document["findings"]}
        assert (checked.status, document["verdict"]) == (3, "unknown"), found
        assert document["restorable"] is not False
        assert document["target"]["reachable"] is not False
        assert "critical" not in {each["severity"] for each in found.values()}
        said = [each["summary"] for each in found.values() if each["severity"] == "unknown"]
        assert any("newer than" in each for each in said), said
        # Names are judged all the same.
        assert document["archives"][0]["segments"] and document["archives"][0]["gaps"] == []


# -- logs -----------------------------------------------------------------------------------------


def restore_of(log: str, *changes: tuple[str, str]) -> RestoreRecord:
    text = (LOGS / f"{log}_19.log").read_text()
    for before, after in (("PostgreSQL 19.0", "PostgreSQL 20.0"), *changes):
        assert before in text
        text = text.replace(before, after)
    stream, restore = LogStream(), RestoreRecord()
    restore.apply_all(stream.feed(text.encode()))
    restore.apply_all(stream.end())
    return restore


def summary_of(log: str) -> Summary:
    return summarize(restore_of(log))


def test_a_log_of_a_release_to_come_is_read_as_far_as_its_words_are_known() -> None:
    summary = summary_of("target_time_promote")
    assert (summary.outcome, summary.reached_target) == ("promoted", True)
    assert summary.verdict is Verdict.OK
    summary = summary_of("no_target")
    assert (summary.outcome, summary.verdict) == ("promoted", Verdict.OK)
    summary = summary_of("missing_middle_target")
    assert (summary.outcome, summary.verdict) == ("failed", Verdict.CRITICAL)


def test_a_stop_that_is_not_seen_in_it_is_no_proof_that_there_was_none() -> None:
    words = ("recovery stopping before commit of", "replay halts ahead of the commit of")
    restore = restore_of("target_time_promote", words)
    summary = summarize(restore)
    assert (summary.outcome, summary.reached_target) == ("promoted", None)
    assert summary.verdict is Verdict.UNKNOWN
    cause = explain(watch_restore(restore, summary, None)).cause
    assert cause and "PostgreSQL 20, newer than 19" in cause
