"""An agent that may not read a directory, a segment, the log: unknown until it may, never bad."""

from __future__ import annotations

from tests.fix_agent import UNHURRIED
from tests.fix_watched import Watched


def test_what_may_not_be_read_is_unknown_until_it_may(watched: Watched) -> None:
    log = watched.archive.parent / "server.log"
    log.write_text("2026-01-01 00:00:00.000 UTC [1] LOG:  database system is ready\n")
    watched.config["clusters"][0]["log"] = str(log)
    watched.config["defaults"] |= {"depth": "records", **UNHURRIED}
    watched.start()
    agent = watched.agent
    agent.wait_for(
        lambda page: (
            page.total("pitr_check_known", id="wal_gap") == 1
            and page.total("pitr_check_known", id="wal_damaged") == 1
            and page.total("pitr_finding", id="wal_unread") == 0
            and agent.succeeded("log")(page)
        ),
    )

    watched.archive.chmod(0)
    other = log.with_suffix(".new")
    other.touch(mode=0)
    other.rename(log)  # at once another: one that is open stays readable
    page = agent.wait_for(
        lambda page: (
            page.total("pitr_check_known", id="wal_gap") == 0
            and agent.failed("archive")(page)
            and agent.failed("log")(page)
        ),
    )
    assert not page.findings("critical")
    said = agent.log.read_text()
    assert f"archive: {watched.archive}: cannot be listed: Permission denied" in said
    assert f"log: {log}: Permission denied" in said

    watched.archive.chmod(0o755)
    log.chmod(0o644)
    one = watched.segments[3]
    one.chmod(0)
    page = agent.wait_for(
        lambda page: (
            page.total("pitr_check_known", id="wal_gap") == 1
            and page.total("pitr_finding", id="wal_unread") == 1
            and agent.succeeded("log")(page)
            and f"the first {one.name}: " in agent.log.read_text()
        ),
    )
    assert not page.findings("critical"), "what was not read is not damaged"

    one.chmod(0o644)
    agent.wait_for(
        lambda page: (
            page.total("pitr_finding", id="wal_unread") == 0
            and page.total("pitr_finding", id="collector_failing") == 0
        ),
    )
