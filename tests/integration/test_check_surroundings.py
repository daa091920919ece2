"""`pitr-check` where a person's surroundings are odd: names, permissions, outputs, empty words."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from parsers.files.server_conf import FileSetting, parse_server_conf
from tests.fix_check import SCHEMA, WITHOUT_ROOTS_EYES, Archived, pitr_check
from tests.fix_tools import PATIENCE_SECONDS
from tests.integration.test_drill_hangs import hanging
from tests.waiting import wait_until

_STRICT = ("env", "LC_ALL=C.UTF-8", "PYTHONIOENCODING=utf-8:strict")


@pytest.mark.parametrize("kept_as", ["plain", "tar"])
def test_a_time_is_read_in_the_zone_of_the_backups_that_are_found(
    archived: Archived, kept_as: str
) -> None:
    with (archived.backup / "postgresql.auto.conf").open("a") as file:
        file.write("timezone = 'America/Mazatlan'\n")
    below = archived.backup.parent / "backups"
    below.mkdir()
    if kept_as == "plain":
        archived.backup.rename(below / "one")
    else:
        tar = ["tar", "-C", archived.backup, "-cf", below / "base.tar", "."]
        subprocess.run(tar, check=True)
    named = ("--archive", archived.archive, "--backups", below, "--format", "json")
    at = "2001-01-01 00:00:00"
    checked = pitr_check(*named, "--backup-depth", "label", "--target-time", at)
    assert "read as America/Mazatlan (TimeZone of " in checked.json["target"]["reason"]
    found = pitr_check("find", *named, "--from", at)
    assert "times without a zone were read as America/Mazatlan (TimeZone of " in found.out


@pytest.mark.parametrize("option", ["--archive", "--wal", "--backup", "--backups"])
def test_an_empty_path_is_not_the_working_directory(archived: Archived, option: str) -> None:
    checked = pitr_check("--archive", archived.archive, option, "", "--format", "json")
    assert (checked.status, checked.out) == (64, "")
    assert "is empty: name it" in checked.err


def test_what_is_named_twice_counts_once(archived: Archived) -> None:
    checked = archived.check("--archive", f"{archived.archive}/.", "--backup", archived.backup)
    assert (checked.status, len(checked.json["backups"])) == (0, 1)
    assert len(checked.json["archives"]) == 1
    assert f"'cp {archived.archive}/%f %p'" in checked.json["target"]["settings"]


def test_a_backup_that_may_not_be_read_is_said_to_be_that(archived: Archived) -> None:
    locked = archived.backup.parent / "backups" / "locked"
    shutil.copytree(archived.backup, locked)
    locked.chmod(0)
    try:
        checked = pitr_check(
            "--archive", archived.archive, "--backup", locked, "--format", "json",
            prefix=WITHOUT_ROOTS_EYES,
        )  # fmt: skip
    finally:
        locked.chmod(0o755)
    assert (checked.status, checked.json["verdict"]) == (3, "unknown")
    assert f"{locked}/backup_label: cannot be read: Permission denied" in checked.err
    assert "bug" not in checked.err


def test_one_unreadable_label_does_not_hide_the_other_backups(archived: Archived) -> None:
    home = archived.backup.parent / "backups"
    for name in ("good", "locked"):
        shutil.copytree(archived.backup, home / name)
    (home / "locked" / "backup_label").chmod(0)
    checked = pitr_check(
        "--archive", archived.archive, "--backups", home, "--format", "json",
        prefix=WITHOUT_ROOTS_EYES,
    )  # fmt: skip
    assert [backup["restorable"] for backup in checked.json["backups"]] == [True]
    assert checked.status != 0
    assert any("locked" in finding["summary"] for finding in checked.json["findings"])


def test_a_name_that_is_no_text_still_gives_the_document(archived: Archived) -> None:
    odd = Path(os.fsdecode(os.fsencode(archived.archive.parent) + b"/bad\xff \xc3\xb1"))
    archived.archive.rename(odd)
    named = ("--archive", odd, "--backup", archived.backup)
    checked = pitr_check(*named, "--format", "json", prefix=_STRICT)
    assert checked.status == 0
    (archive,) = checked.json["archives"]
    assert archive["url"] == str(odd)
    text = pitr_check(*named, prefix=_STRICT)
    assert text.status == 0
    assert "/bad\\udcff ñ" in text.out


def test_a_line_ending_in_a_path_does_not_end_the_setting(archived: Archived) -> None:
    """A real server reads such a file back: `postgres -C restore_command`."""
    odd = archived.archive.with_name("two\nlines")
    archived.archive.rename(odd)
    checked = pitr_check("--archive", odd, "--backup", archived.backup, "--format", "json")
    block = checked.json["target"]["settings"]
    (command, *_) = (
        each for each in parse_server_conf(block, "x") if isinstance(each, FileSetting)
    )
    assert (command.name, command.value) == ("restore_command", f"cp '{odd}'/%f %p")


def test_a_look_that_was_cut_short_is_not_called_one_at_every_record(archived: Archived) -> None:
    named = ("--archive", archived.archive, "--backup", archived.backup, "--workers", "1")
    cut = pitr_check(*named, "--budget", "1ms")
    (looked,) = (line for line in cut.out.splitlines() if line.startswith("checked: "))
    assert cut.status == 3
    assert re.search(r"in \d+ of the \d+ segments: \d+ could not be read, or not yet$", looked)


@pytest.mark.parametrize("form", ["text", "json", "nagios"])
def test_a_full_disk_under_the_output_is_no_bug_of_ours(archived: Archived, form: str) -> None:
    program = Path(sys.executable).parent / "pitr-check"
    command = [program, "--archive", archived.archive, "--format", form]
    surroundings = {**os.environ, "PYTHONUNBUFFERED": ""}  # written when the program ends
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            command,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_SECONDS,
            env=surroundings,
        )
    assert ended.returncode == 3
    assert ended.stderr == "pitr-check: cannot write to stdout: No space left on device\n"


def test_an_interrupted_wait_still_gives_the_document(archived: Archived) -> None:
    for segment in (*archived.segments[1:], *(archived.backup / "pg_wal").glob("0*")):
        segment.unlink()  # also the backup's own: there is something to wait for
    program = Path(sys.executable).parent / "pitr-check"
    command = [program, "--archive", archived.archive, "--backup", archived.backup]
    with hanging(archived.backup / "backup_label") as is_asked:
        waiting = subprocess.Popen(
            [*command, "--wait", "10m", "--format", "json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        wait_until(is_asked, "it looks whether it must wait")
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1)
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=PATIENCE_SECONDS)
    finally:
        waiting.kill()
    assert (waiting.returncode, err) == (3, "pitr-check: interrupted\n")
    document = json.loads(out)
    jsonschema.validate(document, SCHEMA)
    assert (document["verdict"], document["target"]["reason"]) == ("unknown", "interrupted")


def test_a_backup_without_any_wal_is_not_said_to_be_after_a_fork(archived: Archived) -> None:
    for segment in (*archived.segments[1:], *(archived.backup / "pg_wal").glob("0*")):
        segment.unlink()
    checked = archived.check()
    assert checked.status == 2
    assert "fork_before_backup" not in checked.findings
    assert "does not pass through" not in checked.json["target"]["reason"]


def test_find_says_what_a_budget_left_unread(archived: Archived) -> None:
    named = ("find", "--archive", archived.archive, "--backup", archived.backup, "--workers", "1")
    checked = pitr_check(*named, "--budget", "1ms", "--format", "json")
    document = json.loads(checked.out)
    read, unread = document["wal"]["segments"], document["wal"]["unread"]
    whole = json.loads(pitr_check(*named, "--format", "json").out)
    assert whole["verdict"] == "ok"
    assert unread
    assert read + len(unread) == whole["wal"]["segments"]
    assert (checked.status, document["verdict"]) == (3, "unknown")
    assert any("not read: not read yet" in note for note in document["notes"])
