"""An archiver that is stuck because the file is there already, on a real server."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.fix_agent import UNHURRIED, WatchedAgent
from tests.fix_check import EXEMPLARY
from tests.fix_postgres import NewCluster
from tests.fix_tools import PATIENCE_SECONDS

NewAgent = Callable[..., WatchedAgent]


@pytest.mark.parametrize("there", ["the same", "gzipped", "another", "cut short"])
def test_it_says_so_and_whether_it_is_the_same(
    new_cluster: NewCluster, new_agent: NewAgent, there: str
) -> None:
    primary = new_cluster(16, archive_command="false", archive_timeout=0)
    archive = primary.home / "archive"
    ((name,),) = primary.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
    primary.sql("CREATE TABLE t AS SELECT generate_series(1, 1000)")
    primary.sql("SELECT pg_switch_wal()")
    source, target = primary.data / "pg_wal" / name, archive / name
    wait(lambda: primary.sql("SELECT last_failed_wal FROM pg_stat_archiver") == [(name,)])
    data = source.read_bytes()
    if there == "gzipped":
        import gzip

        (archive / f"{name}.gz").write_bytes(gzip.compress(data, 1))
    elif there == "the same":
        shutil.copy(source, target)
    else:
        target.write_bytes(data[:8192] + (b"" if there == "cut short" else bytes(len(data) - 8192)))
    command = EXEMPLARY.format(archive)
    if there == "gzipped":
        command = f"test ! -f {archive}/%f.gz"
    primary.configure(archive_command=command)
    primary.sql("SELECT pg_reload_conf()")
    agent = new_agent(UNHURRIED, dsn=primary.dsn, archives=[{"url": str(archive)}])
    words = "is the same file" if there in ("the same", "gzipped") else "is another file"

    def told(page: object) -> bool:
        """Once pg_wal was seen, too: the archive may be listed before."""
        found = finding(agent)
        return found is not None and found["evidence"].get("same") in ("yes", "no")

    agent.wait_for(told)
    found = finding(agent)
    assert found is not None
    assert f"/{name}" in found["summary"] and f"there already and {words}" in found["summary"]
    assert found["evidence"]["same"] == ("yes" if words == "is the same file" else "no")


def wait(what: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < until
        time.sleep(0.1)


def finding(agent: WatchedAgent) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(f"{agent.url}/api/v1/clusters/lab", timeout=30) as answer:
            found = json.loads(answer.read())["findings"]
    except OSError:  # it is not there yet
        return None
    return next((each for each in found if each["id"] == "archiver_failing"), None)
