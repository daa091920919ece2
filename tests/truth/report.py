"""The results of all histories as docs/truth.md, and as JSON.

    python -m tests.truth.report            write docs/truth.md (make truth-docs)
    python -m tests.truth.report --json     the same figures for a program

`results.jsonl` has one line for each seed and major: the last one that was gathered counts.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

from rules.model.counted import counted
from tests.truth.plan import GENERATION, LIVING, TURNING

RESULTS: Final = Path(__file__).parent / "results.jsonl"
PAGE: Final = Path(__file__).parents[2] / "docs" / "truth.md"
Line = Mapping[str, Any]

_TARGETS: Final = ("none", "immediate", "time", "lsn", "xid", "name")
_HEAD: Final = """\
# Predictions held against real restores

Made by `make truth-docs` from [the results](../tests/truth/results.jsonl), one line a history.

A history is made at random from a seed. A real server lives through it, backups are taken on the
way, timelines fork, the archive is damaged. Each restore is predicted as `pitr-check` predicts it;
then a real server does it, and its log must say the same: whether it opens or dies, with which
words and severity, where redo starts, where the backup is consistent, at which record it stops and
of which time, the last transaction, the new timeline. Where it opens, a table must hold exactly the
rows predicted. A single difference is a disagreement.

    make truth SEEDS=1-20 MAJOR=13,18           these histories
    make truth SEED=7 MAJOR=16 REDUCE=1         the smallest history that still disagrees
"""
# Histories that still disagree, (generation, seed, major), and in what: told, never left out.
OPEN: Final[Mapping[tuple[int, int, int], str]] = {}
_UNKNOWN: Final = """\
*unknown*: the prediction says that it cannot tell. It is never counted as agreement.
"""


def read_results(path: Path = RESULTS) -> list[Line]:
    """The last line of each history, in the order of generation, major and seed."""
    latest: dict[tuple[int, int, int], Line] = {}
    for text in path.read_text().splitlines():
        line = json.loads(text)
        latest[line["generation"], line["major"], line["seed"]] = line
    return [latest[key] for key in sorted(latest)]


def figures(lines: Iterable[Line]) -> dict[str, Any]:
    """Sums over all, by major, by kind of target, by kind of damage."""
    lines = list(lines)
    return {
        **_sum(lines),
        "histories": len(lines),
        "generation": GENERATION,
        "by_major": {
            str(major): {
                "histories": sum(each["major"] == major for each in lines),
                **_sum(each for each in lines if each["major"] == major),
            }
            for major in sorted({each["major"] for each in lines})
        },
        "by_target": _by(lines, "targets"),
        "by_damage": _by(lines, "damages"),
    }


def _sum(lines: Iterable[Line]) -> dict[str, int]:
    total: Counter[str] = Counter(restores=0, wrong=0, unknown=0)
    for line in lines:
        total.update({name: line[name] for name in total})
    return dict(total)


def _by(lines: Iterable[Line], what: str) -> dict[str, dict[str, int]]:
    total: dict[str, Counter[str]] = {}
    for line in lines:
        for kind, (restores, wrong, unknown) in line[what].items():
            counts = {"restores": restores, "wrong": wrong, "unknown": unknown}
            total.setdefault(kind, Counter(restores=0, wrong=0, unknown=0)).update(counts)
    return {kind: dict(total[kind]) for kind in sorted(total)}


def render(found: Mapping[str, Any]) -> str:
    return "\n".join(_page(found)) + "\n"


def _page(found: Mapping[str, Any]) -> Iterator[str]:
    yield _HEAD
    yield (
        f"**{found['restores']:,} restores of {found['histories']:,} histories:"
        f" {counted(found['wrong'], 'disagreement')}, {found['unknown']:,} *unknown*.**"
    )
    yield ""
    yield _UNKNOWN
    for (_, seed, major), what in OPEN.items():
        yield from wrap(f"Open, seed {seed} on {major}: {what}.", width=100)
        yield ""
    yield from _table("PostgreSQL", found["by_major"], found["by_major"])
    yield from _table("target", found["by_target"], _TARGETS)
    yield from _table("damage to the archive", found["by_damage"], found["by_damage"])
    yield from wrap(
        "Every kind of target is asked with and without `inclusive`, on every timeline, with each"
        " action, `hot_standby` on and off, `recovery.signal`, `standby.signal`, both and neither;"
        " now and then a setting of the restoring server is lower than WAL or backup want it. Of"
        " each kind of backup, with tablespaces outside and without, one restore a history is asked"
        " of everybody: `pitr-check`, its drill, `pitr-watch` before and after, the agent.",
        width=100,
    )
    yield ""
    kinds = ", ".join(kind.replace("_", " ") for kind in (*LIVING, *TURNING))
    yield from wrap(f"The steps of a history: {kinds}.", width=100)


def _table(
    title: str, rows: Mapping[str, Mapping[str, int]], order: Iterable[str]
) -> Iterator[str]:
    yield f"| {title} | restores | disagreements | unknown |"
    yield "|---|--:|--:|--:|"
    for name in order:
        if name in rows:
            row = rows[name]
            yield (
                f"| {name.replace('_', ' ')} | {row['restores']:,} | {row['wrong']:,}"
                f" | {row['unknown']:,} |"
            )
    yield ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.truth.report")
    parser.add_argument("--json", action="store_true")
    found = figures(read_results())
    if parser.parse_args().json:
        print(json.dumps(found, indent=1))
    else:
        PAGE.write_text(render(found))


if __name__ == "__main__":
    main()
