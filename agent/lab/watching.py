"""What the agent is asked during the laboratory, and how its answer reads in a sentence."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from agent.lab.agent_process import AgentProcess
from agent.lab.laboratory import Laboratory
from agent.lab.metrics_page import MetricsPage
from parsers.sentences import joined, tr

CLUSTER: Final = "laboratorio"
AGENT_ROLE: Final = "pitr_agent"
WAIT_SECONDS: Final = 120.0


def agent_config(
    lab: Laboratory, *, poll: str, scan: str, objectives: dict[str, str]
) -> dict[str, Any]:
    """The agent's configuration: this laboratory's primary, archive, backup and log."""
    return {
        "clusters": [
            {
                "name": CLUSTER,
                "dsn": agent_dsn(lab),
                "archives": [{"url": str(lab.archive)}],
                "backups": {"url": str(lab.backup)},
                "log": str(lab.primary.log),
                "objectives": objectives,
            }
        ],
        "defaults": {"poll": poll, "scan": scan, "depth": "records", "timeout": "5s"},
        "ledger": str(lab.directory / "ledger.sqlite"),
    }


def agent_dsn(lab: Laboratory) -> str:
    """As a member of pg_monitor, which is all that the agent needs."""
    return f"host={lab.primary.sockets} user={AGENT_ROLE} dbname=postgres"


def wait_for(
    agent: AgentProcess,
    condition: Callable[[MetricsPage], bool],
    *,
    timeout_seconds: float = WAIT_SECONDS,
) -> tuple[MetricsPage | None, bool]:
    """Read the agent's page until it satisfies `condition`; give the last page and whether."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        page = agent.read()
        if page is not None and condition(page):
            return page, True
        if time.monotonic() > deadline or not agent.is_running():
            return page, False
        time.sleep(0.2)


def describe_page(page: MetricsPage | None) -> str:
    """One line from a page: the server, the archiver, the archive, what is wrong."""
    if page is None:
        return tr("does not answer")
    parts: list[str] = [tr("pitr_up {number}", number=_number(page.total("pitr_up")))]
    archived = page.total("pitr_archiver_archived_total")
    if archived is not None:
        ready = page.total("pitr_archive_ready_files")
        parts.append(tr("{number} archived", number=_number(archived)))
        parts.append(tr("{number} waiting (.ready)", number=_number(ready)))
    exposure = page.total("pitr_recovery_point_exposure_bytes")
    if exposure is not None:
        parts.append(tr("exposed {size:,.0f} KiB", size=exposure / 1024))
    missing = page.total("pitr_archive_missing_segments") or 0
    damaged = page.total("pitr_archive_damaged_segments") or 0
    parts.append(tr("missing {number}", number=_number(missing)))
    parts.append(tr("damaged {number}", number=_number(damaged)))
    found = page.findings("warning", "critical")
    ids = ", ".join(sorted(found))
    parts.append(tr("findings: {ids}", ids=ids) if ids else tr("findings: none"))
    return joined(" · ", parts)


def _number(value: float | None) -> str:
    return tr("unknown") if value is None else f"{value:g}"


def is_up(page: MetricsPage) -> bool:
    """The server answers."""
    return page.total("pitr_up") == 1


def is_watching(page: MetricsPage) -> bool:
    """The server answers, and the archive's sequence was judged."""
    return is_up(page) and is_judging(page)


def is_judging(page: MetricsPage) -> bool:
    """The archive's sequence was judged."""
    return page.total("pitr_check_known", id="wal_gap") == 1


def is_whole(page: MetricsPage) -> bool:
    """The archive was judged, and nothing is missing or damaged."""
    missing = page.total("pitr_archive_missing_segments") or 0
    damaged = page.total("pitr_archive_damaged_segments") or 0
    return is_judging(page) and missing == 0 and damaged == 0


def has_all_archived(page: MetricsPage, archived_count: int) -> bool:
    """The server answers and has archived so much, nothing waits, and the archive is whole."""
    return (
        is_up(page)
        and page.total("pitr_archiver_archived_total") == archived_count
        and page.total("pitr_archive_ready_files") == 0
        and is_whole(page)
    )


def is_dead_and_whole(page: MetricsPage) -> bool:
    """The server is gone, and the archive is judged nevertheless: nothing is missing."""
    return page.total("pitr_up") == 0 and is_whole(page)
