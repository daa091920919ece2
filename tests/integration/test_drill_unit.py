"""Drills by the unit behind a socket: systemd's own activation, our program, a real restore."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.config.model import Config, ResolvedCluster
from agent.drill_schedule.process import run_drill
from rules.drill.records import DrillRecord, DrillsFacts
from tests.fix_check import Archived
from tests.fix_drill import DrillGround
from tests.fix_tools import PATIENCE_SECONDS, need_program
from tests.waiting import wait_until

AGENT = Path(sys.executable).with_name("pitr-agent")
NOTHING = DrillsFacts(records=())


@pytest.fixture
def socket(short_directory: Path, ground: DrillGround) -> Iterator[Path]:
    """What pitr-drill.socket is: for each connection a program with that as input and output."""
    program = need_program("systemd-socket-activate")
    place = short_directory / "drill.socket"
    listening = subprocess.Popen(
        [program, "--accept", "--inetd", f"--listen={place}",
         "--setenv=STATE_DIRECTORY=" + str(short_directory / "state"), AGENT, "drill-unit"],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    (short_directory / "state").mkdir()
    wait_until(lambda: listens(place))
    yield place
    listening.terminate()
    listening.wait()


def listens(place: Path) -> bool:
    """It is there before that: who connects then is refused."""
    sockets = (line.split() for line in Path("/proc/net/unix").read_text().splitlines())
    return any(each[-1] == str(place) and each[3] == "00010000" for each in sockets)


def cluster_of(archived: Archived, ground: DrillGround, **drill: Any) -> ResolvedCluster:
    cluster = {
        "name": "shop",
        "archives": [{"url": str(archived.archive)}],
        "backups": {"url": str(archived.backup.parent)},
        "drill": {
            "directory": str(ground.directory),
            "at": "latest",
            "nice": False,
            "schedule": "0 3 * * 0",
            **drill,
        },
    }
    (config,) = Config.model_validate({"clusters": [cluster]}).resolved()
    return config


def make(config: ResolvedCluster) -> DrillRecord:
    return asyncio.run(run_drill(config, NOTHING, None))


def test_a_drill_by_the_unit(
    archived: Archived, ground: DrillGround, socket: Path, caplog: pytest.LogCaptureFixture
) -> None:
    probes = [
        {"sql": "SELECT count(*) FROM t", "expected": 6000},
        {"sql": "SHOW transaction_read_only", "expected": "on"},
        {"sql": "SELECT rolsuper FROM pg_roles WHERE rolname = current_user", "expected": False},
    ]
    with caplog.at_level("INFO", "pitr.drill"):
        record = make(cluster_of(archived, ground, socket=str(socket), probes=probes))
    assert (record.outcome, record.agrees) == ("promoted", True), record
    assert [probe.holds for probe in record.probes] == [True, True, True], record.probes
    assert "to watch the drill" in caplog.text, "it is heard while it goes on"


def test_a_drill_that_nobody_waits_for_ends(
    archived: Archived, ground: DrillGround, socket: Path
) -> None:
    """The agent stops, or is killed: either way the connection ends."""
    probes = [{"sql": "SELECT pg_sleep(300)", "expected": ""}]
    config = cluster_of(archived, ground, socket=str(socket), probes=probes)

    async def leave() -> None:
        drill = asyncio.ensure_future(run_drill(config, NOTHING, None))
        await asyncio.to_thread(lambda: wait_until(lambda: bool(ground.processes())))
        drill.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await drill

    asyncio.run(leave())
    wait_until(lambda: not ground.processes() and not ground.areas())


def test_nobody_listens(archived: Archived, ground: DrillGround, short_directory: Path) -> None:
    place = short_directory / "absent"
    record = make(cluster_of(archived, ground, socket=str(place)))
    assert record.outcome == "not_run"
    assert record.reason == (
        f"{place}: No such file or directory: systemctl enable --now pitr-drill.socket"
    )


@pytest.mark.parametrize("answer", [b"", b"hello\n", b'{"status": "x", "output": 1}\n'])
def test_who_listens_is_no_unit(
    answer: bytes, archived: Archived, ground: DrillGround, short_directory: Path
) -> None:
    place = short_directory / "other"
    import socket as sockets

    with sockets.socket(sockets.AF_UNIX) as listening:
        listening.bind(str(place))
        listening.listen()

        def say() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        thread = threading.Thread(target=say)
        thread.start()
        record = make(cluster_of(archived, ground, socket=str(place)))
        thread.join(PATIENCE_SECONDS)
    assert record.outcome == "not_run" and record.reason


@pytest.mark.parametrize(
    "order", [b"", b"[]\n", b'{"words": [1], "environment": {}, "probes": []}\n', b"{"]
)
def test_what_is_no_order_is_refused(order: bytes) -> None:
    ended = subprocess.run(
        [AGENT, "drill-unit"], input=order, capture_output=True, timeout=PATIENCE_SECONDS
    )
    assert (ended.returncode, ended.stdout) == (64, b"")
    assert b"pitr-drill.socket" in ended.stderr and b"Traceback" not in ended.stderr


def test_one_account_is_enough() -> None:
    with pytest.raises(ValueError, match="leave `user` out"):
        Config.model_validate(
            {"clusters": [], "defaults": {"drill": {"socket": "/run/s", "user": "somebody"}}}
        )
