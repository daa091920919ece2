"""`pitr-check` on archives that a real server made: healthy, and broken in one place each."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from datetime import datetime
from pathlib import Path

import google_crc32c
import pytest

from agent.lab.metrics_page import parse_metrics_page
from agent.postgres.installation import Installation
from parsers.segment import segment_name
from tests.fix_check import (
    MIB,
    RESTORE_POINT,
    WITHOUT_ROOTS_EYES,
    Archived,
    Checked,
    open_to_the_server,
    pitr_check,
)
from tests.fix_postgres import NewCluster
from tests.fix_tools import debian_15, need
from tests.waiting import wait_until

DEPTHS = ("names", "headers", "records")


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_healthy_archive_is_ok_at_every_depth_and_says_which(
    archived: Archived, depth: str
) -> None:
    checked = archived.check("--depth", depth)
    verdict = checked.json
    assert (checked.status, verdict["verdict"], verdict["restorable"]) == (0, "ok", True)
    assert verdict["depth"] == depth
    (archive,) = verdict["archives"]
    assert (archive["segments"], archive["gaps"], archive["damaged"]) == (
        len(archived.segments), [], [],
    )  # fmt: skip
    (backup,) = verdict["backups"]
    (window,) = backup["windows"]
    assert window["from"]["lsn"] == backup["stop_lsn"]
    assert (backup["depth"], window["depth"]) == ("files", depth)
    assert not verdict["findings"]


def test_a_file_url_is_a_path(archived: Archived) -> None:
    checked = pitr_check(
        "--archive", f"file://{archived.archive}", "--backup", f"file://{archived.backup}"
    )
    assert checked.status == 0


def test_identity_and_size_are_what_pg_controldata_says(
    archived: Archived, installations: dict[int, Installation]
) -> None:
    verdict = archived.check().json
    said = subprocess.run(
        [installations[16].program("pg_controldata"), archived.backup],
        capture_output=True,
        text=True,
        env={"LC_ALL": "C"},
    ).stdout
    assert verdict["server_major"] == 16
    assert f"Database system identifier:           {verdict['system_identifier']}\n" in said
    assert verdict["wal_segment_size"] == MIB


def test_a_gap_after_the_backup_is_named_and_shortens_the_window(archived: Archived) -> None:
    lost = archived.segments[-2]
    lost.unlink()
    for depth in DEPTHS:
        checked = archived.check("--depth", depth)
        verdict = checked.json
        assert (checked.status, verdict["verdict"]) == (2, "critical")
        assert verdict["restorable"] is True, "the backup itself still is"
        (gap,) = verdict["archives"][0]["gaps"]
        assert (gap["first"], gap["last"], gap["segments"]) == (lost.name, lost.name, 1)
        assert (gap["class"], gap["harmless"]) == ("lost", False)
        assert verdict["target"]["outcome"] == "opens", "PostgreSQL promotes at a gap"
        assert verdict["target"]["reachable"] is False
        number = int(lost.name[16:], 16)
        assert verdict["backups"][0]["windows"][0]["to"]["lsn"] == f"0/{number * MIB:X}"
        assert checked.findings == {"wal_gap", "recovery_ends_short"}


def test_wal_that_the_backup_carries_itself_is_not_missed(archived: Archived) -> None:
    start = archived.check().json["backups"][0]["start_segment"]
    (archived.archive / start).unlink()
    checked = archived.check()
    assert (checked.status, checked.findings) == (0, {"wal_gap_harmless"})
    shutil.rmtree(archived.backup / "pg_wal")
    checked = archived.check()
    assert checked.status == 2
    assert checked.json["restorable"] is False
    assert "backup_wal_missing" in checked.findings


def test_damage_in_the_wal_that_the_backup_carries(archived: Archived) -> None:
    """Nobody reads it while the archive has the segment; then it is all there is."""
    start = archived.check().json["backups"][0]["start_segment"]
    _flip(archived.backup / "pg_wal" / start, 100)
    checked = archived.check()
    assert (checked.status, checked.findings) == (1, {"backup_wal_damaged"})
    assert checked.json["target"]["reachable"] is True
    (archived.archive / start).unlink()
    checked = archived.check()
    assert (checked.status, checked.json["restorable"]) == (2, False)
    assert {"backup_wal_damaged", "backup_wal_unusable"} <= checked.findings


def test_a_gap_before_every_backup_is_harmless(archived: Archived) -> None:
    first = archived.segments[0]
    start = archived.check().json["backups"][0]["start_segment"]
    middle = segment_name(1, int(first.name[16:], 16) + 1, MIB)
    assert middle < start
    (archived.archive / middle).unlink()
    checked = archived.check()
    assert (checked.status, checked.findings) == (0, {"wal_gap_harmless"})


def _truncate(path: Path) -> None:
    os.truncate(path, 300_000)


def _lengthen(path: Path) -> None:
    os.truncate(path, 2 * MIB)


def _other_system(path: Path) -> None:
    _flip(path, 24)


def _wrong_address(path: Path) -> None:
    shutil.copyfile(path.with_name(segment_name(1, int(path.name[16:], 16) - 1, MIB)), path)


def _bad_header(path: Path) -> None:
    _flip(path, 3 * 8192)


def _bad_record(path: Path) -> None:
    _flip(path, 100_000)


def _flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)


def _zeroed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[400_000:] = bytes(len(data) - 400_000)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("breaking", "kind", "shallowest"),
    [
        (_truncate, "truncated", "headers"),
        (_lengthen, "oversized", "headers"),
        (_other_system, "foreign_system", "headers"),
        (_wrong_address, "wrong_address", "headers"),
        (_bad_header, "bad_header", "headers"),
        (_bad_record, "bad_crc", "records"),
        (_zeroed, "zeroed", "records"),
    ],
)
def test_each_damage_is_found_placed_and_named(
    archived: Archived, breaking, kind: str, shallowest: str
) -> None:  # type: ignore[no-untyped-def]
    victim = archived.segments[-2]
    breaking(victim)
    archived.age(victim)
    for depth in DEPTHS[DEPTHS.index(shallowest) :]:
        checked = archived.check("--depth", depth)
        (damage,) = checked.json["archives"][0]["damaged"]
        assert (damage["segment"], damage["kind"]) == (victim.name, kind)
        assert checked.status == 2
        finding = "foreign_system" if kind == "foreign_system" else "wal_damaged"
        assert finding in checked.findings
        windows = checked.json["backups"][0]["windows"]
        number = int(victim.name[16:], 16)
        assert all(_position(window["to"]["lsn"]) <= (number + 1) * MIB for window in windows)


def _position(lsn: str) -> int:
    return int(lsn.split("/")[1], 16)


def test_a_short_file_that_changed_just_now_is_not_judged_yet(archived: Archived) -> None:
    _truncate(archived.segments[-1])
    soon = time.time() + 60  # however long the command takes to start
    os.utime(archived.segments[-1], (soon, soon))
    checked = archived.check()
    assert (checked.status, checked.json["verdict"]) == (3, "unknown")
    assert checked.findings == {"wal_unread"}


def test_files_of_the_backup_are_held_to_its_manifest(archived: Archived) -> None:
    victim = archived.backup / "base" / "1" / "1259"
    data = victim.read_bytes()
    victim.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert archived.check().status == 0, "the size is right"
    checked = archived.check("--backup-depth", "checksums")
    assert checked.findings == {"backup_files_bad", "no_restorable_backup"}
    assert checked.json["restorable"] is False
    victim.unlink()
    checked = archived.check()
    assert (checked.status, checked.json["restorable"]) == (2, False)
    assert checked.json["target"]["reason"] == ("the backup is not whole: base/1/1259 (absent)")
    assert archived.check("--backup-depth", "label").status == 0


def test_pg_verifybackup_agrees_about_checksums(archived: Archived) -> None:
    need("Debian's PostgreSQL 15")
    program = debian_15("pg_verifybackup")
    for path in (None, archived.backup / "base" / "1" / "1249", archived.backup / "PG_VERSION"):
        if path is not None:
            _flip(path, 0)
        theirs = subprocess.run(
            [program, "--no-parse-wal", archived.backup], capture_output=True
        ).returncode
        ours = archived.check("--backup-depth", "checksums").status
        assert (theirs == 0) == (ours == 0)


@pytest.mark.parametrize(
    ("target", "status", "outcome"),
    [
        (("--target-lsn", "FF/0"), 2, "fails"),
        (("--target-lsn", "0/1000028"), 2, "fails"),
        (("--target-name", "anything"), 3, "unknown"),
        (("--target-xid", "800"), 3, "unknown"),
        (("--target-time", "2025-07-10 12:36:52-07"), 3, "unknown"),
    ],
)
def test_listing_proves_only_that_a_target_is_out_of_reach(
    archived: Archived, target: tuple[str, str], status: int, outcome: str
) -> None:
    checked = archived.check("--depth", "headers", *target)
    assert (checked.status, checked.json["target"]["outcome"]) == (status, outcome)


def test_without_a_backup_nothing_is_called_restorable(archived: Archived) -> None:
    checked = pitr_check("--archive", archived.archive, "--format", "json")
    assert (checked.status, checked.findings) == (3, {"backup_not_given"})
    assert checked.json["restorable"] is None


def test_nagios_gets_one_line_with_performance_data(archived: Archived) -> None:
    checked = pitr_check(
        "--archive", archived.archive, "--backup", archived.backup, "--format", "nagios"
    )
    count = len(archived.segments)
    assert (checked.status, checked.out) == (
        0,
        "PITR OK - 1 backup restorable, checked to depth records | "
        f"segments={count};;;0 missing_segments=0;;0;0 damaged_segments=0;;0;0 "
        "restorable_backups=1;;1:;0\n",
    )


def test_text_begins_with_the_verdict_and_names_what_is_missing(archived: Archived) -> None:
    lost = archived.segments[-2]
    lost.unlink()
    checked = pitr_check("--archive", archived.archive, "--backup", archived.backup)
    first, second, *rest = checked.out.splitlines()
    assert first.startswith(
        f"CRITICAL: 1 segment missing on timeline 1: {lost.name}; 1 backup is restorable, up to 0/"
    )
    assert second == "checked: every record, its checksum and its link to the one before"
    assert f"CRITICAL wal_gap: 1 segment missing on timeline 1: {lost.name}" in rest
    assert any(line.startswith("  what to do: Look for the segments in pg_wal") for line in rest)


def test_the_configuration_names_archive_and_backups(archived: Archived, tmp_path: Path) -> None:
    config = tmp_path / "pitr.yaml"
    config.write_text(
        f"clusters:\n  - name: a\n    archives: [{{url: {archived.archive}}}]\n"
        f"    backups: {{url: {tmp_path}}}\n  - {{name: b, dsn: host=x}}\n"
    )
    assert pitr_check("--config", config, "--cluster", "a").status == 0
    assert pitr_check("--config", config).status == 64
    assert "no cluster 'c'" in pitr_check("--config", config, "--cluster", "c").err


# -- bad input -----------------------------------------------------------------------------------


def said(checked: Checked) -> str:
    (line,) = checked.err.splitlines()
    return line.removeprefix("pitr-check: ")


def test_directories_that_are_no_archive(tmp_path: Path, archived: Archived) -> None:
    def check(path: Path) -> Checked:
        return pitr_check("--archive", path, "--backup", archived.backup)

    empty = tmp_path / "empty"
    empty.mkdir()
    assert check(empty).status == 3
    assert said(check(empty)).startswith(f"{empty} is empty: is this the directory")
    (empty / "notes.txt").touch()
    assert "holds 1 file and no WAL file" in said(check(empty))
    assert said(check(tmp_path / "nowhere")) == f"{tmp_path}/nowhere: there is no such directory"


@pytest.mark.parametrize("lacks", ["", "global/pg_control"])
def test_an_empty_archive_and_a_backup_with_its_own_wal(
    tmp_path: Path, archived: Archived, lacks: str
) -> None:
    """Whose it is, and what the archive lacks, the backup tells; nothing bad is proven by it."""
    whole = archived.check().json
    backup, empty = tmp_path / "other", tmp_path / "empty"
    shutil.copytree(archived.backup, backup)
    empty.mkdir()
    if lacks:
        (backup / lacks).unlink()
    arguments = ("--archive", empty, "--backup", backup, "--format", "json")
    checked = pitr_check(*arguments)
    document = checked.json
    for key in ("system_identifier", "wal_segment_size", "server_major"):
        assert document[key] == whole[key] is not None
    assert (checked.status, document["verdict"], checked.findings) == (
        3, "unknown", {"cannot_check"},
    )  # fmt: skip
    (found,), (theirs,) = document["backups"], whole["backups"]
    ((gap,),) = (archive["gaps"] for archive in document["archives"])
    assert (gap["first"], gap["last"]) == (theirs["start_segment"], theirs["stop_segment"])
    assert gap["harmless"] is True
    assert document["restorable"] is found["restorable"] is (None if lacks else True)
    if not lacks:
        assert document["target"]["stop"]["segment"] == theirs["stop_segment"]
        assert found["windows"][0]["from"]["lsn"] == theirs["windows"][0]["from"]["lsn"]
    shutil.rmtree(backup / "pg_wal")
    without = pitr_check(*arguments).json
    assert (without["restorable"], without["target"]["reachable"]) == (None, None)


def test_backups_that_cannot_be_read(archived: Archived) -> None:
    label = archived.backup / "backup_label"
    good = label.read_bytes()
    label.write_bytes(good.replace(b"\n", b"\r\n"))
    checked = archived.check()
    assert checked.status == 3
    assert "backup_label: line 1: carriage return" in said(checked)
    label.write_bytes(b"START WAL LOCATION: nonsense\n")
    assert "expected 'START WAL LOCATION: LSN (file SEGMENT)'" in said(archived.check())
    label.rename(label.with_suffix(".old"))
    checked = archived.check()
    assert (checked.status, checked.json["restorable"]) == (2, None)
    assert "a server was started from this copy" in checked.out
    (archived.backup / "global" / "pg_control").unlink()
    assert "no backup_label, and global/pg_control is absent" in said(archived.check())


def test_an_unreadable_segment_is_unknown_not_damaged(archived: Archived) -> None:
    archived.segments[-1].chmod(0)
    checked = archived.check(prefix=WITHOUT_ROOTS_EYES)
    assert (checked.status, checked.findings) == (3, {"wal_unread"})
    (damage,) = checked.json["archives"][0]["damaged"]
    assert (damage["kind"], damage["lsn"]) == ("unreadable", None)


def test_a_directory_that_may_not_be_listed(archived: Archived) -> None:
    archived.archive.chmod(0)
    checked = archived.check(prefix=WITHOUT_ROOTS_EYES)
    archived.archive.chmod(0o755)
    assert checked.status == 3
    why = "Permission denied: its own mode 0000 forbids it (chmod u+rX)"
    assert said(checked) == f"{archived.archive}: cannot be listed: {why}"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "nothing to check"),
        (["--archive"], "expected one argument"),
        (["--archive", "/x", "--depth", "deep"], "invalid choice"),
        (["--archive", "/x", "--target-lsn", "zz"], "not an LSN: 'zz'"),
        (["--archive", "/x", "--target-xid", "-1"], "not a transaction id"),
        (["--archive", "/x", "--target-xid", "abc"], "not a transaction id"),
        (["--archive", "/x", "--target-name", "x" * 64], "1 to 63 bytes"),
        (["--archive", "/x", "--timeline", "newest"], "write latest, current or a number"),
        (["--archive", "/x", "--target-xid", "5", "--target-name", "x"], "not allowed with"),
        (["--archive", "/x", "--layout", "stacked"], "invalid choice"),
        (["--archive", "ftp://u:pass@host/wal"], "ftp:// is not read: name a path"),
        (["--archive", "s3://u:pass@bucket/wal"], "an address holds no account"),
        (["--archive", "s3://"], "names no bucket"),
        (["--archive", "s3://bucket/wal?key=pass"], "only endpoint=URL, region=NAME, profile=NAME"),
        (["--archive", "s3://bucket/wal?endpoint=minio:9000"], "write it as https://host"),
        (
            ["--archive", "s3://bucket/wal?endpoint=https://u:pass@h"],
            "an endpoint holds no account",
        ),
        (["--archive", "gs://bucket/wal?endpoint=https://h"], "endpoint is for s3:// and az://"),
        (["--archive", "/x", "--now", "yesterday"], "write ISO 8601"),
        (["--archive", "/x", "--workers", "0"], "at least 1"),
        (["--cluster", "x"], "--cluster needs --config"),
        (["--nope"], "unrecognized arguments"),
    ],
)
def test_what_is_typed_wrong_ends_in_usage_with_one_line(
    arguments: list[str], expected: str
) -> None:
    checked = pitr_check(*arguments)
    assert (checked.status, checked.out) == (64, "")
    assert expected in said(checked)
    assert "pass" not in checked.err.replace("passed", "")


# -- the prediction, and what really happens -----------------------------------------------------


def test_the_pasted_settings_stop_where_it_was_predicted(
    archived: Archived, new_cluster: NewCluster
) -> None:
    verdict = archived.check("--target-name", RESTORE_POINT).json
    target = verdict["target"]
    assert (target["outcome"], target["reachable"]) == ("opens", True)
    names = [point["name"] for point in verdict["restore_points"]]
    assert names.count(RESTORE_POINT) == 1

    open_to_the_server(archived)
    restored = new_cluster(16, initdb=False)
    restored.restore_from(archived.backup)
    with (restored.data / "postgresql.auto.conf").open("a") as file:
        file.write(target["settings"])
    with restored.running():
        wait_until(lambda: restored.sql("SELECT pg_is_in_recovery()") == [(False,)])
        log = restored.log.read_text()
        assert restored.sql("SHOW archive_mode") == [("off",)]
    at = datetime.fromisoformat(target["stop"]["time"])
    assert (
        f'recovery stopping at restore point "{RESTORE_POINT}", time {at:%Y-%m-%d %H:%M:%S}' in log
    )
    assert f"selected new timeline ID: {target['new_timeline']}" in log
    assert f"redo done at {target['stop']['lsn']} " in log


def test_a_time_without_a_zone_is_the_servers_and_that_is_said(archived: Archived) -> None:
    with (archived.backup / "postgresql.auto.conf").open("a") as file:
        file.write("timezone = 'America/Mazatlan'\n")
    checked = archived.check("--target-time", "2001-01-01 00:00:00", "--backup-depth", "label")
    assert checked.status == 2
    reason = checked.json["target"]["reason"]
    assert "read as America/Mazatlan (TimeZone of " in reason
    assert "the backup is newer than the time asked for" in reason


def test_options_that_would_be_without_effect_are_refused(archived: Archived) -> None:
    """As where a variable of a script is not set. Nothing is printed for a program then."""
    named = ("--archive", archived.archive, "--backup", archived.backup)
    for command, line in (
        ((*named, "--try-timeout", "1s"), "--try-timeout is for --try-restore-command: add it"),
        ((*named, "--ledger", ""), "--ledger is empty: name its file"),
        (("find", *named, "--dropped", ""), "--dropped is empty: name a table"),
        ((*named, "--drill-timeout", "1s"), "--drill-timeout is for a drill: add --drill"),
        ((*named, "--drill", "--depth", "headers"), "--drill needs --depth records"),
    ):
        checked = pitr_check(*command, "--format", "json")
        assert (checked.status, checked.out) == (64, ""), command
        assert line in checked.err


# -- for programs --------------------------------------------------------------------------------


def test_programs_get_their_document_even_when_nothing_can_be_read(archived: Archived) -> None:
    checked = pitr_check("--archive", "/nowhere", "--backup", archived.backup, "--format", "json")
    assert (checked.status, checked.json["verdict"]) == (3, "unknown")
    assert checked.json["restorable"] is None
    (finding,) = checked.json["findings"]
    assert (finding["id"], finding["severity"]) == ("cannot_check", "unknown")
    assert finding["summary"] == said(checked) == "/nowhere: there is no such directory"


def test_the_textfile_has_the_agents_metric_names(archived: Archived) -> None:
    archived.segments[-2].unlink()
    named = ("--archive", archived.archive, "--backup", archived.backup)
    checked = pitr_check(*named, "--format", "prometheus")
    assert checked.status == 2
    page = parse_metrics_page(checked.out)
    assert page.total("pitr_archive_missing_segments", timeline="1", **{"class": "lost"}) == 1
    assert page.total("pitr_backups", state="restorable") == 1
    assert page.findings("critical") == {"wal_gap", "recovery_ends_short"}
    assert page.total("pitr_latest_restorable_timestamp_seconds") is not None
    promtool = shutil.which("promtool")
    if promtool is not None:
        lint = subprocess.run([promtool, "check", "metrics"], input=checked.out, text=True)
        assert lint.returncode == 0


def test_what_could_not_be_looked_at_is_no_zero(archived: Archived) -> None:
    """Not in a metric, and not in Nagios' performance data: there it is U."""
    named = ("--archive", "/nowhere", "--backup", archived.backup)
    page = pitr_check(*named, "--format", "prometheus")
    assert (page.status, page.err) == (3, "pitr-check: /nowhere: there is no such directory\n")
    (line,) = [line for line in page.out.splitlines() if not line.startswith("#")]
    assert line == 'pitr_finding{cluster="",id="cannot_check",severity="unknown"} 1.0'
    assert performance(*named) == {
        "segments": "U", "missing_segments": "U", "damaged_segments": "U",
        "restorable_backups": "U",
    }  # fmt: skip
    alone = ("--archive", archived.archive, "--depth", "names")
    said = pitr_check(*alone, "--format", "prometheus").out
    assert "pitr_verdict_timestamp_seconds{" in said and "pitr_backups{" not in said
    told = performance(*alone)
    assert told["segments"] == str(len(archived.segments))
    assert (told["damaged_segments"], told["restorable_backups"]) == ("U", "U")


