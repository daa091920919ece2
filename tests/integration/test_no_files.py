"""What is no file under a name that is read, and links that lead out: unreadable, at once.

And no message quotes what a file holds: a link may have led to somebody's passwords.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fix_check import Archived, Checked, pitr_check
from tests.fix_layouts import compress_file
from tests.fix_tools import PATIENCE_SECONDS

_SECRET = "db.example:5432:*:admin:hunter2-the-password"
_SECONDS = PATIENCE_SECONDS  # a program that waits for a pipe waits for ever


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(here)


def a_directory(path: Path) -> None:
    path.mkdir()


def a_link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


KINDS: list[Callable[[Path], None]] = [
    a_pipe, a_socket, a_directory, a_link_to_a_device, a_link_to_itself,
]  # fmt: skip
few_kinds = pytest.mark.parametrize(
    "kind", [a_pipe, a_link_to_a_device], ids=lambda kind: kind.__name__
)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def put(kind: Callable[[Path], None], path: Path) -> None:
    path.unlink(missing_ok=True)
    kind(path)


def at_once(*arguments: object) -> Checked:
    """What waits for a pipe waits until pytest's timeout."""
    checked = pitr_check(*arguments)
    assert "this is a bug" not in checked.err
    return checked


@every_kind
def test_a_segment_that_is_no_file_is_unreadable(
    archived: Archived, kind: Callable[[Path], None]
) -> None:
    segment = archived.segments[-2]
    put(kind, segment)
    checked = at_once(
        "--archive", archived.archive, "--backup", archived.backup, "--format", "json"
    )
    assert checked.status == 3
    (damage,) = checked.json["archives"][0]["damaged"]
    assert (damage["segment"], damage["kind"]) == (segment.name, "unreadable")
    assert checked.json["archives"][0]["gaps"] == []


@every_kind
def test_what_is_no_file_tells_nothing_of_the_wal_before_it(
    archived: Archived, kind: Callable[[Path], None]
) -> None:
    """Far from the segments it is set aside; next to them a restore would ask for it."""
    newest = archived.segments[-1].name
    next_name = f"{newest[:16]}{int(newest[16:], 16) + 1:08X}"
    for name, found in (
        (f"{newest[:16]}000000EE", {"segment_not_a_file"}),
        (f"00000003{newest[8:]}", {"segment_not_a_file"}),
        (next_name, {"wal_unread"}),
    ):
        path = archived.archive / name
        kind(path)
        checked = at_once(
            "--archive", archived.archive, "--backup", archived.backup, "--format", "json"
        )
        assert (checked.status, checked.findings) == (3, found), name
        assert checked.json["archives"][0]["gaps"] == []
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.mark.parametrize("depth", ["headers", "records"])
@pytest.mark.parametrize("copies", [1, 2])
def test_a_segment_that_nobody_could_read_tells_nothing_of_the_wal_before_it(
    archived: Archived, tmp_path: Path, depth: str, copies: int
) -> None:
    """A link out of the archive has a name like a segment's: names alone are no proof of WAL."""
    outside = tmp_path / "outside"
    outside.write_text(_SECRET)
    newest = archived.segments[-1].name
    second = tmp_path / "second"
    shutil.copytree(archived.archive, second)
    asked = ["--archive", archived.archive, "--archive", second][: 2 * copies]
    for name in (f"{newest[:16]}000000EE", f"{newest[:8]}00000099{newest[16:]}"):
        path = archived.archive / name
        path.symlink_to(outside)
        checked = at_once(*asked, "--backup", archived.backup, "--depth", depth, "--format", "json")
        assert (checked.status, checked.findings) == (3, {"wal_unread"}), name
        first = checked.json["archives"][0]
        assert first["gaps"] == [] and first["damaged"][0]["segment"] == name
        assert checked.json["target"]["reachable"] is (True if depth == "records" else None)
        path.unlink()


