"""Every check of the catalogue fires on what it is about, and is silent on what is healthy.

The WAL, the backups and the settings are real servers' own; each case changes one thing in a copy.
A check that needs a living server has its cases elsewhere: `ELSEWHERE` says where.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.cli import check as pitr_check
from agent.lab.faults import FAULTS
from rules.verdict import judgement
from rules.verdict.check import Judgement, judge, load_catalogue
from tests.fix_branches import Branches
from tests.fix_check import Archived
from tests.fix_odd_backups import OddBackups

Arguments = list[object]
Case = Callable[[Branches], Arguments]
Found = dict[str, dict[str, Any]]


def findings(arguments: Arguments) -> Found:
    """What pitr-check finds, by id."""
    words = [*map(str, arguments), "--format", "json", "--workers", "1"]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        pitr_check.main(words)
    return {finding["id"]: finding for finding in json.loads(out.getvalue())["findings"]}


def on(it: Branches, *options: object, backup: str = "first") -> Arguments:
    return ["--archive", it.archive, "--backup", it.backup(backup), *options]


# -- where recovery would go ----------------------------------------------------------------------


def _before_its_end(it: Branches) -> Arguments:
    return on(it, "--target-time", it.times["before first"], "--timeline", "1")


def _after_everything(it: Branches) -> Arguments:
    return on(it, "--target-time", "2100-01-01 00:00:00+00", "--timeline", "2")


def _behind_a_gap(it: Branches) -> Arguments:
    (it.archive / it.segments["further"]).unlink()
    return on(it, "--target-lsn", it.lsns["both"], "--timeline", "1")


def _short(it: Branches) -> Arguments:
    """The server would open at the end of timeline 2's first segment: the next is another's."""
    shutil.copy(it.archive / it.segments["clone"], it.archive / it.segments["clone again"])
    return on(it)


def _past_the_fork(it: Branches) -> Arguments:
    return on(it, "--target-time", it.times["behind fork"])


def _as_rfc_3339(it: Branches) -> Arguments:
    return on(it, "--target-time", "2026-07-08T11:00:00Z")


def _nowhere(it: Branches) -> Arguments:
    return on(it, "--target-name", "no such point")


def _younger(it: Branches) -> Arguments:
    return on(it, backup="second")


def _no_such_timeline(it: Branches) -> Arguments:
    return on(it, "--timeline", "7")


def _raised(it: Branches) -> Arguments:
    return on(it, "--timeline", "1", backup="second")


def _another_ones_label(it: Branches) -> Arguments:
    label = it.backup("first") / "backup_label"
    label.write_text(label.read_text().replace("FROM: primary", "FROM: standby"))
    return on(it)


def _names_alone(it: Branches) -> Arguments:
    return on(it, "--depth", "names", "--target-name", "fork")


# -- the archive ----------------------------------------------------------------------------------


def _as_it_is(it: Branches) -> Arguments:
    return on(it)


def _first_of_timeline_2(it: Branches) -> Arguments:
    (it.archive / it.segments["clone"]).unlink()
    return on(it)


def _overwritten_history(it: Branches) -> Arguments:
    shutil.copy(it.other / "00000002.history", it.archive)
    return on(it)


def _without_history(it: Branches) -> Arguments:
    (it.archive / "00000002.history").unlink()
    return on(it)


def _garbled_history(it: Branches) -> Arguments:
    (it.archive / "00000002.history").write_text("timeline two\n")
    return on(it)


def _empty_history(it: Branches) -> Arguments:
    (it.archive / "00000002.history").write_bytes(b"")
    return on(it)


def _of_another_size(it: Branches) -> Arguments:
    (it.archive / "0000000100000000FFFFFFFF").write_bytes(b"")
    return on(it)


def _a_pipe_far_away(it: Branches) -> Arguments:
    os.mkfifo(it.archive / "0000000100000000000000FF")
    return on(it)


def _gap(it: Branches) -> Arguments:
    (it.archive / it.segments["further"]).unlink()
    return on(it, "--timeline", "1")


def _gap_before(it: Branches) -> Arguments:
    (it.archive / it.segments["behind fork"]).unlink()
    return on(it, backup="second")


def _flipped(it: Branches) -> Arguments:
    _change(it.archive / it.segments["further"], 0x60)
    return on(it, "--timeline", "1")


def _foreign(it: Branches) -> Arguments:
    _change(it.archive / it.segments["further"], 24)
    return on(it, "--timeline", "1")


def _change(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)


def _encrypted(it: Branches) -> Arguments:
    segment = it.archive / it.segments["further"]
    segment.write_bytes(b"Salted__" + segment.read_bytes()[8:])
    return on(it, "--timeline", "1")


def _mirror(it: Branches) -> Arguments:
    mirror = it.home / "mirror"
    shutil.copytree(it.archive, mirror)
    _change(mirror / it.segments["further"], 0x60)
    return on(it, "--archive", mirror)


def _outside(it: Branches) -> Arguments:
    outside = it.home / "pg_wal"
    outside.mkdir()
    (it.archive / it.segments["clone again"]).rename(outside / it.segments["clone again"])
    return on(it, "--wal", outside)


# -- backups --------------------------------------------------------------------------------------


def _stop_not_there(it: Branches) -> Arguments:
    shutil.rmtree(it.backup("first") / "pg_wal")
    start = min(path.name for path in it.archive.glob("*.backup"))[8:24]
    for path in it.archive.iterdir():
        if len(path.name) == 24 and path.name[8:] >= start:
            path.unlink()
    return on(it)


def _start_not_there(it: Branches) -> Arguments:
    shutil.rmtree(it.backup("first") / "pg_wal")
    (it.archive / min(path.name for path in it.archive.glob("*.backup"))[:24]).unlink()
    return on(it)


def _start_unusable(it: Branches) -> Arguments:
    shutil.rmtree(it.backup("first") / "pg_wal")
    start = it.archive / min(path.name for path in it.archive.glob("*.backup"))[:24]
    _change(start, 60)
    return on(it)


def _lost_file(it: Branches) -> Arguments:
    (it.backup("first") / "base/1/1259").unlink()
    return on(it)


def _garbled_manifest(it: Branches) -> Arguments:
    _change(it.backup("first") / "backup_manifest", 100)
    return on(it)


def _without_manifest(it: Branches) -> Arguments:
    (it.backup("first") / "backup_manifest").unlink()
    return on(it)


def _without_its_end(it: Branches) -> Arguments:
    (it.backup("first") / "backup_manifest").unlink()
    for path in it.archive.glob("*.backup"):
        path.unlink()
    return on(it)


def _without_archive(it: Branches) -> Arguments:
    return ["--backup", it.backup("first")]


def _without_backup(it: Branches) -> Arguments:
    return ["--archive", it.archive]


def _garbled_label(it: Branches) -> Arguments:
    label = it.backup("first") / "backup_label"
    label.write_bytes(label.read_bytes().replace(b"\n", b"\r\n"))
    return ["--archive", it.archive, "--backups", it.home]


def _just_begun(it: Branches) -> Arguments:
    for name in ("backup_manifest", "global/pg_control"):
        (it.backup("first") / name).unlink()
    return ["--archive", it.archive, "--backups", it.home]


def _with_unlogged(it: Branches) -> Arguments:
    return on(it, "--timeline", "1", backup="second")


# -- settings, in the backup's postgresql.auto.conf -----------------------------------------------


def _configured(**settings: object) -> Case:
    def case(it: Branches) -> Arguments:
        _append(it, settings)
        return on(it)

    return case


def _signalled(it: Branches) -> Arguments:
    (it.backup("first") / "standby.signal").touch()
    return on(it)


def _includes_what_is_absent(it: Branches) -> Arguments:
    _append(it, {"include": "absent.conf"})
    return on(it)


def _append(it: Branches, settings: dict[str, object]) -> None:
    with (it.backup("first") / "postgresql.auto.conf").open("a") as file:
        for name, value in settings.items():
            file.write(f"{name} = '{str(value).replace('ARCHIVE', str(it.archive))}'\n")


def _tried(command: str, patience: str = "5m") -> Case:
    def case(it: Branches) -> Arguments:
        _append(it, {"restore_command": command})
        return on(it, "--try-restore-command", "--try-timeout", patience)

    return case


FIRING: dict[str, Case] = {
    "archive_cleanup_command_left": _configured(archive_cleanup_command="pg_archivecleanup /a %r"),
    "archive_command_aborts": _configured(archive_command="ssh other test ! -f %f < %p"),
    "archive_command_not_atomic": _configured(archive_command="cp -n %p /wal/%f"),
    "archive_command_overwrites": _configured(archive_command="cp %p /wal/%f"),
    "archive_command_swallows_errors": _configured(archive_command="cp %p /wal/%f || true"),
    "archive_shared_by_clone": _as_it_is,
    "archive_timeout_unset": _configured(archive_timeout="0min"),
    "archive_not_given": _without_archive,
    "archiving_off": _configured(archive_mode="off"),
    "backup_files_bad": _lost_file,
    "backup_manifest_broken": _garbled_manifest,
    "backup_not_given": _without_backup,
    "backup_settings_unread": _includes_what_is_absent,
    "backup_stop_not_archived": _stop_not_there,
    "backup_stop_unknown": _without_its_end,
    "backup_in_progress": _just_begun,
    "backup_unreadable": _garbled_label,
    "backup_wal_missing": _start_not_there,
    "backup_wal_unusable": _start_unusable,
    "backup_without_manifest": _without_manifest,
    "foreign_system": _foreign,
    "fork_before_backup": _younger,
    "fork_segment_missing": _first_of_timeline_2,
    "full_page_writes_off": _configured(full_page_writes="fal"),
    "hot_standby_off": _configured(hot_standby="f"),
    "history_broken": _garbled_history,
    "history_empty": _empty_history,
    "history_missing": _without_history,
    "primary_conninfo_left": _configured(primary_conninfo="host=primary"),
    "recovery_end_command_left": _configured(recovery_end_command="touch /tmp/ended"),
    "recovery_ends_short": _short,
    "recovery_min_apply_delay_left": _configured(recovery_min_apply_delay="1d"),
    "recovery_needs_settings": _raised,
    "recovery_target_left": _configured(recovery_target_name="yesterday"),
    "recovery_target_timeline_odd": _configured(recovery_target_timeline="0000001A"),
    "recovery_targets_contradict": _configured(recovery_target_xid=5, recovery_target_name="x"),
    "restore_archives_into_source": _configured(archive_command="cp %p ARCHIVE/%f"),
    "restore_command_aborts": _tried("cp ARCHIVE/%f %p || exit 200"),
    "restore_command_brings_nothing": _tried("test -f ARCHIVE/%f"),
    "restore_command_elsewhere": _configured(restore_command="cp /elsewhere/%f %p"),
    "restore_command_fails": _tried("cp ARCHIVE/nothing/%f %p"),
    "restore_command_hangs": _tried("sleep 600", "3s"),
    "restore_command_invents_files": _tried("cat ARCHIVE/%f | cat > %p"),
    "restore_command_swallows_errors": _tried("cp ARCHIVE/%f %p; exit 0"),
    "restore_command_tried": _tried("cp ARCHIVE/%f %p"),
    "restore_command_wrong_content": _configured(restore_command="cp /wal/%f.gz %p"),
    "restore_command_wrong_file": _tried("gzip -c ARCHIVE/%f > %p"),
    "segment_name_impossible": _of_another_size,
    "segment_not_a_file": _a_pipe_far_away,
    "standby_signal_left": _signalled,
    "slot_wal_unbounded": _configured(max_slot_wal_keep_size="-1"),
    "target_after_last_commit": _after_everything,
    "target_before_backup_end": _before_its_end,
    "target_behind_gap": _behind_a_gap,
    "target_not_a_setting": _as_rfc_3339,
    "target_not_in_wal": _nowhere,
    "target_on_other_timeline": _past_the_fork,
    "target_timeline_missing": _no_such_timeline,
    "target_unproven": _names_alone,
    "target_unreachable": _another_ones_label,
    "timeline_reused": _overwritten_history,
    "unlogged_tables_lost": _with_unlogged,
    "wal_copies_differ": _mirror,
    "wal_damaged": _flipped,
    "wal_elsewhere": _outside,
    "wal_gap": _gap,
    "wal_gap_harmless": _gap_before,
    "wal_level_minimal": _configured(wal_level="Minimal"),
    "wal_minimal_stretch": _as_it_is,
    "wal_unread": _encrypted,
}

# Backups that only other servers make: what of OddBackups is looked at.
ODD: dict[str, Callable[[OddBackups], Arguments]] = {
    "backup_from_standby": lambda it: ["--archive", it.archive, "--backup", it.home / "standby"],
    "backup_control_stale": lambda it: _with_early_control(it),
    "backup_full_pages_off": lambda it: ["--archive", it.archive, "--backup", it.home / "torn"],
    "backup_incremental": lambda it: [
        "--backup", it.home / "full", "--backup", it.home / "increment",
    ],
    "backup_chain_missing": lambda it: ["--backup", it.home / "increment"],
    "checksums_off": lambda it: ["--backup", it.home / "full"],
    "known_fault_incremental_backup": lambda it: _dated(it, "2026-11-11 23:59:59 UTC"),
}  # fmt: skip


def _with_early_control(it: OddBackups) -> Arguments:
    control = it.home / "standby/global/pg_control"
    control.unlink()
    shutil.copy(it.home / "early_control", control)
    return ["--archive", it.archive, "--backup", it.home / "standby"]


def _dated(it: OddBackups, began: str) -> Arguments:
    """The chain, begun at another time: a real server of that day is not to be had."""
    for name in ("full", "increment"):
        label = it.home / name / "backup_label"
        text = re.sub(r"(?m)^START TIME: .*", f"START TIME: {began}", label.read_text())
        label.unlink()  # a copy shares its content with the original
        label.write_text(text)
    return ["--backup", it.home / "full", "--backup", it.home / "increment"]


# Checks that need a living server, a restore or a story of their own: the file of their cases.
ELSEWHERE = {
    "archiver_falling_behind": "test_live_settings.py",
    "repository_backup_gone": "test_repository_findings.py",
    "repository_backup_unlisted": "test_repository_findings.py",
    "repository_copies_differ": "test_repository_findings.py",
    "repository_info_copy": "test_repository_findings.py",
    "repository_page_errors": "test_repository_findings.py",
    "repository_wal_dropped": "test_pgbackrest_spool.py",
    "repository_wal_gone": "test_repository_findings.py",
    "archiver_never_succeeded": "test_live_settings.py",
    "backup_pages_damaged": "test_backup_pages.py",
    "wal_in_cold_storage": "test_store_cold.py",
    "archive_copy_behind": "test_copies_alone.py",
    "copies_below_objective": "test_copies_alone.py",
    "archive_emptied": "test_emptied.py",
    "backup_pages_unproven": "test_backup_pages.py",
    "backup_stale": "test_live_settings.py",
    "backup_wal_damaged": "test_check.py",
    "backup_without_label": "test_recovery_unlabelled.py",
    "check_raised": "../rules/verdict/test_check.py",
    "cannot_check": "test_check.py",
    "clock_stepped_back": "test_recovery_stops.py",
    "collector_failing": "test_live_settings.py",
    "drill_damage": "test_drill_faults.py",
    "drill_disagreed": "test_drill.py",
    "drill_failed": "test_drill_faults.py",
    "drill_incomplete": "test_drill_hangs.py",
    "drill_left_out": "test_drill_safety.py",
    "drill_not_run": "test_drill_safety.py",
    "drill_overdue": "test_drill_schedule.py",
    "drill_probe_failed": "test_drill.py",
    "engine_crashed": "test_crash_marker.py",
    "evidence_not_written": "../agent/evidence/test_written.py",
    "exposure_over_objective": "test_live_settings.py",
    "history_unread": "test_backup_permissions.py",
    "known_fault_brin_bloom": "test_known_faults.py",
    "known_fault_brin_distances": "test_known_faults.py",
    "known_fault_brin_nulls": "test_known_faults.py",
    "known_fault_gin_split": "test_known_faults.py",
    "known_fault_gin_vacuum": "test_known_faults.py",
    "known_fault_gist_build": "test_known_faults.py",
    "known_fault_gist_float": "test_known_faults.py",
    "known_fault_gist_trigram": "test_known_faults.py",
    "known_fault_incremental_timeline": "test_known_faults.py",
    "known_fault_incremental_truncation": "test_known_faults.py",
    "known_fault_multixact_replay": "test_known_faults.py",
    "known_fault_torn_copies": "test_known_faults.py",
    "no_restorable_backup": "test_live_settings.py",
    "restore_ended_short": "test_agent_restore.py",
    "restore_failed": "test_agent_restore.py",
    "restore_foreseen": "test_watch_foresight.py",
    "restore_over_objective": "test_agent_restore.py",
    "restore_paused": "test_agent_restore.py",
    "restore_sources_disagree": "test_watch_sources.py",
    "restore_stalled": "test_agent_restore.py",
    "restore_unproven": "test_watch_sources.py",
    "restore_without_signal": "test_watch_endings.py",
    "tablespace_directory_in_use": "test_recovery_tablespaces.py",
    "tablespace_directory_needed": "test_recovery_tablespaces.py",
    "verdict_overdue": "test_net.py",
    "wal_arriving": "test_layouts.py",
    "wal_changed": "test_ledger.py",
    "base_backup_running": "test_base_backups.py",
    "slot_keeps_wal": "test_slots.py",
    "wal_directory_filling": "test_slots.py",
    "window_too_short": "test_live_settings.py",
}


def test_every_check_has_a_case_where_it_fires() -> None:
    by_fault = {finding for fault in FAULTS.values() for finding in fault.findings}
    assert {*FIRING, *ODD, *ELSEWHERE, *by_fault} == set(load_catalogue())
    for finding, file in ELSEWHERE.items():
        assert f'"{finding}"' in (Path(__file__).parent / file).read_text(), finding


@pytest.mark.parametrize("finding", FIRING)
def test_it_fires(finding: str, branches: Branches, tmp_path: Path) -> None:
    found = findings(FIRING[finding](branches.copy(tmp_path / "it")))
    assert finding in found, sorted(found)


@pytest.mark.parametrize("finding", ODD)
def test_it_fires_on_backups_of_another_kind(
    finding: str, odd_backups: OddBackups, tmp_path: Path
) -> None:
    found = findings(ODD[finding](odd_backups.copy(tmp_path / "it")))
    assert finding in found, sorted(found)


@pytest.mark.parametrize(
    ("began", "severity"),
    [("2026-11-11 23:59:59 UTC", "warning"), ("2026-11-12 00:00:00 UTC", "info")],
)
def test_an_increment_is_not_trusted_by_its_date(
    odd_backups: OddBackups, tmp_path: Path, began: str, severity: str
) -> None:
    """A later one may be good: it is said how to tell. The full backup is not spoken of."""
    it = odd_backups.copy(tmp_path / "it")
    found = findings(_dated(it, began))["known_fault_incremental_backup"]
    assert (found["severity"], found["evidence"]["backup"]) == (
        severity,
        str(it.home / "increment"),
    )
    assert "known_fault_incremental_backup" not in findings(["--backup", it.home / "full"])
    argument = ["--backup", it.home / "full", "--backup", it.home / "increment"]
    with contextlib.redirect_stdout(io.StringIO()) as page:
        pitr_check.main([*map(str, argument), "--format", "prometheus"])
    assert ("known_fault_incremental_backup" in page.getvalue()) is (severity == "warning")


# -- silence --------------------------------------------------------------------------------------


def test_a_healthy_backup_and_archive_make_every_check_silent(
    archived: Archived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but what needs a living server is asked, and nothing but the trial's success is said."""
    judgements: list[Judgement] = []

    def spy(*arguments: Any) -> Judgement:
        judgements.append(judge(*arguments))
        return judgements[-1]

    monkeypatch.setattr(judgement, "judge", spy)
    named = ["--archive", archived.archive, "--backup", archived.backup]
    more = ["--wal", archived.backup / "pg_wal", "--try-restore-command"]
    assert set(findings([*named, *more])) == {"restore_command_tried"}
    asked = {check for check, known in judgements[-1].known.items() if known}
    assert asked >= {*FIRING, *ODD}