def performance(*arguments: object) -> dict[str, str]:
    """Label -> value, of the plugin's first line."""
    first = pitr_check(*arguments, "--format", "nagios").out.splitlines()[0]
    words = (word.partition("=") for word in first.partition(" | ")[2].split())
    return {label: value.partition(";")[0] for label, _, value in words}


def test_waiting_for_the_backups_last_segment(archived: Archived) -> None:
    shutil.rmtree(archived.backup / "pg_wal")
    start = archived.check("--depth", "names").json["backups"][0]["start_segment"]
    late = archived.archive / start
    data = late.read_bytes()
    late.unlink()
    began = time.monotonic()
    assert "backup_wal_missing" in archived.check("--wait", "1s").findings
    assert time.monotonic() - began >= 1
    arriving = late.with_suffix(".arriving")
    arriving.write_bytes(data)
    threading.Timer(2, lambda: arriving.rename(late)).start()
    checked = archived.check("--wait", "10m")
    assert (checked.status, checked.json["verdict"]) == (0, "ok")


# -- damage that takes more than one byte --------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "head"),
    [("", b"Salted__12345678"), (".age", b"age-encryption.org/v1\n"), (".gpg", b"\x85\x01\x0c")],
)
def test_an_encrypted_segment_is_unknown_not_damaged(
    archived: Archived, suffix: str, head: bytes
) -> None:
    victim = archived.segments[-2]
    content = head + os.urandom(MIB)
    victim.unlink()
    victim.with_name(victim.name + suffix).write_bytes(content)
    archived.age(victim.with_name(victim.name + suffix))
    for depth in ("headers", "records"):
        checked = archived.check("--depth", depth)
        assert checked.status == 3
        (damage,) = checked.json["archives"][0]["damaged"]
        assert (damage["segment"], damage["kind"]) == (victim.name, "encrypted")
        assert "wal_unread" in checked.findings
        assert "wal_damaged" not in checked.findings
    assert archived.check("--depth", "names").status == 0


