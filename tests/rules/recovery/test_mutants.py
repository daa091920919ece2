"""The stories beside this file are strict: change one token of the predictor, and one fails.

A row is a place in rules/, what stands there, what is put instead, and the story that must not
survive it. The function's code is exchanged in place: no server, and no second interpreter.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
from collections.abc import Iterator
from operator import attrgetter
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

MUTANTS = [
    # -- recovery/progress ------------------------------------------------------------------------
    ("recovery.progress", "facts.end_lsn >= consistency.lsn", "facts.end_lsn > consistency.lsn",
     "margins.test_the_record_that_ends_the_backup_may_be_the_last"),
    ("recovery.progress", "end.start_lsn == self.start", "end.start_lsn != self.start",
     "predictor.test_the_end_of_another_backup_is_none_of_ours"),
    ("recovery.progress", "max(self.backup_end, consistency", "min(self.backup_end, consistency",
     "predictor.test_a_commit_during_the_backup_with_a_later_time_is_too_early"),
    # -- recovery/hazards -------------------------------------------------------------------------
    ("recovery.hazards", "event.timeline < before or event", "event.timeline < before and event",
     "margins.test_a_record_that_goes_to_a_timeline_off_the_path"),
    ("recovery.hazards", "event.previous_timeline != before", "event.previous_timeline < before",
     "margins.test_a_record_that_goes_to_a_timeline_off_the_path"),
    ("recovery.hazards", "if event.lsn >= limit", "if event.lsn > limit",
     "margins.test_a_record_at_which_recovery_stops_before_it_kills_nothing"),
    ("recovery.hazards", "end.lsn > event.lsn", "end.lsn >= event.lsn",
     "margins.test_a_shutdown_that_directly_follows_the_backups_end_cancels_nothing"),
    ("recovery.hazards", "self.snapshot.ready and", "self.snapshot.ready or",
     "margins.test_it_does_not_pause_before_the_backup_is_consistent"),
    ("recovery.hazards", "consistency.lsn <= lsn", "consistency.lsn >= lsn",
     "margins.test_a_setting_that_is_too_low_pauses_a_hot_standby_from_14_on"),
    ("recovery.hazards", "ended.get(xid, lsn) < lsn", "ended.get(xid, lsn) <= lsn",
     "margins.test_as_many_prepared_transactions_as_are_allowed"),
    ("recovery.hazards", "progress.segments or wal", "progress.segments and wal",
     "margins.test_one_that_is_open_at_a_shutdown_is_found_in_the_file_that_was_fetched"),
    ("recovery.hazards", "and self._timeline != 1", "and self._timeline >= 1",
     "margins.test_one_that_is_open_on_a_timeline_whose_history_cannot_be_used"),
    ("recovery.hazards", "known=broken.fatal is not None", "known=broken.fatal is None",
     "margins.test_one_that_is_open_on_a_timeline_whose_history_cannot_be_used"),
    ("recovery.hazards", "each.end_lsn <= until_lsn", "each.end_lsn < until_lsn",
     "margins.test_a_shutdown_at_the_target_writes_prepared_transactions_to_disk"),
    ("recovery.hazards", "running.next_xid - 1", "running.next_xid + 1",
     "ways.test_no_pause_while_the_snapshot_is_incomplete"),
    # -- recovery/reachable -----------------------------------------------------------------------
    ("recovery.reachable", "time_us < _timestamp(start", "time_us <= _timestamp(start",
     "left_branches.test_without_older_wal_the_start_of_the_backup_decides"),
    ("recovery.reachable", "time_us >= known_us", "time_us > known_us",
     "left_branches.test_without_older_wal_the_start_of_the_backup_decides"),
    ("recovery.reachable", "time_us >= ahead.time_us", "time_us > ahead.time_us",
     "margins.test_the_second_in_which_a_timeline_began"),
    ("recovery.reachable", "goal.time_us < fork.begun_by_us", "goal.time_us <= fork.begun_by_us",
     "margins.test_the_second_in_which_a_timeline_began"),
    ("recovery.reachable", "min(own.times_us) <= time_us", "min(own.times_us) < time_us",
     "margins.test_what_a_timeline_commits_in_its_first_second_is_its_own"),
    ("recovery.reachable", "goal.time_us + goal.inclusive", "goal.time_us - goal.inclusive",
     "margins.test_a_commit_at_the_very_time_is_asked_for"),
    # -- recovery/start ---------------------------------------------------------------------------
    ("recovery.start", "major >= 17 and not has_own", "major > 17 and not has_own",
     "margins.test_from_17_on_the_redo_location_has_a_record_of_its_own_kind"),
    ("recovery.start", "goal.xid < _FIRST_NORMAL_XID", "goal.xid <= _FIRST_NORMAL_XID",
     "margins.test_the_first_transaction_of_all_is_none_that_19_refuses"),
    ("recovery.start", "major >= 15 else checkpoint", "major > 15 else checkpoint",
     "ways.test_a_checkpoint_of_another_timeline_at_the_very_place"),
    ("recovery.start", "if redo >= checkpoint.lsn", "if redo > checkpoint.lsn",
     "margins.test_a_checkpoint_that_is_its_own_redo_location"),
    # -- recovery/stop_point, replay, predictor, settings, tablespaces ----------------------------
    ("recovery.stop_point", "if time >= limit", "if time > limit",
     "predictor.test_a_time_stops_before_the_first_later_commit_or_abort"),
    ("recovery.stop_point", "facts.last_lsn < goal.lsn", "facts.last_lsn <= goal.lsn",
     "predictor.test_an_lsn_that_lies_on_a_page_header_or_after_a_switch"),
    ("recovery.replay", "stretch.timeline < current", "stretch.timeline <= current",
     "ways.test_a_window_ends_at_the_first_obstacle"),
    ("recovery.replay", "scan.header.major != major", "scan.header.major > major",
     "margins.test_wal_of_an_older_server_is_no_wal"),
    ("recovery.replay", "if boundary and boundary.damage:  # the", "if boundary:  # the",
     "margins.test_a_record_that_is_read_on_a_page_of_another_timeline_and_not_replayed"),
    ("recovery.replay", "or 0) > obstacle.lsn", "or 0) < obstacle.lsn",
     "margins.test_a_record_that_is_read_on_a_page_of_another_timeline_and_not_replayed"),
    ("recovery.predictor", "stopped_lsn < consistency.lsn", "stopped_lsn <= consistency.lsn",
     "predictor.test_an_lsn_stops_at_the_first_record_that_starts_there_or_after"),
    ("recovery.predictor", "restore.server.major < 15", "restore.server.major <= 15",
     "ways.test_a_file_of_the_wrong_size_kills_recovery"),
    ("recovery.predictor", "passed_bytes > _READ_AHEAD", "passed_bytes < _READ_AHEAD",
     "ways.test_a_file_of_the_wrong_size_kills_recovery"),
    ("recovery.predictor", "range(first, last + 1)", "range(first, last)",
     "ways.test_a_window_ends_at_the_first_obstacle"),
    ("recovery.settings", "hot and server.major >= 14", "hot and server.major > 14",
     "margins.test_a_setting_that_is_too_low_pauses_a_hot_standby_from_14_on"),
    ("recovery.settings", "server.major >= 14 or", "server.major > 14 or",
     "margins.test_wal_level_minimal_kills_without_hot_standby_from_14_on"),
    ("recovery.tablespaces", "space.mapped and space.filled", "space.mapped or space.filled",
     "margins.test_a_directory_with_files_where_a_link_is_to_be"),
    # -- what stretches are passed over -----------------------------------------------------------
    ("model.scans", "summary.latest_us >= goal.time_us", "summary.latest_us > goal.time_us",
     "stretches.test_a_stretch_knows_what_it_may_contain"),
    ("model.scans", "lsn <= self.whole.end_lsn", "lsn < self.whole.end_lsn",
     "stretches.test_a_stretch_knows_what_it_may_contain"),
]  # fmt: skip


def functions(code: CodeType) -> Iterator[CodeType]:
    """Those of a module and of its classes."""
    for each in code.co_consts:
        if isinstance(each, CodeType) and "<locals>" not in each.co_qualname:
            yield each
            yield from functions(each)


def changed(module: ModuleType, old: str, new: str) -> tuple[FunctionType, CodeType]:
    """The one function that a change is in, and what it becomes."""
    source = inspect.getsource(module)
    assert source.count(old) == 1, f"{old!r} stands there {source.count(old)} times"
    codes = (
        functions(compile(text, module.__file__ or "", "exec", dont_inherit=True))
        for text in (source, source.replace(old, new))
    )
    differ = [(a.co_qualname, b) for a, b in zip(*codes, strict=True) if a != b]
    found = {
        name: code for name, code in differ if isinstance(attrgetter(name)(module), FunctionType)
    }
    ((name, code),) = found.items()
    return attrgetter(name)(module), code


def tell(story: str) -> None:
    """Run a test with all its parameters."""
    file, name = story.split(".")
    module = importlib.import_module(f"tests.rules.recovery.test_{file}")
    test = getattr(module, name)
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    for values in itertools.product(*(mark.args[1] for mark in marks)):
        given: dict[str, Any] = {}
        for mark, value in zip(marks, values, strict=True):
            names = mark.args[0]
            given |= (
                {names: value} if isinstance(names, str) else dict(zip(names, value, strict=True))
            )
        test(**given)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant[0]}: {mutant[2]}")
def test_no_mutant_survives(
    mutant: tuple[str, str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, old, new, story = mutant
    function, code = changed(importlib.import_module(f"rules.{place}"), old, new)
    tell(story)
    monkeypatch.setattr(function, "__code__", code)
    with pytest.raises(Exception):  # noqa: B017, PT011 - however it fails
        tell(story)


def test_there_are_thirty() -> None:
    assert len({mutant[:3] for mutant in MUTANTS}) >= 30
