"""Many clusters in one agent: servers that never answer change nothing for the rest."""

from __future__ import annotations

import socket

from agent.lab.metrics_page import MetricsPage
from tests.fix_agent import UNHURRIED
from tests.fix_watched import Watched

WELL = [f"well-{n}" for n in range(8)]
HOLES = [f"hole-{n}" for n in range(4)]


def judged_at(page: MetricsPage, names: list[str]) -> list[float]:
    seen = {s.labels["cluster"]: s.value for s in page.select("pitr_verdict_timestamp_seconds")}
    return [seen.get(name, 0) for name in names]


def test_black_holes_change_nothing_for_the_rest(watched: Watched) -> None:
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen()  # it accepts, and never says a word
        dead = f"host=127.0.0.1 port={hole.getsockname()[1]} user=x dbname=x"
        nowhere = "host=no-such-host.invalid user=x dbname=x"
        (cluster,) = watched.config["clusters"]
        watched.config["clusters"] = [
            *({**cluster, "name": name} for name in WELL),
            *({**cluster, "name": name, "dsn": dead} for name in HOLES),
            {"name": "nowhere", "dsn": nowhere, **UNHURRIED},  # that it is looked up in vain
        ]
        watched.config["defaults"] |= {"poll": "1s", "scan": "1s"}
        watched.start()
        first = watched.agent.wait_for(
            lambda page: (
                all(judged_at(page, WELL))
                and page.total("pitr_finding", id="collector_failing") == len(HOLES) + 1
                and page.total("pitr_check_known", id="wal_gap") == len(WELL + HOLES)
                and all(page.total("pitr_up", cluster=name) == 0 for name in [*HOLES, "nowhere"])
                and page.total("pitr_finding", id="collector_failing") == len(HOLES) + 1
            ),
        )
        for _ in range(2):
            before = judged_at(first, WELL)
            first = watched.agent.wait_for(
                lambda page, before=before: all(
                    now > then for now, then in zip(judged_at(page, WELL), before, strict=True)
                ),
            )
        watched.break_it()
        watched.agent.wait_for(
            lambda page: page.total("pitr_finding", id="wal_gap") == len(WELL + HOLES)
        )
    log = watched.agent.log.read_text()
    assert [log.count(f'"{name}: server: ') for name in [*HOLES, "nowhere"]] == [1] * 5
    assert "no-such-host.invalid" in log
