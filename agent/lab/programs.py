"""The product's own programs, as installed beside this one: run as a person would run them."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from agent.lab.errors import LabFailed
from agent.lab.stop import Stop
from agent.postgres.cluster import Cluster
from parsers.lsn import parse_lsn

_TIMEOUT_SECONDS: Final = 30


def program_path(name: str) -> str:
    """Where the program of this name was installed. Raises LabFailed if it was not."""
    program = Path(sysconfig.get_path("scripts")) / name
    if not program.exists():
        raise LabFailed(f"{program} does not exist", next_step="install the product again")
    return str(program)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """pitr-watch's verdict on a restore."""

    outcome: str  # promoted, paused, ...
    reached_target: bool | None
    stop: Stop | None


def watch_once(cluster: Cluster) -> Watched:
    """Ask `pitr-watch --once` about a restore of ours. Raises LabFailed if it gives no summary."""
    command = [
        program_path("pitr-watch"), "--pgdata", str(cluster.data), "--log", str(cluster.log),
        "--once", "--format", "json",
    ]  # fmt: skip
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    *_, last = result.stdout.splitlines() or [""]
    try:
        summary = json.loads(last)
        return Watched(
            outcome=summary["outcome"],
            reached_target=summary["reached_target"],
            stop=_stop(summary),
        )
    except (ValueError, KeyError):
        said = result.stderr.strip() or last or "nothing"
        raise LabFailed(f"pitr-watch gave no summary; it said: {said}") from None


def _stop(summary: Mapping[str, Any]) -> Stop | None:
    stop = summary["stop"]
    if stop is None:
        return None
    last = summary["last_transaction_at"]
    return Stop(
        position=stop["position"],
        kind=stop["kind"],
        xid=stop["xid"],
        name=stop["name"],
        lsn=parse_lsn(stop["lsn"]) if stop["lsn"] else None,
        time=datetime.fromisoformat(stop["time"]) if stop["time"] else None,
        last_transaction_at=datetime.fromisoformat(last) if last else None,
    )
