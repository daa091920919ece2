"""Whether a chain of signed statements is whole: each there, in order, unaltered, by a known key.

Each statement has a number and names the digest of the one before it; the head, a small signed file
beside them, names the newest. So a change, a removal, a second order or a cut of the end shows.
What no chain can show by itself is that *everything* was set back to what it once was, head
included: for that somebody must remember a digest elsewhere (`expected`).

A writer that is killed leaves at most a last line that is no whole one, and a head that names the
statement before: neither is held against the chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field
from datetime import timedelta
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from parsers.errors import ParseError
from parsers.evidence.envelope import Envelope, parse_envelope
from parsers.evidence.statement import (
    HEAD_TYPE,
    PAYLOAD_TYPE,
    Head,
    Statement,
    parse_head,
    parse_statement,
)
from parsers.sentences import tr
from parsers.values import dataclass
from rules.evidence.inventory import Inventory
from rules.model.counted import counted

ProblemKind = Literal[
    "altered", "removed", "cut", "out_of_order", "repeated", "another_key", "another_chain",
    "broken_link", "clock_set_back", "head", "found", "wal_digest",
]  # fmt: skip
# Clocks of several writers differ, and a clock that is kept right is set back by less.
CLOCK_TOLERANCE: Final = timedelta(minutes=1)

# Whether an envelope's signature is one of this key, by its id. None: by none that was given.
Verify = Callable[[Envelope], str | None]


class Line(NamedTuple):
    """One line of a file of statements."""

    file: str
    number: int  # in that file, from 1
    digest: str  # SHA-256 of its bytes, without the line's end
    data: bytes
    ended: bool  # by a line's end: the last one of a chain need not be


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is not as it was written."""

    kind: ProblemKind
    detail: str  # one line for a person
    sequence: int | None = None  # of the statement; None: not known
    file: str | None = None
    line: int | None = None


class Link(NamedTuple):
    """A statement whose signature is right, and where it stands."""

    statement: Statement
    digest: str
    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A directory of statements, judged."""

    links: tuple[Link, ...]  # whose signature is right, in the order of the files
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()  # nothing is wrong, and somebody may want to know
    keys: tuple[str, ...] = ()  # that signed them
    inventories: dict[str, Proven] = field(default_factory=dict)  # by name

    @property
    def first(self) -> Link | None:
        return self.links[0] if self.links else None

    @property
    def last(self) -> Link | None:
        return max(self.links, key=lambda link: link.statement.sequence, default=None)


@dataclass(slots=True, kw_only=True)
class Proven:
    """The WAL of one subject, as the newest statement about it says."""

    name: str
    archives: tuple[str, ...]
    inventory: Inventory
    signed_by: dict[str, int] = field(default_factory=dict)  # segment -> statement that proved it


def judge_chain(
    lines: Iterable[Line], head: bytes | None, verify: Verify, expected: Sequence[str] = ()
) -> Chain:
    """Judge all the lines of a directory, its files in the order of their names.

    `head` is what the head's file holds, None where there is none. `expected` are digests of
    statements that somebody remembers: they must be there.
    """
    reading = _Reading(verify)
    for line in lines:
        reading.take(line)
    links = reading.links
    known = _of_one_chain(links, reading.problems)
    problems = [
        *reading.problems,
        *_order(known, reading.bad_after),
        *_links(known),
        *_clock(known),
    ]
    end, notes = _end(known, head, verify, reading.torn, _bad_at_end(reading, known))
    problems += end
    problems += [_at(link, "found", said) for link in known for said in link.statement.found]
    there = {link.digest for link in links}
    problems += [
        Problem(
            kind="cut",
            detail=tr("no statement has the digest {digest}, which was expected", digest=digest),
        )
        for digest in expected
        if digest not in there
    ]
    inventories, wrong = _replay(known)
    if not problems:  # else what is absent explains it
        problems += wrong
    return Chain(
        links=tuple(links),
        problems=tuple(problems),
        notes=(*_small_steps(known), *notes),
        keys=tuple(dict.fromkeys(reading.keys)),
        inventories=inventories,
    )


class _Reading:
    """Takes line after line: what is signed as it should be, and what is not."""

    def __init__(self, verify: Verify) -> None:
        self.links: list[Link] = []
        self.problems: list[Problem] = []
        self.keys: list[str] = []
        self.bad_after: dict[int, int] = {}  # place of a link -> bad lines that follow it
        self.torn: Line | None = None
        self._verify = verify

    def take(self, line: Line) -> None:
        if self.torn is not None:  # another line follows it: no writer left it so
            self._bad(self.torn, "altered", tr("it has no end, and others follow"))
            self.torn = None
        if not line.ended:
            self.torn = line
            return
        try:
            envelope = parse_envelope(line.data)
            statement = parse_statement(envelope.payload)
        except ParseError as error:
            self._bad(line, "altered", error.message)
            return
        key = self._verify(envelope)
        if key is None or envelope.payload_type != PAYLOAD_TYPE:
            self._bad(line, *_why_not(envelope, statement))
            return
        self.keys.append(key)
        self.links.append(Link(statement, line.digest, line.file, line.number))

    def _bad(self, line: Line, kind: ProblemKind, detail: str) -> None:
        place = len(self.links) - 1
        self.bad_after[place] = self.bad_after.get(place, 0) + 1
        self.problems.append(Problem(kind=kind, detail=detail, file=line.file, line=line.number))


def _why_not(envelope: Envelope, statement: Statement) -> tuple[ProblemKind, str]:
    number = statement.sequence
    if envelope.payload_type != PAYLOAD_TYPE:
        return "altered", tr(
            "its payload is of another type; it says that it is statement {number}", number=number
        )
    return "another_key", tr(
        "its signature is by no key that was given, or it was altered; it says that it is "
        "statement {number}, of the key {key}",
        number=number,
        key=envelope.key_id[:16] or tr("(none)"),
    )


def _of_one_chain(links: Sequence[Link], problems: list[Problem]) -> list[Link]:
    """Those of the first one's chain; the others are named."""
    chain = links[0].statement.chain if links else ""
    problems += [
        _at(link, "another_chain", tr("it belongs to another chain"))
        for link in links
        if link.statement.chain != chain
    ]
    return [link for link in links if link.statement.chain == chain]


