"""Logs as people paste and ship them, and what pitr-watch says of each.

`tests/data/field/README.md` says where they come from.
`python -m tests.agent.watch.test_field_logs` prints the score.
"""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.cli.watch import main

FIELD = Path(__file__).parents[2] / "data" / "field"
ENDED_EARLY = "recovery ended before configured recovery target was reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is said of one log. `said` and `unsaid` are looked for in cause, next and stderr."""

    outcome: str | None
    status: int
    fatal: str | None = None
    said: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()
    archive: str | None = None


FAILED = Expected(outcome="failed", status=2, fatal=ENDED_EARLY, said=("before the target",))
CASES = {
    "01_sqlstate_in_prefix.log": FAILED,
    "03_trailing_blanks_promoted.log": Expected(outcome="promoted", status=0),
    "05_jsonlog_respaced.json": Expected(outcome="promoted", status=0),
    "07_cnpg_jq.log": FAILED,
    "07_cnpg_kubectl_prefix.log": FAILED,
    "07_collapsed.log": FAILED,
    "07_docker_json.log": FAILED,
    "07_journal_full.log": FAILED,
    "08_prefix_azure.log": FAILED,
    "10_foreign_system.log": Expected(
        outcome="failed", status=2, fatal="could not locate required checkpoint record",
        said=("7713232896007258255", "7713227021871923872", "another"),
        unsaid=("recovery.signal is missing",),
    ),
    "11_crash_start_wal_garbage.log": Expected(
        outcome="failed", status=2, fatal="could not locate a valid checkpoint record",
        said=("pg_wal",), unsaid=("backup",),
    ),
    "13_immediate_shutdown.log": Expected(
        outcome="failed", status=2, said=("immediate shutdown",), unsaid=("restore_command by",)
    ),
    "14_paused_for_setting.log": Expected(
        outcome="shut_down", status=2, said=("max_connections", "100", "200"),
        unsaid=("pg_ctl start",),
    ),
    "17_version_12.log": Expected(
        outcome="failed", status=2, fatal=ENDED_EARLY, said=("PostgreSQL 12",)
    ),
    "18_ambiguous_zone_none.log": Expected(
        outcome="failed", status=2, fatal="could not locate required checkpoint record",
        unsaid=("until None",),
    ),
    "20_target_line_lost.log": Expected(
        outcome="failed", status=2, fatal=ENDED_EARLY, said=("target",), unsaid=("none:",)
    ),
    "22_gz_handed_over.log": Expected(
        outcome="failed", status=2, archive="archive_gz", said=("compressed", "gzip -dc"),
        unsaid=("damaged",),
    ),
    "25_gz_not_asked_for.log": Expected(
        outcome="failed", status=2, archive="archive_gz", said=(".gz", "gzip -dc"),
        unsaid=("recovery.signal is missing",),
    ),
}  # fmt: skip


def judged(name: str, archive: str | None) -> tuple[int, dict[str, Any], str]:
    """The status, the summary, and all that a person is told at the end."""
    options = ["--archive", str(FIELD / archive)] if archive else []
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(["--log", str(FIELD / name), "--once", "--format", "json", *options])
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    summary = lines[-1] if lines else {}
    words = [summary.get("cause"), summary.get("next_command"), err.getvalue()]
    return status, summary, "\n".join(word for word in words if word)


def complaints(name: str) -> list[str]:
    expected = CASES[name]
    status, summary, told = judged(name, expected.archive)
    found = []
    if status != expected.status:
        found.append(f"status {status} instead of {expected.status}")
    if summary.get("outcome") != expected.outcome:
        found.append(f"{summary.get('outcome')} instead of {expected.outcome}")
    if expected.fatal is not None and summary.get("fatal_message") != expected.fatal:
        found.append(f"FATAL: {summary.get('fatal_message')}")
    found += [f"{word!r} is not said" for word in expected.said if word not in told]
    found += [f"{word!r} is said" for word in expected.unsaid if word in told]
    return [*found, told] if found else []


@pytest.mark.parametrize("name", CASES)
def test_a_log_as_it_was_posted(name: str) -> None:
    assert complaints(name) == []


def test_every_log_is_judged() -> None:
    files = {path.name for path in FIELD.iterdir() if path.suffix in (".log", ".json")}
    assert files == set(CASES)


def print_score() -> None:
    """Say how many are right, for the eye."""
    wrong = {name: found for name in CASES if (found := complaints(name))}
    for name, found in wrong.items():
        print(f"{name}: {'; '.join(found)}")
    print(f"{len(CASES) - len(wrong)} of {len(CASES)} right")


if __name__ == "__main__":
    print_score()
