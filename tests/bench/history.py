"""What was measured, when, and beside how much other work: docs/performance.json and its table.

    python -m tests.bench.history       writes the table into docs/performance.md

Every benchmark keeps its figures with `keep`: one line each, so that the history is in the diffs of
one file. The table shows the newest of each beside its goal.
"""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

DOCS: Final = Path(__file__).parents[2] / "docs"
HISTORY: Final = DOCS / "performance.json"
PAGE: Final = DOCS / "performance.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of the table -->\n"


class Measure(NamedTuple):
    """One figure with a goal."""

    what: str
    unit: str  # times, s, ms, MiB, %
    goal: float
    at_least: bool = False  # else: at most


MEASURES: Final = {
    "wal.transactions": Measure(
        "depth `records`, transactions, one core, beside `pg_waldump -q`", "times", 2.2, True
    ),
    "wal.whole_pages": Measure("the same, whole-page (bulk) WAL", "times", 1.5, True),
    "wal.two_threads": Measure(
        "the same, transactions, two threads, by the clock", "times", 3.5, True
    ),
    "check.segments": Measure(
        "`pitr-check` of 64 segments (1 GiB), warm, by the clock, beside `pg_waldump -q`",
        "times", 1, True,
    ),
    "check.small": Measure("`pitr-check` of one small archive and backup, CPU", "s", 0.25),
    "check.ledger": Measure("`pitr-check --ledger`, 10,000 known segments, CPU", "s", 0.5),
    "check.names": Measure(
        "`pitr-check --depth names`, 1,000,000 names, CPU beside `os.scandir`", "times", 2.5
    ),
    "check.names_peak": Measure("the same, peak of memory", "MiB", 120),
    "fetch.plain": Measure("`fetch-wal` of a plain segment, CPU beside `cp`", "times", 3),
    "find.transactions": Measure(
        "`find` over 64 segments, CPU beside `pg_waldump -r Transaction`", "times", 2
    ),
    "backup.pages": Measure("`--backup-depth pages`, CPU beside `pg_checksums`", "times", 1, True),
    "backup.checksums": Measure(
        "`--backup-depth checksums`, CPU beside `pg_verifybackup -n`", "times", 1, True
    ),
    "store.list": Measure("listing 100,000 keys of S3, CPU beside bare obstore", "times", 1.3),
    "store.read_peak": Measure("reading 10 GiB from S3, growth of memory after 1 GiB", "MiB", 16),
    "log.grep": Measure("a server log, CPU beside `grep -E` for its messages", "times", 0.6, True),
    "drill.restore": Measure("a drill of 2 GiB beside `cp -a` and a server", "times", 0.9),
    "agent.one_memory": Measure("agent, one cluster, resident, all processes", "MiB", 85),
    "agent.many_cpu": Measure("agent, 200 clusters every 15 s, of a core", "%", 12),
    "agent.many_memory": Measure("the same, resident, all processes", "MiB", 150),
    "fleet.cpu": Measure("agent, 1,000 clusters every 30 s, ten of them hang, of a core", "%", 100),
    "fleet.memory": Measure("the same, resident, all processes", "MiB", 1024),
    "fleet.scrape": Measure("the same, a scrape, median", "ms", 300),
    "fleet.first_view": Measure("the same, the page's first view in Chromium, median", "ms", 1000),
    "fleet.search": Measure("the same, a name typed until it is found, median", "ms", 1000),
}  # fmt: skip


def keep(measure: str, value: float) -> None:
    """Add one figure to the history, and say it beside its goal."""
    known = MEASURES[measure]
    row = {
        "measure": measure,
        "value": float(f"{value:.3g}"),
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0]),
        "python": platform.python_version(),
    }
    rows = [*read(), row]
    HISTORY.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", encoding="utf-8")
    print(f"\n{known.what}: {_value(row['value'], known)}, goal {_goal(known)}\n", flush=True)


def read() -> list[dict[str, Any]]:
    """All that was kept, the oldest first."""
    rows: list[dict[str, Any]] = json.loads(HISTORY.read_text(encoding="utf-8"))
    return rows


def table() -> str:
    """The newest figure of each measure."""
    newest = {row["measure"]: row for row in read()}
    lines = ["| | measured | goal | | load | on |", "|---|---:|---:|---|---:|---|"]
    for name, measure in MEASURES.items():
        row = newest.get(name)
        if row is None:
            lines.append(f"| {measure.what} | not measured | {_goal(measure)} | | | |")
            continue
        value, load = row["value"], "" if row["load"] is None else row["load"]
        good = value >= measure.goal if measure.at_least else value <= measure.goal
        lines.append(
            f"| {measure.what} | {_value(value, measure)} | {_goal(measure)} "
            f"| {'' if good else 'missed'} | {load} | {row['at'][:10]} |"
        )
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """The text of docs/performance.md with its table as it is now."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}{table()}{END}{tail}"


def _value(value: float, measure: Measure) -> str:
    number = f"{value:.2f}" if value < 10 else f"{value:.0f}"
    return {"times": number, "%": f"{number} %"}.get(measure.unit, f"{number} {measure.unit}")


def _goal(measure: Measure) -> str:
    number = _value(measure.goal, measure) if measure.unit != "times" else f"{measure.goal:g}"
    return f"{'≥' if measure.at_least else '≤'} {number}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
