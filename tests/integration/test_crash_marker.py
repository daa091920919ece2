"""A crash in native code while the agent reads segments: the next start is slower, and says why."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from agent.lab.errors import LabFailed
from tests.fix_tools import PATIENCE_SECONDS
from tests.fix_watched import Watched
from tests.waiting import wait_until

# What Python imports at its start: the reading of a segment that follows a null pointer.
_CRASHING = """\
import ctypes
from agent.archive import readings
readings.read_segment = lambda *job: ctypes.string_at(0)
"""
FINDING = "engine_crashed"


@pytest.mark.needs("the compiled engine")
def test_after_a_crash_the_numpy_engine_reads_until_the_marker_is_gone(
    watched: Watched, tmp_path: Path
) -> None:
    watched.config["defaults"] |= {"depth": "records"}
    (tmp_path / "sitecustomize.py").write_text(_CRASHING)
    watched.agent._environment["PYTHONPATH"] = str(tmp_path)
    with suppress(LabFailed):  # it may be gone before it has answered once
        watched.start()
    assert watched.agent.wait(PATIENCE_SECONDS) == -signal.SIGSEGV
    del watched.agent._environment["PYTHONPATH"]
    (marker,) = tmp_path.rglob("*-crash.txt")
    watched.start()
    page = watched.agent.wait_for(lambda page: page.total("pitr_finding", id=FINDING))
    assert page.total("pitr_finding", id=FINDING) == 1
    assert page.total("pitr_wal_engine_info", engine="numpy") == 1
    assert page.total("pitr_native_crash_timestamp_seconds") == pytest.approx(
        marker.stat().st_mtime, abs=1
    )
    assert "Segmentation fault in string_at" in watched.agent.log.read_text()
    watched.agent.stop()
    marker.unlink()
    watched.start()
    page = watched.agent.wait_for(lambda page: page.total("pitr_wal_engine_info", engine="c"))
    assert not page.total("pitr_finding", id=FINDING)
    wait_until(marker.is_file, "the marker is laid out")
    watched.agent.stop()
    assert not marker.exists()  # a start after a clean end finds none


@pytest.mark.needs("the compiled engine")
def test_a_signal_from_elsewhere_is_no_crash_of_the_engine(watched: Watched) -> None:
    watched.start()
    watched.agent.wait_for(lambda page: page.total("pitr_wal_engine_info", engine="c"))
    assert watched.agent.pid is not None
    os.kill(watched.agent.pid, signal.SIGABRT)  # as systemd's watchdog
    watched.agent.wait(PATIENCE_SECONDS)
    watched.start()
    page = watched.agent.wait_for(lambda page: page.total("pitr_wal_engine_info", engine="c"))
    assert not page.total("pitr_finding", id=FINDING)