# Healthy neighbours of a case that fires: what a check that looks too little would call bad.
NEAR: dict[str, tuple[str, Case]] = {
    "current": ("fork_before_backup", lambda it: on(it, "--timeline", "1", backup="second")),
    "before the raise": (
        "recovery_needs_settings",
        lambda it: on(it, "--timeline", "1", "--target-lsn", it.lsns["both"]),
    ),
    "the clone's history": ("timeline_reused", _as_it_is),
    "a name of this timeline": (
        "target_not_in_wal",
        lambda it: on(it, "--timeline", "1", "--target-name", "further"),
    ),
    "failures that count": (
        "archive_command_swallows_errors",
        _configured(archive_command="cp %p /wal/%f || exit 1"),
    ),
    "asked first": (
        "archive_command_overwrites",
        _configured(archive_command="test ! -f /wal/%f && cp %p /wal/%f"),
    ),
    "renamed": (
        "archive_command_not_atomic",
        _configured(archive_command="cp %p /wal/%f.new && mv /wal/%f.new /wal/%f"),
    ),
    "ssh whose failure counts": (
        "archive_command_aborts",
        _configured(archive_command="ssh other test ! -f %f < %p || exit 1"),
    ),
    "a script that nobody knows": (
        "archive_command_overwrites",
        _configured(archive_command="/usr/local/bin/archive.sh %p /wal/%f"),
    ),
    "unset again": ("recovery_target_left", _configured(recovery_target_name="")),
    "one target": (
        "recovery_targets_contradict",
        _configured(recovery_target_name="", recovery_target_xid=5),
    ),
    "no delay": ("recovery_min_apply_delay_left", _configured(recovery_min_apply_delay="0min")),
    "this very archive": (
        "restore_command_elsewhere",
        _configured(restore_command="cp ARCHIVE//%f %p"),
    ),
    "a command that nobody knows": (
        "restore_command_elsewhere",
        _configured(restore_command="/usr/local/bin/fetch %f %p"),
    ),
    "included if it is there": (
        "backup_settings_unread",
        _configured(include_if_exists="absent.conf"),
    ),
    "a plain number": ("recovery_target_timeline_odd", _configured(recovery_target_timeline=26)),
    "somewhere else": (
        "restore_archives_into_source",
        _configured(archive_command="cp %p /other/%f"),
    ),
    "off": (
        "restore_archives_into_source",
        _configured(archive_mode="off", archive_command="cp %p ARCHIVE/%f"),
    ),
    "unpacked": (
        "restore_command_wrong_content",
        _configured(restore_command="gzip -dc /wal/%f.gz > %p"),
    ),
}


@pytest.mark.parametrize("case", NEAR)
def test_it_is_silent(case: str, branches: Branches, tmp_path: Path) -> None:
    finding, make = NEAR[case]
    assert finding not in findings(make(branches.copy(tmp_path / "it")))


def test_what_lies_on_another_timeline_is_said_with_its_place(
    branches: Branches, tmp_path: Path
) -> None:
    it = branches.copy(tmp_path / "it")
    found = findings(on(it, "--target-name", "main only"))["target_not_in_wal"]
    assert found["evidence"]["found_on"] == 1
    assert "it is on timeline 1 at 0/" in found["summary"] and "--timeline 1" in found["remedy"]


def test_two_archives_that_disagree_about_a_timeline(branches: Branches, tmp_path: Path) -> None:
    it = branches.copy(tmp_path / "it")
    found = findings(on(it, "--archive", it.other))["timeline_reused"]
    assert found["summary"] == "the archives hold two different 00000002.history"
