"""docs/faults.md: of each kind of fault, what each program found, named and placed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from textwrap import fill
from typing import Final

from tests.faults.kinds import ARCHIVE, PLAIN, REPOSITORY, TAR
from tests.faults.programs import (
    CONTROLDATA,
    OURS,
    PGACTIVITY,
    PGBACKREST,
    VERIFYBACKUP,
    WALDUMP,
)
from tests.faults.trial import Tried

PAGE: Final = Path(__file__).parents[2] / "docs" / "faults.md"
PROGRAMS: Final = {
    ARCHIVE: (OURS, WALDUMP, PGACTIVITY),
    PLAIN: (OURS, VERIFYBACKUP, CONTROLDATA),
    TAR: (OURS, VERIFYBACKUP),
    REPOSITORY: (OURS, PGBACKREST),
}
_HEAD: Final = """\
# Faults, and who finds them

Made by `make faults`. A seed puts one fault of each kind into a copy of sound evidence
of a PostgreSQL 15: an archive of 16 MiB segments, a plain and a tar backup of it, a
pgBackRest 2.45 repository. Then each program is asked, and PostgreSQL judges whether there is harm:
`pg_waldump` lists other records than those of the sound archive, or `pg_verifybackup` complains.
Where that and `pitr-check` disagree, and of every 25th seed of the archives, a real server
restores, and has to come to the end that it comes to without the fault. A repository is judged by
what pgBackRest's own `archive-get` and `restore` lay down. `make faults SEED=7 ARGS='--kind cut'`
puts the same faults again and prints what was said of them.

{sum}

In each cell: how many of the harmful faults were *found*, of these how many *named* (the segment or
file) and *placed* (the record or page in a segment, the segments that are missing), where there is
a place to say. *false*: complaints where there was no harm. `pg_waldump` is given the segments from
the first that the backup does not carry to the newest, `pg_verifybackup` runs with `-n`, of a tar
backup on what `tar` unpacked, with tar's own complaints. `check_pgactivity` (2.6, `archive_folder`)
gives up where a segment is newer than 14: it is shown a newest segment that says 14. What the
tools' own verification says of repositories of more kinds is in [verification](verification.md).
"""


@dataclass(frozen=True)
class Cell:
    """What one program did with one kind."""

    harmful: int
    found: int
    named: int
    placed: int
    placeable: int
    false: int

    def __str__(self) -> str:
        words = [f"{self.found}/{self.harmful}"] if self.harmful else []
        words += [f"{self.named} named"] if self.found else []
        words += [f"{self.placed} placed"] if self.found and self.placeable else []
        words += [f"**{self.false} false**"] if self.false else []
        return ", ".join(words) or "nothing"


def count(tried: Iterable[Tried], program: str) -> Cell | None:
    """The cell; None: the program was not asked."""
    pairs = [(each.harmful, each.scores[program]) for each in tried if program in each.scores]
    if not pairs:
        return None
    hits = [score for harmful, score in pairs if harmful and score.found]
    return Cell(
        harmful=sum(harmful for harmful, _ in pairs),
        found=len(hits),
        named=sum(score.named for score in hits),
        placed=sum(bool(score.placed) for score in hits),
        placeable=sum(score.placed is not None for score in hits),
        false=sum(score.found and not harmful for harmful, score in pairs),
    )


def page(tried: list[Tried]) -> str:
    """The whole page."""
    lines = [_HEAD.format(sum=_sum(tried))]
    for part, programs in PROGRAMS.items():
        mine = [each for each in tried if each.part == part]
        if not mine:
            continue
        numbers = sorted({each.seed for each in mine})
        lines.append(f"## {part[0].upper()}{part[1:]}: {len(numbers)} seeds, {_span(numbers)}\n")
        lines.append("| fault | faults | harmful | " + " | ".join(programs) + " |")
        lines.append("|---" * (len(programs) + 3) + "|")
        lines += _rows(mine, programs)
        lines.append("")
    return "\n".join(lines)


def _span(numbers: list[int]) -> str:
    steps = {after - before for before, after in pairwise(numbers)}
    step = f", every {steps.pop()}th" if len(steps) == 1 and steps != {1} else ""
    return f"{numbers[0]} to {numbers[-1]}{step}"


def _rows(tried: list[Tried], programs: tuple[str, ...]) -> Iterator[str]:
    for kind in dict.fromkeys(each.kind for each in tried):
        mine = [each for each in tried if each.kind == kind]
        cells = (count(mine, program) for program in programs)
        told = " | ".join("not asked" if cell is None else str(cell) for cell in cells)
        yield f"| {kind} | {len(mine)} | {sum(each.harmful for each in mine)} | {told} |"


def _sum(tried: list[Tried]) -> str:
    ours = count(tried, OURS)
    assert ours is not None
    harmless = len(tried) - ours.harmful
    kinds = len({(each.part, each.kind) for each in tried})
    restored = sum(each.restored for each in tried)
    return fill(
        f"**{len(tried):,} cases of {kinds} kinds: {ours.harmful:,} harmful,"
        f" of which `pitr-check` missed {ours.harmful - ours.found:,} and did not name"
        f" {ours.found - ours.named:,}; {harmless:,} healthy or harmless, with {ours.false:,} false"
        f" alarms. {restored:,} were restored to decide.**",
        width=100,
        break_on_hyphens=False,
    )
