"""The agent beside a restore that really runs: its progress, its pauses, and its last verdict."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from agent.lab.metrics_page import MetricsPage
from parsers.lsn import parse_lsn
from tests.fix_agent import WatchedAgent
from tests.fix_browser import Browse
from tests.integration.restores import (
    Story,
    copy_archive,
    down,
    paused,
    promoted,
    restore,
)
from tests.waiting import wait_until

NewAgent = Callable[..., WatchedAgent]
pytestmark = pytest.mark.pg("== 16")
MIB = 1 << 20


def outcome(page: MetricsPage) -> str | None:
    """The one outcome that is 1; None when no restore was seen."""
    told = {s.labels["outcome"]: s.value for s in page.select("pitr_recovery_last_outcome")}
    assert not told or sorted(told.values()) == [0, 0, 0, 1]
    return next((name for name, value in told.items() if value), None)


def has_outcome(wanted: str) -> Callable[[MetricsPage], bool]:
    return lambda page: outcome(page) == wanted


def shown_restore(browse: Browse, agent: WatchedAgent) -> Locator:
    """What a person sees of the restore, on a page that is never loaded again."""
    page = browse(f"{agent.url}/clusters/lab").page
    return page.locator("section.restore")


def test_a_pause_a_rotation_and_a_promotion(
    restore_story: Story, new_agent: NewAgent, browse: Browse
) -> None:
    story = restore_story
    with restore(
        story, until=paused, recovery_target_name=story.restore_point, logging_collector=True,
        log_filename="server-%Y%m%d%H%M%S.log",
    ) as restored:  # fmt: skip
        cluster = restored.cluster
        logs = cluster.data / "log"
        pausing = "pausing at the end of recovery"  # the collector writes it when it comes to that
        wait_until(lambda: any(pausing in path.read_text() for path in logs.iterdir()))
        agent = new_agent(dsn=cluster.dsn, log=str(logs))
        agent.wait_for(has_outcome("paused"))
        page = agent.wait_for(
            lambda page: "restore_paused" in page.findings("warning") and page.total("pitr_up") == 1
        )
        assert page.total("pitr_recovery_in_progress") == page.total("pitr_recovery_paused") == 1
        assert page.total("pitr_recovery_eta_seconds") is None, "nobody knows when it is resumed"
        ((replayed,),) = cluster.sql("SELECT pg_last_wal_replay_lsn()::text")
        assert page.total("pitr_recovery_replayed_bytes") == parse_lsn(replayed)
        assert page.total("pitr_recovery_events_total") is None, "all of it was there before"
        shown = shown_restore(browse, agent)
        expect(shown.get_by_role("status")).to_have_text("paused at the target")
        expect(shown).to_contain_text(f'restore point "{story.restore_point}"')
        expect(shown).to_contain_text(replayed)
        expect(shown.locator(".next")).to_contain_text("SELECT pg_wal_replay_resume();")

        time.sleep(1.1)  # another name for the next file
        cluster.sql("SELECT pg_rotate_logfile()")
        wait_until(lambda: len(list(logs.iterdir())) == 2)
        cluster.sql("SELECT pg_wal_replay_resume()")
        page = agent.wait_for(has_outcome("promoted"))
        assert page.total("pitr_recovery_last_reached_target") == 1
        page = agent.wait_for(  # SQL and the log are judged one after the other
            lambda page: (
                page.total("pitr_recovery_in_progress") == 0
                and not {name for name in page.findings() if name.startswith("restore_")}
            )
        )
        assert page.total("pitr_recovery_target_bytes") is None
        expect(shown.get_by_role("status")).to_have_text("Promoted, the target was reached")
        expect(shown).to_contain_text(f'at restore point "{story.restore_point}"')
        expect(shown.locator(".next")).to_have_count(0)
        assert page.total("pitr_recovery_events_total", event="archive_recovery_complete") == 1
        assert not re.search("[0-9A-F]{24}|[0-9A-F]+/[0-9A-F]+", str(labels(page)))

        for old in sorted(logs.iterdir())[:-1]:
            old.unlink()
        cluster.stop()
        page = agent.wait_for(lambda page: page.total("pitr_up") == 0)
        assert outcome(page) == "promoted"
        size = shown.page.locator("figure.plot", has_text="Size of pg_wal")
        expect(size.locator(".hole")).to_be_visible()
        expect(size.get_by_role("img", name="last not known")).to_be_visible()


def labels(page: MetricsPage) -> list[str]:
    return [
        value
        for sample in page.samples
        if sample.name.startswith("pitr_recovery")
        for value in sample.labels.values()
    ]


def test_a_failed_restore_is_told_by_its_log_alone(
    restore_story: Story, new_agent: NewAgent, browse: Browse
) -> None:
    story = restore_story
    late, began = story.commits[-1].time + timedelta(hours=1), time.time()
    with restore(story, until=down, recovery_target_time=late.isoformat()) as restored:
        cluster = restored.cluster
        agent = new_agent(dsn=cluster.dsn, log=str(restored.log))
        page = agent.wait_for(
            lambda page: (
                "restore_failed" in page.findings("critical") and page.total("pitr_up") == 0
            )
        )
        assert outcome(page) == "failed"
        assert (page.total("pitr_up"), page.total("pitr_recovery_in_progress")) == (0, 0)
        assert page.total("pitr_recovery_last_reached_target") == 0
        shown = shown_restore(browse, agent)
        expect(shown.get_by_role("status")).to_have_text("Failed, the target was not reached")
        fatal = "recovery ended before configured recovery target was reached"
        expect(shown.locator(".fatal")).to_have_text(fatal)
        expect(shown.locator(".next code")).not_to_be_empty()
        failed_at = page.total("pitr_recovery_last_outcome_timestamp_seconds")
        assert failed_at is not None
        assert int(began) <= failed_at <= time.time()

        cluster.configure(
            recovery_target_time=story.commits[2].time.isoformat(), recovery_target_action="promote"
        )
        cluster.start()
        page = agent.wait_for(has_outcome("promoted"))
        assert "restore_failed" not in page.findings()
        assert page.total("pitr_recovery_last_reached_target") == 1
        assert page.total("pitr_recovery_last_outcome_timestamp_seconds") > failed_at
        assert page.total("pitr_recovery_events_total", event="recovery_stopping") == 1
        expect(shown.get_by_role("status")).to_have_text("Promoted, the target was reached")


def test_a_gap_taken_for_the_end_of_wal_is_found(restore_story: Story, new_agent: NewAgent) -> None:
    archive = copy_archive(restore_story, "short")
    sorted(path for path in archive.iterdir() if len(path.name) == 24)[-3].unlink()
    with restore(restore_story, archive=archive, until=promoted) as restored:
        agent = new_agent(log=str(restored.log), archives=[{"url": str(archive)}])
        page = agent.wait_for(lambda page: "restore_ended_short" in page.findings("critical"))
        assert outcome(page) == "promoted"
        assert page.total("pitr_recovery_last_reached_target") is None, "no target was set"
        for path in archive.iterdir():  # expired since: nothing is proven by what is left
            path.unlink()
        time.sleep(2)
        page = agent.wait_for(agent.succeeded("archive"))
        assert "restore_ended_short" in page.findings("critical")


def test_a_restore_command_that_hangs_is_a_stall(
    restore_story: Story, new_agent: NewAgent, browse: Browse
) -> None:
    story = restore_story
    names = sorted(path.name for path in story.archive.iterdir() if len(path.name) == 24)
    held, gate = names[-2], story.primary.home.parent / "gate"
    gate.touch()
    command = (
        f"[ %f != {held} ] || while [ -e {gate} ]; do sleep 0.1; done; cp {story.archive}/%f %p"
    )

    def waits(cluster: object) -> bool:
        text = Path(cluster.log).read_text()  # type: ignore[attr-defined]
        return f'restored log file "{names[-3]}"' in text and "read-only connections" in text

    with restore(story, command=command, until=waits) as restored:
        agent = new_agent(
            dsn=restored.cluster.dsn, log=str(restored.log),
            archives=[{"url": str(story.archive)}], objectives={"rpo": "2s"},
        )  # fmt: skip
        page = agent.wait_for(
            lambda page: (
                "restore_stalled" in page.findings("warning")
                and page.total("pitr_recovery_target_bytes") is not None
            )
        )
        end = (int(names[-1][16:], 16) + 1) * MIB
        assert page.total("pitr_recovery_target_bytes") == end
        assert 0 < page.total("pitr_recovery_replayed_bytes") < end
        assert outcome(page) is None
        shown = shown_restore(browse, agent)
        expect(shown.get_by_role("status")).to_have_text("replaying (open for reading)")
        expect(shown.get_by_role("progressbar")).to_have_attribute("value", re.compile("[1-9]"))
        expect(shown).to_contain_text(f"the last {names[-3]}")
        gate.unlink()
        over = {"restore_stalled", "restore_failed", "restore_ended_short"}
        agent.wait_for(lambda page: outcome(page) == "promoted" and not page.findings() & over)


def test_a_measured_restore_that_would_take_too_long(
    restore_story: Story, new_agent: NewAgent
) -> None:
    """What one restore took is what the next is told to take: from its log alone."""
    story = restore_story
    command = f"cp {story.archive}/%f %p && sleep 1.2"
    with restore(story, command=command, until=promoted) as restored:
        log = restored.log.read_text()
        agent = new_agent(
            log=str(restored.log),
            archives=[{"url": str(story.archive)}],
            backups={"url": str(story.backup)},
            objectives={"rto": "1s"},
        )
        page = agent.wait_for(lambda page: "restore_over_objective" in page.findings("warning"))
    estimate = page.total("pitr_restore_duration_estimate_seconds")
    started, done = (_seconds_of(log, line) for line in ("redo starts at", "redo done at"))
    took = (done - started) % 86400  # it may be midnight
    assert took >= 5
    assert estimate == pytest.approx(took, rel=0.5), log
    assert page.total("pitr_objective_seconds", objective="rto") == 1


def _seconds_of(log: str, line: str) -> float:
    """When the server wrote the line, in seconds of its day."""
    stamp = re.search(rf"^\S+ (\d+):(\d+):([\d.]+) .*{line}", log, re.MULTILINE)
    assert stamp is not None, log
    hours, minutes, seconds = map(float, stamp.groups())
    return hours * 3600 + minutes * 60 + seconds