def _at(link: Link, kind: ProblemKind, detail: str) -> Problem:
    return Problem(
        kind=kind, detail=detail, sequence=link.statement.sequence, file=link.file, line=link.line
    )


def _order(links: Sequence[Link], bad_after: dict[int, int]) -> Iterator[Problem]:
    """What is not there, there twice, or not where it belongs."""
    at_place = {link.statement.sequence: place for place, link in reversed([*enumerate(links)])}
    highest, seen = 0, set[int]()
    for link in links:
        sequence = link.statement.sequence
        if sequence in seen:
            yield _at(link, "repeated", tr("statement {number} is there before", number=sequence))
        elif sequence < highest:
            yield _at(
                link,
                "out_of_order",
                tr("statement {number} stands after {highest}", number=sequence, highest=highest),
            )
        seen.add(sequence)
        highest = max(highest, sequence)
    begin = _begins_at(links)
    before = begin - 1
    for sequence in sorted(at_place):
        if sequence < begin:
            continue
        place = at_place[sequence]
        bad = bad_after.get(place - 1, 0)  # a line that cannot be read may be the one
        lacking = sequence - before - 1 - bad
        if lacking > 0:
            first = before + 1
            yield _at(links[place], "removed", _lacks(first, sequence - 1, lacking))
        before = sequence


def _begins_at(links: Sequence[Link]) -> int:
    """The number that the first statement must have: the writer itself may have dropped others."""
    if not links:
        return 1
    lowest = min(links, key=lambda link: link.statement.sequence).statement
    for link in links:
        removal = link.statement.removal
        if removal is None or removal.through < lowest.sequence - 1:
            continue
        if removal.through > lowest.sequence - 1 or removal.digest == lowest.previous:
            return lowest.sequence
    return 1


def _lacks(first: int, last: int, count: int) -> str:
    if first == last:
        return tr("statement {number} is not there", number=first)
    if count == last - first + 1:
        return tr("statements {first} to {last} are not there", first=first, last=last)
    return tr(
        "{some} of statements {first} to {last} are not there",
        some=counted(count, "statement"),
        first=first,
        last=last,
    )


def _links(links: Sequence[Link]) -> Iterator[Problem]:
    """Each must name the one before, where that is there."""
    by_number = {link.statement.sequence: link for link in reversed(links)}
    for link in links:
        statement = link.statement
        before = by_number.get(statement.sequence - 1)
        named = statement.previous
        if before is not None and named != before.digest:
            detail = tr(
                "it names another statement before it than {number} is",
                number=before.statement.sequence,
            )
            yield _at(link, "broken_link", detail)
        elif (named is None) != (statement.sequence == 1):
            yield _at(link, "broken_link", tr("only the first statement names none before it"))