def test_a_record_that_follows_another_than_the_one_before(archived: Archived) -> None:
    victim = archived.segments[-2]
    data = bytearray(victim.read_bytes())
    first = 40 + (int.from_bytes(data[16:20], "little") + 7 & ~7 if data[2] & 1 else 0)
    length = int.from_bytes(data[first : first + 4], "little")
    second = first + (length + 7 & ~7)
    assert second < 8192, "the two records must lie on the first page"
    total = int.from_bytes(data[second : second + 4], "little")
    data[second + 8 : second + 16] = (8).to_bytes(8, "little")  # xl_prev
    checksum = google_crc32c.value(bytes(data[second + 24 : second + total]))
    checksum = google_crc32c.extend(checksum, bytes(data[second : second + 20]))
    data[second + 20 : second + 24] = checksum.to_bytes(4, "little")  # a sound record, elsewhere
    victim.write_bytes(data)
    archived.age(victim)
    checked = archived.check()
    (damage,) = checked.json["archives"][0]["damaged"]
    assert (damage["segment"], damage["kind"]) == (victim.name, "bad_prev_link")
    assert _position(damage["lsn"]) % MIB == second


def test_a_page_of_a_later_timeline_than_the_name(archived: Archived) -> None:
    victim = archived.segments[-2]
    data = bytearray(victim.read_bytes())
    for page in range(0, MIB, 8192):
        data[page + 4] = 7  # xlp_tli
    victim.write_bytes(data)
    archived.age(victim)
    for depth in ("headers", "records"):
        checked = archived.check("--depth", depth)
        (damage,) = checked.json["archives"][0]["damaged"]
        assert (damage["segment"], damage["kind"]) == (victim.name, "wrong_timeline")
        assert checked.status == 2


def test_a_backup_that_is_still_running_is_not_called_restorable(archived: Archived) -> None:
    (archived.backup / "backup_manifest").rename(archived.backup / "backup_manifest.tmp")
    for path in archived.archive.glob("*.backup"):
        path.unlink()  # written when the backup ends
    (archived.backup / "global" / "pg_control").unlink()  # sent last
    shutil.rmtree(archived.backup / "pg_wal")
    checked = archived.check()
    assert checked.status in (2, 3)
    assert checked.json["restorable"] is not True