def test_advice_fits_the_reason_and_is_printed_once(archived: Archived, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text(_SECRET)
    for name in ("000000EE", "000000EF"):
        (archived.archive / f"{archived.segments[-1].name[:16]}{name}").symlink_to(outside)
    said = at_once("--archive", archived.archive, "--backup", archived.backup).out
    assert said.count("wal_unread: 2 segments not read") == 1
    assert said.count("Put the file itself in the link's place") == 1
    assert "fault of this program" not in said and "a bug" not in said


@every_kind
def test_a_signal_file_is_whatever_a_server_takes_for_one(
    archived: Archived, kind: Callable[[Path], None]
) -> None:
    """It looks whether something is there; a link that leads nowhere is nothing."""
    kind(archived.backup / "standby.signal")
    checked = at_once(
        "--archive", archived.archive, "--backup", archived.backup, "--format", "json"
    )
    assert ("standby_signal_left" in checked.findings) == (kind is not a_link_to_itself)


@every_kind
def test_a_history_that_is_no_file_is_not_read(
    archived: Archived, kind: Callable[[Path], None]
) -> None:
    kind(archived.archive / "00000002.history")
    checked = at_once(
        "--archive", archived.archive, "--backup", archived.backup, "--format", "json"
    )
    assert (checked.status, checked.json["target"]["outcome"]) == (3, "unknown")
    assert "history_unread" in checked.findings and "history_broken" not in checked.findings


@few_kinds
@pytest.mark.parametrize("suffix", [".backup", ".gz", ".partial"])
def test_other_names_of_an_archive_hold_nobody_up(
    archived: Archived, kind: Callable[[Path], None], suffix: str
) -> None:
    name = archived.segments[-1].name
    kind(archived.archive / (f"{name}.00000028.backup" if suffix == ".backup" else name + suffix))
    assert at_once("--archive", archived.archive, "--backup", archived.backup).status in (0, 1, 3)


@few_kinds
@pytest.mark.parametrize(
    "name",
    [
        "backup_label", "backup_manifest", "global/pg_control", "PG_VERSION", "tablespace_map",
        "postgresql.conf", "postgresql.auto.conf", "pg_wal/000000010000000000000099",
        "pg_wal/00000007.history",
    ],
)  # fmt: skip
def test_a_backup_s_file_that_is_none_holds_nobody_up(
    archived: Archived, kind: Callable[[Path], None], name: str
) -> None:
    put(kind, archived.backup / name)
    checked = at_once("--archive", archived.archive, "--backup", archived.backup,
                      "--backup-depth", "checksums")  # fmt: skip
    assert checked.status in (0, 1, 2, 3)
    at_once("find", "--archive", archived.archive, "--backup", archived.backup)


@pytest.mark.parametrize("kind", KINDS[:2], ids=lambda kind: kind.__name__)
def test_a_log_that_is_none_holds_nobody_up(tmp_path: Path, kind: Callable[[Path], None]) -> None:
    kind(tmp_path / "postgresql-1.log")
    for command in (
        ["pitr-watch", "--log", tmp_path, "--once"],
        ["pitr-watch", "--log", tmp_path / "postgresql-1.log", "--once"],
    ):
        program = Path(sys.executable).parent / command[0]
        result = subprocess.run(
            [program, *command[1:]], capture_output=True, text=True, timeout=_SECONDS
        )
        assert result.returncode == 3 and "this is a bug" not in result.stderr


def fetch(archive: Path, name: str, target: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "pitr-agent"
    return subprocess.run(
        [program, "fetch-wal", name, target, "--archive", archive],
        capture_output=True, text=True, timeout=_SECONDS,
    )  # fmt: skip


@every_kind
def test_fetch_wal_never_takes_it_for_an_absent_file(
    archived: Archived, tmp_path: Path, kind: Callable[[Path], None]
) -> None:
    """1 would be the end of the WAL, and a promotion."""
    segment = archived.segments[-2]
    put(kind, segment)
    kind(archived.archive / "00000002.history")
    for name in (segment.name, "00000002.history"):
        fetched = fetch(archived.archive, name, tmp_path / "fetched")
        assert fetched.returncode > 125, fetched
        assert not (tmp_path / "fetched").exists()


def test_a_link_that_stays_in_the_archive_is_followed(archived: Archived, tmp_path: Path) -> None:
    kept = archived.archive / "histories"
    kept.mkdir()
    (kept / "kept").write_text("1\t0/9000000\tno recovery target specified\n")
    history = archived.archive / "00000002.history"
    history.symlink_to("histories/kept")
    checked = archived.check("--depth", "names")
    assert not {"history_unread", "history_broken"} & checked.findings
    assert {2} <= {each["id"] for each in checked.json["archives"][0]["timelines"]}
    assert fetch(archived.archive, "00000002.history", tmp_path / "fetched").returncode == 0
    elsewhere = tmp_path / "link-to-the-archive"
    elsewhere.symlink_to(archived.archive)
    checked = pitr_check("--archive", elsewhere, "--backup", archived.backup, "--format", "json",
                         "--depth", "names")  # fmt: skip
    assert "history_unread" not in checked.findings


@pytest.mark.parametrize("through", ["absolute", "relative", "two links"])
def test_a_history_that_links_out_of_the_archive_is_not_read(
    archived: Archived, tmp_path: Path, through: str
) -> None:
    outside = archived.archive.parent / "pgpass"
    outside.write_text("1\t0/9000000\t" + _SECRET + "\n")  # readable as a history, even
    history = archived.archive / "00000002.history"
    if through == "two links":
        (archived.archive / "step").symlink_to(outside)
    target = {"absolute": outside, "relative": f"../{outside.name}", "two links": "step"}[through]
    history.symlink_to(target)
    for form in ("text", "html"):
        checked = at_once("--archive", archived.archive, "--backup", archived.backup,
                          "--format", form)  # fmt: skip
        assert checked.status == 3
        assert "hunter2" not in checked.out + checked.err
    said = archived.check()
    assert "history_unread" in said.findings
    assert "leads out of the archive" in said.out
    assert fetch(archived.archive, "00000002.history", tmp_path / "fetched").returncode > 125
    assert not (tmp_path / "fetched").exists()


@pytest.mark.parametrize("stored", ["as it is", "gzip"])
def test_of_a_segment_that_links_out_to_no_wal_nothing_is_told(
    archived: Archived, tmp_path: Path, stored: str
) -> None:
    """Not two bytes of it: as an unknown magic, or in the words of a decompressor."""
    outside = tmp_path / "shadow"
    outside.write_text("root:$6$" + _SECRET + ":19000:0:99999:7:::\n" * 40)
    segment = archived.segments[-2]
    segment.unlink()
    name = segment.name + (".gz" if stored == "gzip" else "")
    (archived.archive / name).symlink_to(outside)
    archived.age(outside)
    checked = archived.check("--depth", "records")
    assert checked.status == 3
    (damage,) = checked.json["archives"][0]["damaged"]
    assert (damage["segment"], damage["kind"]) == (segment.name, "unreadable")
    assert "a link that leads out of its directory, to what is no WAL" in damage["detail"]
    fetched = fetch(archived.archive, segment.name, tmp_path / "fetched")
    assert fetched.returncode > 125
    for text in (checked.out + checked.err, fetched.stderr):
        assert "6F72" not in text and "b'ro'" not in text and "root:" not in text


@pytest.mark.parametrize("codec", ["", ".gz"])
def test_segments_that_a_tool_links_to_are_judged_as_ever(
    archived: Archived, tmp_path: Path, codec: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(archived.archive, elsewhere)
    for segment in archived.segments:
        if codec:
            compress_file(elsewhere / segment.name, codec)
        segment.unlink()
        (archived.archive / f"{segment.name}{codec}").symlink_to(
            elsewhere / f"{segment.name}{codec}"
        )
    assert archived.check().status == 0
    name = archived.segments[-2].name if not codec else sorted(elsewhere.glob("*.gz"))[-2].name[:24]
    assert fetch(archived.archive, name, tmp_path / "fetched").returncode == 0
    linked = elsewhere / f"{name}{codec}"
    os.truncate(linked, linked.stat().st_size // 2)
    archived.age(linked)
    checked = archived.check()
    assert (checked.status, len(checked.json["archives"][0]["damaged"])) == (2, 1)
    assert checked.json["archives"][0]["damaged"][0]["kind"] == "truncated"


@pytest.mark.parametrize(
    "name",
    [
        "archive/00000002.history", "archive/{segment}.00000028.backup", "backup/backup_label",
        "backup/backup_manifest", "backup/global/pg_control", "backup/PG_VERSION",
        "backup/tablespace_map", "backup/postgresql.conf", "backup/postgresql.auto.conf",
        "archive/{segment}", "archive/{segment}.gz",
    ],
)  # fmt: skip
def test_no_message_quotes_what_a_file_holds(archived: Archived, tmp_path: Path, name: str) -> None:
    """The same bytes as a file of its own, that nothing keeps from being read."""
    path = archived.archive.parent / name.format(segment=archived.segments[-2].name)
    if path.parent.name == "archive" and not path.parent.is_dir():
        path = archived.archive / path.name
    elif name.startswith("backup/"):
        path = archived.backup / name.removeprefix("backup/")
    path.write_text(f"{_SECRET}\npassword = '{_SECRET}\n")
    archived.age(path)
    for options in (("--format", "html"), ("--try-restore-command",)):
        checked = at_once("--archive", archived.archive, "--backup", archived.backup, *options)
        assert "hunter2" not in checked.out + checked.err, options
    checked = at_once("find", "--archive", archived.archive, "--backup", archived.backup)
    assert "hunter2" not in checked.out + checked.err
    fetched = fetch(archived.archive, path.name, tmp_path / "fetched")
    assert "hunter2" not in fetched.stderr


def test_a_restored_directory_s_configuration_is_not_quoted(
    archived: Archived, tmp_path: Path
) -> None:
    pgdata = tmp_path / "pgdata"
    shutil.copytree(archived.backup, pgdata)
    (pgdata / "postgresql.conf").write_text(f"primary_conninfo = 'password={_SECRET}' and more\n")
    log = Path(__file__).parents[1] / "parsers" / "logs" / "no_target.log"
    program = Path(sys.executable).parent / "pitr-watch"
    result = subprocess.run(
        [program, "--pgdata", pgdata, "--log", log, "--once"],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert "hunter2" not in result.stdout + result.stderr
