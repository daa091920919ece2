"""What a verification says: lines for a person, and the document `pitr-evidence-verification/1`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from agent.documents.values import json_time, printed_time
from agent.evidence.verify import ArchiveToday, State
from agent.printable import printable
from rules.evidence.chain import Chain, Link, Problem
from rules.model.counted import counted, verb
from rules.model.findings import Verdict

SCHEMA: Final = "pitr-evidence-verification/1"
_LINES_MAX: Final = 50  # of one kind, for a person; the document has all


def verdict_of_evidence(chain: Chain, archives: Sequence[ArchiveToday]) -> Verdict:
    """Critical: something is proven not to be as it was signed. Unknown: not all could be told."""
    altered = any(each.of("altered") or each.of("absent") for each in archives)
    if chain.problems or altered:
        return Verdict.CRITICAL
    unsure = any(a.proven is None or a.of("unread") or a.never_signed for a in archives)
    return Verdict.UNKNOWN if unsure else Verdict.OK


def verification_document(
    directory: Path, chain: Chain, archives: Sequence[ArchiveToday]
) -> dict[str, Any]:
    """Every key always there."""
    return {
        "schema": SCHEMA,
        "verdict": verdict_of_evidence(chain, archives).value,
        "directory": str(directory),
        "statements": len(chain.links),
        "first": _link(chain.first),
        "last": _link(chain.last),
        "keys": list(chain.keys),
        "problems": [_problem(each) for each in chain.problems],
        "notes": list(chain.notes),
        "archives": [_archive(each) for each in archives],
    }


def unverified_document(directory: Path, why: str) -> dict[str, Any]:
    """The same where the verification did not come to its end."""
    nothing = verification_document(directory, Chain(links=(), problems=(), notes=(why,)), ())
    return {**nothing, "verdict": Verdict.UNKNOWN.value}


def _link(link: Link | None) -> dict[str, Any] | None:
    if link is None:
        return None
    said = link.statement
    return {"sequence": said.sequence, "at": json_time(said.at), "sha256": link.digest}


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "kind": problem.kind,
        "statement": problem.sequence,
        "file": problem.file,
        "line": problem.line,
        "detail": problem.detail,
    }


def _archive(archive: ArchiveToday) -> dict[str, Any]:
    return {
        "url": archive.url,
        "proven": archive.proven,
        "same": len(archive.of("same")),
        "altered": [
            {"segment": s.name, "statement": s.statement, "proven": s.proven,
             "today": list(s.today)}
            for s in archive.of("altered")
        ],
        "absent": [
            {"segment": s.name, "statement": s.statement, "proven": s.proven}
            for s in archive.of("absent")
        ],
        "unread": [
            {"segment": s.name, "statement": s.statement, "why": s.detail}
            for s in archive.of("unread")
        ],
        "never_signed": list(archive.never_signed),
        "later": list(archive.later),
        "earlier": list(archive.earlier),
    }  # fmt: skip


def verification_lines(
    directory: Path, chain: Chain, archives: Sequence[ArchiveToday]
) -> Iterator[str]:
    """For a person."""
    yield f"{verdict_of_evidence(chain, archives).value.upper()}: {_summary(directory, chain)}"
    first, last = chain.first, chain.last
    if first is not None and last is not None:
        yield (
            f"  {counted(len(chain.links), 'statement')} with a right signature,"
            f" {first.statement.sequence} to {last.statement.sequence},"
            f" {printed_time(first.statement.at)} to {printed_time(last.statement.at)}"
        )
        yield f"  the newest: sha256 {last.digest}"
    for key in chain.keys:
        yield f"  signed by key {key}"
    yield from _few(f"  {_problem_line(each)}" for each in chain.problems)
    for note in chain.notes:
        yield f"  note: {note}"
    for archive in archives:
        yield from _archive_lines(archive)


def _summary(directory: Path, chain: Chain) -> str:
    count = len(chain.problems)
    if not count:
        return f"the chain in {directory} is whole"
    return (
        f"the chain in {directory}: {count} {verb(count, 'thing is', 'things are')} not as written"
    )


def _problem_line(problem: Problem) -> str:
    where = [f"statement {problem.sequence}"] if problem.sequence is not None else []
    where += [f"{problem.file} line {problem.line}"] if problem.file else []
    kind = problem.kind.replace("_", " ")
    return printable(f"{', '.join(where) or 'the chain'}: {kind}: {problem.detail}")


_STATES: Final[dict[State, str]] = {
    "altered": "altered: its bytes are not those that statement {} proved",
    "absent": "absent: statement {} proved it",
    "unread": "unread: {}",
}


def _archive_lines(archive: ArchiveToday) -> Iterator[str]:
    if archive.proven is None:
        yield f"{archive.url}: no statement is about this archive"
        return
    same = len(archive.of("same"))
    yield (
        f"{archive.url}: {same} of {counted(len(archive.segments), 'proven segment')}"
        f" {verb(same, 'holds', 'hold')} the bytes that were proven"
    )
    for state, text in _STATES.items():
        yield from _few(
            f"  {each.name}: {text.format(each.detail if state == 'unread' else each.statement)}"
            for each in archive.of(state)
        )
    yield from _few(f"  {name}: never signed" for name in archive.never_signed)
    for names, what in ((archive.later, "newer"), (archive.earlier, "older")):
        if names:
            span = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
            count = counted(len(names), "segment")
            yield f"  never signed, and {what} than what was: {count}, {span}"


def _few(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(all_lines := [*lines]):
        if number == _LINES_MAX:
            yield f"  … and {len(all_lines) - _LINES_MAX} more: --format json has all"
            return
        yield line
