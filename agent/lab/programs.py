"""The product's own programs, as installed beside this one: run as a person would run them."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from agent.lab.errors import LabFailed
from agent.lab.stop import RecordedStop
from agent.postgres.cluster import Cluster
from parsers.lsn import parse_lsn
from parsers.sentences import tr
from parsers.values import dataclass

_TIMEOUT_SECONDS: Final = 60


def program_path(name: str) -> str:
    """Where the program of this name was installed. Raises LabFailed if it was not."""
    program = Path(sysconfig.get_path("scripts")) / name
    if not program.exists():
        why = tr("{program} does not exist", program=program)
        raise LabFailed(why, next_step=tr("install the product again"))
    return str(program)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """pitr-watch's verdict on a restore."""

    outcome: str  # promoted, paused, ...
    reached_target: bool | None
    stop: RecordedStop | None


def watch_once(cluster: Cluster) -> Watched:
    """Ask `pitr-watch --once` about a restore of ours. Raises LabFailed if it gives no summary."""
    said = _ask(
        "pitr-watch", "--pgdata", str(cluster.data), "--log", str(cluster.log),
        "--once", "--format", "json",
    )  # fmt: skip
    summary = _document("pitr-watch", said.splitlines()[-1] if said else "")
    return Watched(
        outcome=summary["outcome"],
        reached_target=summary["reached_target"],
        stop=_stop(summary["stop"], summary["last_transaction_at"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What pitr-check says before a restore."""

    reachable: bool | None  # None: it could not tell
    stop: RecordedStop | None
    reason: str  # why it is not reachable; empty when it is


def predict(archive: Path, backup: Path, *, target: str, value: str) -> Prediction:
    """Ask `pitr-check` where a recovery to `--target-<target> value` will stop."""
    said = _ask(
        "pitr-check", "--archive", str(archive), "--backup", str(backup),
        f"--target-{target}", value, "--format", "json",
    )  # fmt: skip
    answer = _document("pitr-check", said)["target"]
    last = answer["last_transaction"]
    return Prediction(
        reachable=answer["reachable"],
        stop=_stop(answer["stop"], last and last["time"]),
        reason=answer["reason"] or "",
    )


def _ask(name: str, *arguments: str) -> str:
    """Run a program of ours to its end; give its stdout. Its exit status is its verdict."""
    try:
        result = subprocess.run(
            [program_path(name), *arguments],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        why = tr("{program} gave no answer in {time} s", program=name, time=_TIMEOUT_SECONDS)
        raise LabFailed(why) from None
    if not result.stdout:
        said = result.stderr.strip() or tr("nothing")
        raise LabFailed(tr("{program} gave no document; it said: {said}", program=name, said=said))
    return result.stdout


def _document(name: str, text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        raise LabFailed(
            tr("{program} gave no JSON: {text!r}", program=name, text=text[:200])
        ) from None
    if not isinstance(document, dict):
        raise LabFailed(
            tr("{program} gave no JSON object: {text!r}", program=name, text=text[:200])
        )
    return document


def _stop(stop: Mapping[str, Any] | None, last_transaction_at: str | None) -> RecordedStop | None:
    """The contracts' `stop` object; both programs write it alike."""
    if stop is None:
        return None
    return RecordedStop(
        position=stop["position"],
        kind=stop["kind"],
        xid=stop["xid"],
        name=stop["name"],
        lsn=parse_lsn(stop["lsn"]) if stop["lsn"] else None,
        time=_time(stop["time"]),
        last_transaction_at=_time(last_transaction_at),
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
