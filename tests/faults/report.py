"""docs/faults.md: of each kind of fault, what each program found, named and placed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Final

from tests.faults.kinds import (
    ARCHIVE,
    BARMAN,
    ENCRYPTED,
    HISTORY,
    OWN,
    PACKED,
    PLAIN,
    REPOSITORY,
    TAR,
)
from tests.faults.programs import (
    BARMAN_CHECK,
    CONTROLDATA,
    OURS,
    PGACTIVITY,
    PGBACKREST,
    UNPACKERS,
    VERIFYBACKUP,
    WALDUMP,
)
from tests.faults.trial import Tried
from tests.fuzz_parsers import Fuzzed

PAGE: Final = Path(__file__).parents[2] / "docs" / "faults.md"
PROGRAMS: Final = {
    ARCHIVE: (OURS, WALDUMP, PGACTIVITY),
    HISTORY: (OURS,),
    PLAIN: (OURS, VERIFYBACKUP, CONTROLDATA),
    TAR: (OURS, VERIFYBACKUP),
    PACKED: (OURS, UNPACKERS),
    REPOSITORY: (OURS, PGBACKREST),
    ENCRYPTED: (OURS, PGBACKREST),
    BARMAN: (OURS, BARMAN_CHECK),
    OWN: (OURS,),
}
_HEAD: Final = """\
# Faults, and who finds them

Made by `make faults`. A seed puts one fault of each kind into a copy of sound evidence of a
PostgreSQL: an archive and a plain and a tar backup of it, the tar compressed by `gzip`, `zstd` and
`lz4`, an archive of three timelines, repositories of pgBackRest 2.45 and Barman 3.4. Segments are
of 16 MiB with the seeds 1, 11, 21 and so on, of 1 MiB with the others. Then each program is asked,
and PostgreSQL judges whether there is harm: `pg_waldump` lists other records than those of the
sound archive, or `pg_verifybackup` complains. Where that and `pitr-check` disagree, and of every
25th seed of the archives, a real server restores, and has to come to the end that it comes to
without the fault. A compressed tar is judged by its compressor's
own program, tar and `pg_verifybackup`; a history by three real restores, to the latest timeline and
to each by its number; a repository by what pgBackRest's own `archive-get` and `restore`, or
`barman recover`, lay down. `make faults SEED=7 ARGS='--kind cut --majors 16'` puts the same faults
again and prints what was said of them; with `--results FILE` what was broken off goes on.

{sum}

In each cell: how many of the harmful faults were *found*, of these how many *named* (the segment or
file) and *placed* (the record or page in a segment, the segments that are missing), where there is
a place to say. Of a history *placed* means that all that the three restores did had been predicted.
Where its numbers are not those that the server wrote and the restores end alike all the same, a
complaint is right, and silence as well. One more history that says that its timeline left another
where the WAL of that one ends is what a server leaves that was just promoted: nothing tells them
apart, and it is missed. *false*: complaints where there was no harm. `pg_waldump`
is given the segments from the first that the backup does not carry to the newest, `pg_verifybackup`
runs with `-n`, of a tar backup on what `tar` unpacked, with tar's own complaints.
It waits for five seconds for a segment that is not there: of those it is asked with the seeds of
16 MiB. `check_pgactivity` (2.6, `archive_folder`) knows no other size, and gives up where a segment
is newer than 14: it is shown a newest segment that says 14. What the tools' own verification says
of repositories of more kinds is in [verification](verification.md).

Of *our own files* none may change an answer: with a damaged ledger or a segment that was fetched
ahead and damaged, it is as without, of a sound archive and of a damaged one; of what the agent
remembers each row is as it was put, or lost and told of; evidence that was damaged is never called
whole. Their writers are killed (SIGKILL) at random instants, and start again by themselves. What is
not so, a traceback too, stands there as *false*. `make drills` kills drills.
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


def page(tried: list[Tried], fuzzed: list[Fuzzed]) -> str:
    """The whole page."""
    lines = [_HEAD.format(sum=_sum(tried))]
    lines += [_inputs(fuzzed) + "\n"] if fuzzed else []
    for part, programs in PROGRAMS.items():
        mine = [each for each in tried if each.part == part]
        if not mine:
            continue
        lines.append(f"## {part[0].upper()}{part[1:]}: {_sizes(mine)}\n")
        lines.append("| fault | faults | harmful | " + " | ".join(programs) + " |")
        lines.append("|---" * (len(programs) + 3) + "|")
        lines += _rows(mine, programs)
        lines.append("")
    return "\n".join(lines)


_MANY: Final = 1_000_000
_FEW: Final = 8  # that are named


def _inputs(fuzzed: list[Fuzzed]) -> str:
    """What `make fuzz` put to the parsers, and what came out."""
    seeds = ", ".join(str(seed) for seed in sorted({each.seed for each in fuzzed}))
    few = sorted((each for each in fuzzed if each.calls < _MANY), key=lambda each: each.calls)
    reached = f"a million or more to {len(fuzzed) - len(few)} of them"
    if few:
        named = ", ".join(f"{each.calls:,} to *{each.name}*" for each in few[:_FEW])
        reached += f", to each other between {few[0].calls:,} and {few[-1].calls:,}; least to those"
        reached += f" that cost most: {named}"
    broken = sum(each.broken for each in fuzzed)
    return _filled(
        f"Mutated inputs, by `make fuzz` with the seed {seeds}:"
        f" {sum(each.calls for each in fuzzed):,} to the {len(fuzzed)} entries of the parsers;"
        f" {reached}. {broken or 'None'} came out as anything but a value or ParseError, the"
        f" longest took {max(each.longest_seconds for each in fuzzed) * 1000:.0f} ms, the process"
        f" {max(each.memory_mib for each in fuzzed)} MiB."
    )


def _filled(text: str) -> str:
    return fill(text, width=100, break_on_hyphens=False)


def _sizes(tried: list[Tried]) -> str:
    """How many seeds, which, and of which majors."""
    numbers = sorted({each.seed for each in tried})
    majors = ", ".join(str(each) for each in sorted({each.major for each in tried}))
    seeds = "1 seed" if len(numbers) == 1 else f"{len(numbers)} seeds"
    return f"{seeds}, {numbers[0]} to {numbers[-1]}; PostgreSQL {majors}"


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
    return _filled(
        f"**{len(tried):,} cases of {kinds} kinds: {ours.harmful:,} harmful,"
        f" of which `pitr-check` missed {ours.harmful - ours.found:,} and did not name"
        f" {ours.found - ours.named:,}; {harmless:,} healthy or harmless, with {ours.false:,} false"
        f" alarms. {restored:,} were restored to decide.**"
    )
