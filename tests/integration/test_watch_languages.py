"""pitr-watch on real restores of a server that speaks another language."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fix_tools import need
from tests.integration.restores import Story, down, paused, promoted, restore, watch
from tests.waiting import wait_until

LANGUAGES = ("es", "de", "fr", "ja")
pytestmark = pytest.mark.pg("== 15")


def speaking(language: str) -> dict[str, str]:
    """C.UTF-8 is on every machine; LANGUAGE chooses the catalogue under any locale but C."""
    need("messages of PostgreSQL 15")
    return {"LC_ALL": "C.UTF-8", "LANGUAGE": language}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_restore_in_another_language(restore_story: Story, language: str) -> None:
    story = restore_story
    with restore(
        story, until=paused, environment=speaking(language), lc_messages="C.UTF-8",
        recovery_target_name=story.restore_point,
    ) as restored:  # fmt: skip
        assert "recovery stopping" not in restored.log.read_text()
        summary = restored.summary()
        assert (summary["outcome"], summary["reached_target"]) == ("paused", True)
        restored.cluster.sql("SELECT pg_wal_replay_resume()")
        wait_until(lambda: promoted(restored.cluster))

        lines, status = watch("--log", str(restored.log), "--once")
        summary = lines[-1]
        assert (summary["outcome"], summary["reached_target"], status) == ("promoted", True, 0)
        assert summary["redo_start_lsn"] == story.start_lsn
        assert summary["stop"]["name"] == story.restore_point
        assert summary["new_timeline"] == 2
        assert summary["restored_segments"] == [
            file for file in restored.noted("+") if len(file) == 24
        ]
        assert summary["missing_files"] == restored.noted("-")
        assert [line for line in lines if line["event"] == "unparsed"] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_failure_in_another_language(restore_story: Story, language: str) -> None:
    with restore(
        restore_story, until=down, environment=speaking(language), lc_messages="C.UTF-8",
        recovery_target_xid="999999",
    ) as restored:  # fmt: skip
        summary = restored.summary()
        assert (summary["outcome"], summary["reached_target"]) == ("failed", False)
        assert summary["fatal_message"] in restored.log.read_text()
        assert "before the target" in summary["cause"]


def test_a_server_in_an_ascii_locale(restore_story: Story) -> None:
    environment = {**speaking("de"), "LC_ALL": "C", "LC_MESSAGES": "C.UTF-8", "LC_CTYPE": "C"}
    del environment["LC_ALL"]
    with restore(
        restore_story, environment={**environment, "LC_ALL": ""}, lc_messages="C.UTF-8"
    ) as restored:
        summary = restored.summary()
        assert "Wiederherstellung" in restored.log.read_text(errors="replace")
        assert summary["outcome"] == "promoted"
        assert summary["restored_segments"] == [
            file for file in restored.noted("+") if len(file) == 24
        ]


def test_without_the_catalogue_it_says_so(
    restore_story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with restore(restore_story, environment=speaking("es"), lc_messages="C.UTF-8") as restored:
        summary = restored.summary("--localedir", str(tmp_path))
        assert (summary["outcome"], summary["status"]) == (None, 3)
        assert "language" in summary["cause"]
        assert "--localedir" in capsys.readouterr().err
