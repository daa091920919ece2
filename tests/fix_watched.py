"""The agent over a real archive, from which a segment is taken away and given back."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.monitor.watched import WatchedCluster
from tests.fix_agent import FAST, WatchedAgent
from tests.fix_check import WITHOUT_ROOTS_EYES
from tests.unpack import unpack_tar

ARCHIVE = Path(__file__).parent / "data" / "archives" / "good_15.tar.xz"


class Watched:
    """The agent over an archive that is broken and mended, with its state kept on disk."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        unpack_tar(ARCHIVE, directory)
        self.archive = next(p.parent for p in directory.rglob("0000000100000000????????"))
        self._segments = sorted(self.archive.glob("0000000100000000????????"))
        # Without what root may do besides, so that a mode means to it what it means to an account.
        self.agent = WatchedAgent(directory, prefix=WITHOUT_ROOTS_EYES)
        self.config: dict[str, Any] = {
            "clusters": [{"name": "lab", "archives": [{"url": str(self.archive)}]}],
            "defaults": {**FAST, "depth": "names"},
            "ledger": str(directory / "ledger.sqlite"),
        }

    def start(self, *notify: object) -> None:
        if notify:
            self.config["alerts"] = {"hold": "1s", "notify": list(notify)}
        self.agent.start(self.config)

    def break_it(self) -> None:
        victim = self._segments[len(self._segments) // 2]
        victim.rename(self._directory / victim.name)

    def mend(self) -> None:
        victim = self._segments[len(self._segments) // 2]
        (self._directory / victim.name).rename(victim)

    @property
    def segments(self) -> list[Path]:
        return list(self._segments)

    def hide(self) -> None:
        """Nobody can judge the archive now."""
        self.archive.rename(self._directory / "hidden")

    def show(self) -> None:
        (self._directory / "hidden").rename(self.archive)

    def signal(self, number: signal.Signals) -> None:
        assert self.agent.pid is not None
        os.kill(self.agent.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.agent.stop()

    def wait_waiting(self, receiver: str, count: int) -> None:
        self.agent.wait_for(
            lambda page: (
                page.total("pitr_notifications_waiting", receiver=receiver) == count
                and (count == 0 or page.total("pitr_notifications_failed_total", receiver=receiver))
            )
        )


def make_older(cluster: WatchedCluster, seconds: float) -> None:
    """As if the last round of each of its jobs had ended that much earlier."""
    for job in cluster.jobs.rounds._jobs.values():
        job.ended -= seconds


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    directory = tmp_path / "watched"
    directory.mkdir()
    watched = Watched(directory)
    yield watched
    watched.agent.stop()
