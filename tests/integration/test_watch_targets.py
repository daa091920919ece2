"""pitr-watch on real restores towards every kind of target, with every action."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from parsers.lsn import parse_lsn
from tests.integration.restores import Restored, Story, down, paused, promoted, restore

TARGETS = ("time", "xid", "name", "lsn", "immediate")
_UNTIL = {"promote": promoted, "pause": paused, "shutdown": down}
_OUTCOME = {"promote": "promoted", "pause": "paused", "shutdown": "shut_down"}


def settings_for(story: Story, kind: str) -> dict[str, str]:
    third = story.commits[2]
    return {
        "time": {"recovery_target_time": (third.time + timedelta(milliseconds=1)).isoformat()},
        "xid": {"recovery_target_xid": str(third.xid)},
        "name": {"recovery_target_name": story.restore_point},
        "lsn": {"recovery_target_lsn": third.after_lsn},
        "immediate": {"recovery_target": "immediate"},
    }[kind]


@pytest.mark.pg("== 16")
@pytest.mark.parametrize("action", ["promote", "pause", "shutdown"])
@pytest.mark.parametrize("kind", TARGETS)
def test_every_target_with_every_action(restore_story: Story, kind: str, action: str) -> None:
    check_the_summary(restore_story, kind, action)


@pytest.mark.pg(">= 13", npm=True)
@pytest.mark.parametrize(
    ("kind", "action"),
    [("time", "promote"), ("xid", "pause"), ("name", "shutdown"), ("lsn", "promote"),
     ("immediate", "pause")],
)  # fmt: skip
def test_every_target_and_every_action(restore_story: Story, kind: str, action: str) -> None:
    check_the_summary(restore_story, kind, action)


def check_the_summary(story: Story, kind: str, action: str) -> None:
    settings = settings_for(story, kind)
    with restore(
        story, until=_UNTIL[action], recovery_target_action=action, **settings
    ) as restored:
        summary = restored.summary()
        assert (summary["outcome"], summary["status"]) == (_OUTCOME[action], 0)
        assert summary["reached_target"] is True
        assert summary["redo_start_lsn"] == story.start_lsn
        assert summary["restored_segments"] == _segments(restored)
        assert summary["missing_files"] == restored.noted("-")
        assert summary["fatal_message"] is None
        _check_target(summary, story, kind)
        _check_stop(summary, story, kind)
        if action != "shutdown":
            _check_against_sql(summary, restored, action)
        if action == "pause":
            assert summary["next_command"] == "SELECT pg_wal_replay_resume();"


def _segments(restored: Restored) -> list[str]:
    return [file for file in restored.noted("+") if len(file) == 24]


def _check_target(summary: dict[str, Any], story: Story, kind: str) -> None:
    assert summary["target"]["type"] == kind
    value = summary["target"]["value"]
    if kind == "time":
        assert datetime.fromisoformat(value) == story.commits[2].time + timedelta(milliseconds=1)
    elif kind == "immediate":
        assert value is None
    else:
        (configured,) = settings_for(story, kind).values()
        assert value == configured


def _check_stop(summary: dict[str, Any], story: Story, kind: str) -> None:
    stop = summary["stop"]
    third, fourth = story.commits[2:4]
    if kind == "time":
        assert (stop["position"], stop["kind"], stop["xid"]) == ("before", "commit", fourth.xid)
        assert datetime.fromisoformat(stop["time"]) == fourth.time
    elif kind == "xid":
        assert (stop["position"], stop["kind"], stop["xid"]) == ("after", "commit", third.xid)
        assert datetime.fromisoformat(stop["time"]) == third.time
    elif kind == "name":
        assert (stop["kind"], stop["name"]) == ("restore_point", story.restore_point)
    elif kind == "lsn":
        assert (stop["position"], stop["kind"]) == ("after", "lsn")
        assert parse_lsn(stop["lsn"]) >= parse_lsn(third.after_lsn)
    else:
        assert stop["kind"] == "consistency"


def _check_against_sql(summary: dict[str, Any], restored: Restored, action: str) -> None:
    sql = restored.cluster.sql
    assert parse_lsn(summary["consistent_lsn"]) > parse_lsn(summary["redo_start_lsn"])
    if action != "promote":
        return
    assert sql("SELECT timeline_id FROM pg_control_checkpoint()")[0][0] in (
        summary["new_timeline"],
        1,  # until the end-of-recovery checkpoint is written
    )
    replayed_at = sql("SELECT pg_last_xact_replay_timestamp()")[0][0]
    logged = summary["last_transaction_at"]
    assert (datetime.fromisoformat(logged) if logged else None) == replayed_at
    done = parse_lsn(summary["redo_done_lsn"])
    end = parse_lsn(sql("SELECT pg_last_wal_replay_lsn()::text")[0][0])
    assert done <= end
    assert summary["stop"]["lsn"] == summary["redo_done_lsn"]
