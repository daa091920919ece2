"""A server whose configuration lies outside its data directory, as Debian and Ubuntu have it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.watch.sources import find_sources
from tests.integration.restores import Story, paused
from tests.integration.test_watch_foresight import foreseen
from tests.waiting import wait_until
from tests.watching import prepared


@pytest.mark.pg("== 16")
def test_what_the_settings_say_is_known_once_the_server_runs(restore_story: Story) -> None:
    story = restore_story
    with prepared(story, pause=0) as cluster:
        elsewhere = cluster.account.make_directory(cluster.home / "etc") / "postgresql.conf"
        main = cluster.data / "postgresql.conf"
        auto = cluster.data / "postgresql.auto.conf"
        said = auto.read_text() + f"recovery_target_name = '{story.restore_point}'\n"
        elsewhere.write_text(f"data_directory = '{cluster.data}'\n{main.read_text()}{said}")
        cluster.account.own(elsewhere)
        main.unlink()
        auto.write_text("")
        before = find_sources(cluster.data)
        assert not before.settings_known
        (line,) = foreseen(cluster.data)  # nothing else is held against what was not read
        assert line.startswith("there is no postgresql.conf in ")
        _start(cluster, elsewhere)
        wait_until(lambda: paused(cluster))
        running = find_sources(cluster.data)
        assert running.settings_known
        assert running.archives == (str(story.archive),)
        assert running.settings["recovery_target_name"] == story.restore_point


def _start(cluster: object, configuration: Path) -> None:
    cluster.run(  # type: ignore[attr-defined]
        "pg_ctl", "start", "-w", "-s",
        "-D", str(cluster.data), "-l", str(cluster.log),  # type: ignore[attr-defined]
        "-o", f"-c config_file={configuration}",
    )  # fmt: skip