def _steps_back(links: Sequence[Link]) -> Iterator[tuple[Link, timedelta]]:
    ordered = sorted(links, key=lambda link: link.statement.sequence)
    for before, link in pairwise(ordered):
        step = before.statement.at - link.statement.at
        if step > timedelta(0):
            yield link, step


def _clock(links: Sequence[Link]) -> Iterator[Problem]:
    for link, step in _steps_back(links):
        if step > CLOCK_TOLERANCE:
            said = tr(
                "its time, {at}, is {step} before the one before it",
                at=link.statement.at.isoformat(),
                step=step,
            )
            yield _at(link, "clock_set_back", said)


def _small_steps(links: Sequence[Link]) -> Iterator[str]:
    small = [step for _, step in _steps_back(links) if step <= CLOCK_TOLERANCE]
    if small:
        yield tr(
            "clocks differed or were set back {times}, by {most} at most",
            times=counted(len(small), "time"),
            most=max(small),
        )


def _bad_at_end(reading: _Reading, links: Sequence[Link]) -> int:
    return reading.bad_after.get(len(links) - 1, 0)


def _end(
    links: Sequence[Link], head: bytes | None, verify: Verify, torn: Line | None, bad: int
) -> tuple[list[Problem], list[str]]:
    """Whether the end is the end. `bad` lines stand there that cannot be read."""
    notes: list[str] = []
    if torn is not None:
        notes.append(
            tr(
                "{file}: a writer was ended within its last statement, which is not kept",
                file=torn.file,
            )
        )
    last = max(links, key=lambda link: link.statement.sequence, default=None)
    if head is None:
        lags = last is None or last.statement.sequence == 1  # the writer was ended before it
        gone = Problem(kind="head", detail=tr("the head is not there: the end may have been cut"))
        return ([] if lags else [gone]), notes
    said = _head_of(head, verify)
    if isinstance(said, str):
        return [Problem(kind="head", detail=said)], notes
    if last is None or said.sequence > last.statement.sequence + bad:
        first = last.statement.sequence + 1 if last else 1
        lacks = _lacks(first, said.sequence, said.sequence - first + 1)
        detail = tr("{lacks}: the head names them", lacks=lacks)
        return [Problem(kind="cut", sequence=first, detail=detail)], notes
    return _head_and(last, said, links), notes


def _head_of(data: bytes, verify: Verify) -> Head | str:
    """What the head says; a text: why it cannot be believed."""
    try:
        envelope = parse_envelope(data.removesuffix(b"\n"))
        head = parse_head(envelope.payload)
    except ParseError as error:
        return tr("the head was altered: {error}", error=error.message)
    if envelope.payload_type != HEAD_TYPE or verify(envelope) is None:
        return tr("the head is signed by no key that was given, or it was altered")
    return head


def _head_and(last: Link, head: Head, links: Sequence[Link]) -> list[Problem]:
    """A head may be one statement behind: its writer was ended between the two."""
    if head.chain != last.statement.chain:
        return [Problem(kind="head", detail=tr("the head belongs to another chain"))]
    if head.sequence < last.statement.sequence - 1:
        said = tr(
            "the head is of statement {number}: older than statements that follow it",
            number=head.sequence,
        )
        return [Problem(kind="head", detail=said)]
    named = [link for link in links if link.statement.sequence == head.sequence]
    if named and named[0].digest != head.digest:
        return [_at(named[0], "head", tr("the head names another statement of this number"))]
    return []


def _replay(links: Sequence[Link]) -> tuple[dict[str, Proven], list[Problem]]:
    """Which segments are proven at the end, and whether each statement counts them right."""
    proven: dict[str, Proven] = {}
    wrong = []
    for link in sorted(links, key=lambda link: link.statement.sequence):
        change = link.statement.wal
        if change is None:
            continue
        known = proven.setdefault(
            change.name,
            Proven(name=change.name, archives=change.archives, inventory=Inventory()),
        )
        known.archives = change.archives
        known.inventory.take(change)
        for name in change.read:
            known.signed_by[name] = link.statement.sequence
        if (known.inventory.root, len(known.inventory.digests)) != (change.root, change.count):
            wrong.append(
                _at(link, "wal_digest", tr("its digest of the WAL is not that of its segments"))
            )
    return proven, wrong
