"""SIGTERM in the middle of work: the agent ends by itself, with status 0, and nothing is left."""

from __future__ import annotations

import signal
import socket

import psutil
import pytest

from tests.fix_tools import PATIENCE_SECONDS
from tests.fix_watched import Watched
from tests.waiting import wait_until


@pytest.mark.parametrize(
    "engine", [pytest.param("c", marks=pytest.mark.needs("the compiled engine")), "numpy"]
)
def test_it_stops_while_it_reads_segments_and_a_receiver_and_a_server_hang(
    watched: Watched, engine: str
) -> None:
    watched.agent._environment["PITR_ENGINE"] = engine
    with socket.socket() as hung:
        hung.bind(("127.0.0.1", 0))
        hung.listen()
        port = hung.getsockname()[1]
        # Reading goes so slowly that it would last for hours.
        watched.config["defaults"] |= {"depth": "records", "scan": "1h", "io_limit": "1kB/s"}
        watched.config["clusters"].append(
            {"name": "hung", "dsn": f"host=127.0.0.1 port={port} dbname=x user=x"}
        )
        watched.start({"webhook": {"url": f"http://127.0.0.1:{port}"}, "timeout": "1h"})
        agent = psutil.Process(watched.agent.pid)
        if engine == "numpy":
            wait_until(lambda: len(agent.children(recursive=True)) >= 2, "workers read")
        else:
            watched.agent.wait_for(
                lambda page: page.total(
                    "pitr_collector_success", cluster="lab", collector="archive"
                )
            )
            assert not agent.children(recursive=True)  # threads read
        family = [agent, *agent.children(recursive=True)]
        watched.signal(signal.SIGTERM)
        assert watched.agent.wait(PATIENCE_SECONDS) == 0
    _, alive = psutil.wait_procs(family, timeout=PATIENCE_SECONDS)
    assert not alive, [process.cmdline() for process in alive]
    log = watched.agent.log.read_text()
    assert "stopping" in log and "Traceback" not in log
