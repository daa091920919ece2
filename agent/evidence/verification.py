"""What a verification says: lines for a person, and the document `pitr-evidence-verification/1`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from agent.documents.values import json_time, printed_time
from agent.evidence.verify import ArchiveToday, State
from agent.language import say
from agent.printable import printable
from parsers.sentences import indented, joined, tr, trn
from rules.evidence.chain import Chain, Link, Problem, ProblemKind
from rules.model.counted import counted
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
    verdict, summary = verdict_of_evidence(chain, archives), _summary(directory, chain, archives)
    yield tr("{verdict}: {summary}", verdict=verdict.word, summary=summary)
    first, last = chain.first, chain.last
    if first is not None and last is not None:
        yield tr(
            "  {statements} with a right signature, {first} to {last}, {begin} to {end}",
            statements=counted(len(chain.links), "statement"),
            first=first.statement.sequence,
            last=last.statement.sequence,
            begin=printed_time(first.statement.at),
            end=printed_time(last.statement.at),
        )
        yield tr("  the newest: sha256 {digest}", digest=last.digest)
    yield from (tr("  signed by key {key}", key=key) for key in chain.keys)
    yield from _few(indented(_problem_line(each)) for each in chain.problems)
    yield from (tr("  note: {note}", note=note) for note in chain.notes)
    for archive in archives:
        yield from _archive_lines(archive)


def _summary(directory: Path, chain: Chain, archives: Sequence[ArchiveToday]) -> str:
    """What the verdict rests on: the chain, or else the archives beside it."""
    if count := len(chain.problems):
        return trn(
            "the chain in {directory}: {n} thing is not as written",
            "the chain in {directory}: {n} things are not as written",
            count,
            directory=directory,
        )
    if count := sum(len(each.of("altered")) + len(each.of("absent")) for each in archives):
        return trn(
            "{n} segment is not as the chain in {directory}, which is whole, proves it",
            "{n} segments are not as the chain in {directory}, which is whole, proves them",
            count,
            directory=directory,
        )
    if verdict_of_evidence(chain, archives) is Verdict.UNKNOWN:
        return tr(
            "the chain in {directory} is whole, but not all segments could be held against it",
            directory=directory,
        )
    return tr("the chain in {directory} is whole", directory=directory)


_KINDS: Final[dict[ProblemKind, str]] = {
    "altered": tr("altered"), "removed": tr("removed"), "cut": tr("cut"),
    "out_of_order": tr("out of order"), "repeated": tr("repeated"),
    "another_key": tr("another key"), "another_chain": tr("another chain"),
    "broken_link": tr("broken link"), "clock_set_back": tr("clock set back"), "head": tr("head"),
    "found": tr("found"), "wal_digest": tr("wal digest"),
}  # fmt: skip


def _problem_line(problem: Problem) -> str:
    where = []
    if problem.sequence is not None:
        where.append(tr("statement {sequence}", sequence=problem.sequence))
    if problem.file:
        where.append(tr("{file} line {line}", file=problem.file, line=problem.line))
    line = tr(
        "{where}: {kind}: {detail}",
        where=joined(", ", where or [tr("the chain")]),
        kind=_KINDS[problem.kind],
        detail=problem.detail,
    )
    return printable(say(line))


_STATES: Final[dict[State, str]] = {
    "altered": tr("  {name}: altered: its bytes are not those that statement {statement} proved"),
    "absent": tr("  {name}: absent: statement {statement} proved it"),
    "unread": tr("  {name}: unread: {why}"),
}


def _archive_lines(archive: ArchiveToday) -> Iterator[str]:
    if archive.proven is None:
        yield tr("{url}: no statement is about this archive", url=archive.url)
        return
    yield trn(
        "{url}: {n} of {segments} holds the bytes that were proven",
        "{url}: {n} of {segments} hold the bytes that were proven",
        len(archive.of("same")),
        url=archive.url,
        segments=counted(len(archive.segments), "proven segment"),
    )
    for state, text in _STATES.items():
        yield from _few(
            tr(text, name=each.name, statement=each.statement, why=each.detail)
            for each in archive.of(state)
        )
    yield from _few(tr("  {name}: never signed", name=name) for name in archive.never_signed)
    for names, told in (
        (archive.later, tr("  never signed, and newer than what was: {count}, {span}")),
        (archive.earlier, tr("  never signed, and older than what was: {count}, {span}")),
    ):
        if names:
            span = names[0]
            if len(names) > 1:
                span = tr("{first} to {last}", first=names[0], last=names[-1])
            yield tr(told, count=counted(len(names), "segment"), span=span)


def _few(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(all_lines := [*lines]):
        if number == _LINES_MAX:
            more = len(all_lines) - _LINES_MAX
            yield tr("  … and {more} more: --format json has all", more=more)
            return
        yield line
