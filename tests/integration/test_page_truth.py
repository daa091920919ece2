"""What the page says while what it rests on changes below it: never more than is known."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.archive.directory import list_archive
from agent.config.model import ArchiveConfig, BackupsConfig, ClusterConfig, Config
from agent.monitor.watched import WatchedCluster
from agent.page.headline import headline
from agent.page.instant import InstantAnswer, Instants
from agent.page.visit import Visit
from rules.case.observations import ArchiveListings
from rules.model.evidence import WindowsFacts
from rules.verdict.check import load_catalogue
from tests.fix_tools import PATIENCE_SECONDS
from tests.fix_watched import ARCHIVE, Watched

TRUTH = json.loads(Path(str(ARCHIVE).replace(".tar.xz", ".truth.json")).read_text())
LATEST = datetime.fromisoformat(TRUTH["restorable"]["latest_time"])
INSTANT = next(
    each["value"]
    for each in TRUTH["restorable"]["targets"]
    if each["type"] == "time" and each["restorable"] and each["inclusive"]
)


class Lab:
    """One archive and its backup, read when the test says so."""

    def __init__(self, home: Path) -> None:
        self.archive = Watched(home).archive
        self.backups = home / "backups"
        self.backups.mkdir()
        self.backup = (self.archive.parent / "backup").rename(self.backups / "backup")
        config = ClusterConfig(
            name="lab",
            archives=(ArchiveConfig(url=str(self.archive)),),
            backups=BackupsConfig(url=str(self.backups)),
            depth="records",
            timeout=f"{PATIENCE_SECONDS:.0f}s",
        )
        (resolved,) = Config(clusters=(config,)).resolved()
        self.cluster = WatchedCluster(resolved, load_catalogue())
        self._instants = Instants()

    def scan(self) -> None:
        asyncio.run(self.cluster.scan())

    def ask(self, **query: str) -> InstantAnswer:
        """As a person does: where the answer takes long, ask again in a moment."""

        async def until_answered() -> InstantAnswer:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while True:
                look = Visit(now=datetime.now(UTC), query=query)
                answer = await self._instants.answer(self.cluster, look)
                assert answer is not None
                if "takes long" not in answer.why or time.monotonic() > deadline:
                    return answer
                await asyncio.sleep(0.1)  # while the thread is busy it is said at once

        return asyncio.run(until_answered())


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    lab.scan()
    yield lab
    lab.cluster.close()


def told(lab: Lab) -> Any:
    window = headline(lab.cluster).window
    return window.to_time if window else headline(lab.cluster).reach


def test_windows_go_with_what_they_rest_on(lab: Lab) -> None:
    assert told(lab) == LATEST
    away = lab.backups.rename(lab.backups.with_name("away"))
    lab.scan()
    assert told(lab) == "Not known: the backups or the archive could not be read."
    assert "ask again" in lab.ask(at=INSTANT).why
    away.rename(lab.backups)
    lab.scan()
    assert told(lab) == LATEST
    shutil.rmtree(lab.backup / "pg_wal")
    for path in lab.archive.iterdir():
        path.unlink()
    lab.scan()
    assert told(lab) == "Nothing can be restored: no backup reaches a consistent state."
    assert lab.cluster.findings["no_restorable_backup"]
    answer = lab.ask(at=INSTANT)
    assert answer.target is not None and answer.target.reachable is False


def test_nothing_is_proven_by_segments_that_are_gone_since(lab: Lab) -> None:
    answer = lab.ask(at=INSTANT)
    assert answer.target is not None and answer.target.reachable is True
    assert answer.target.prediction is not None and answer.settings
    first_listed_at = answer.listed_at
    (lab.archive / answer.target.prediction.segments_needed[-1]).unlink()
    # As it is between a listing and the reading of what it names.
    listed = ArchiveListings(archives=(list_archive(str(lab.archive)),))
    lab.cluster.observe(ArchiveListings, listed)
    answer = lab.ask(at=INSTANT)
    assert answer.target is None and "has changed since" in answer.why
    lab.scan()
    answer = lab.ask(at=INSTANT)
    assert answer.target is not None and answer.target.reachable is False
    assert answer.listed_at is not None and first_listed_at is not None
    assert answer.listed_at > first_listed_at


def test_an_older_backup_serves_where_many_newer_ones_do_not(lab: Lab) -> None:
    for name in ("later-1", "later-2", "later-3", "later-4"):
        shutil.copytree(lab.backup, lab.backups / name, copy_function=os.link)
        label = lab.backups / name / "backup_label"
        text = label.read_text().replace("TIMELINE: 1", "TIMELINE: 7")
        text = text.replace("file 00000001", "file 00000007")
        label.unlink()
        label.write_text(text)
    lab.scan()
    windows = lab.cluster.fact(WindowsFacts)
    assert windows is not None and [bool(each) for each in windows.by_backup.values()] == [
        True, False, False, False, False,
    ]  # fmt: skip
    answer = lab.ask(at=INSTANT)
    assert answer.target is not None and answer.target.reachable is True
    assert answer.target.backup is not None and answer.target.backup.url == str(lab.backup)
