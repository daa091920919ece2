"""What the statements of a period show, cluster by cluster.

What lies between two statements is taken to be as the first of them says, for a day at most: then
it is not known. So a time without statements is never counted as good.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Any, Final, NamedTuple

from parsers.evidence.statement import Statement
from parsers.values import dataclass

HOLDS_FOR: Final = timedelta(days=1)
NOT_KNOWN: Final = "not_known"


class StateSpan(NamedTuple):
    """A stretch of time in which something was the same."""

    state: str
    begin: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return (self.end - self.begin).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveShown:
    """One objective over the period: spans of `met`, `missed` and NOT_KNOWN."""

    name: str
    wanted_seconds: float  # as the last statement has it
    spans: tuple[StateSpan, ...]
    worst_seconds: float | None  # measured while it was missed; None: it never was


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationChange:
    """A setting that was another in the statement before."""

    at: datetime
    sequence: int
    key: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingShown:
    """A finding, and the statements that have it."""

    id: str
    severity: str
    first: datetime
    last: datetime
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterShown:
    """One cluster over the period."""

    name: str | None
    statements: tuple[Statement, ...]  # of the period: verdicts and drills
    verdicts: tuple[StateSpan, ...]
    objectives: tuple[ObjectiveShown, ...]
    drills: tuple[Statement, ...]
    changes: tuple[ConfigurationChange, ...]
    findings: tuple[FindingShown, ...]

    @property
    def coverage(self) -> Mapping[str, Any] | None:
        """As the period's last verdict says it that knows of drills, else as the last says it.

        A drill by itself knows of itself alone. None: no statement says it, older ones do not.
        """
        said = [each.predicate["verdict"].get("coverage") for each in self.statements]
        told = [each for each in said if each]
        of_verdicts = [
            covered
            for each, covered in zip(self.statements, said, strict=True)
            if covered and covered["drills"] and each.predicate["comparison"] is None
        ]
        return of_verdicts[-1] if of_verdicts else told[-1] if told else None


def show_period(
    statements: Iterable[Statement], begin: datetime, end: datetime
) -> list[ClusterShown]:
    """Each cluster that the period has a statement of, by name."""
    said = [each for each in statements if "verdict" in each.predicate and each.at < end]
    said.sort(key=lambda each: (each.cluster or "", each.sequence))
    shown = []
    for name, of_cluster in groupby(said, key=lambda each: each.cluster):
        known = list(of_cluster)
        if any(each.at >= begin for each in known):
            shown.append(_show(name, known, begin, end))
    return shown


def _show(
    name: str | None, known: Sequence[Statement], begin: datetime, end: datetime
) -> ClusterShown:
    """`known` begins before the period: what held when it began."""
    within = [each for each in known if each.at >= begin]
    # A drill looks at its backup no closer than it must: what holds, the verdicts say.
    judged = [each for each in known if each.kind == "verdict"] or known
    verdicts = [(each.at, str(each.predicate["verdict"]["verdict"])) for each in judged]
    return ClusterShown(
        name=name,
        statements=tuple(within),
        verdicts=_spans(verdicts, begin, end),
        objectives=tuple(_objectives(known, begin, end)),
        drills=tuple(each for each in within if each.kind == "drill"),
        changes=tuple(_changes(known, begin)),
        findings=tuple(_findings(within)),
    )


def _spans(
    states: Sequence[tuple[datetime, str]], begin: datetime, end: datetime
) -> tuple[StateSpan, ...]:
    """What held when, all of the period: neighbours of one state are one span."""
    cut: list[StateSpan] = []
    at = begin
    ends = [*(at for at, _ in states[1:]), end]
    for (since, state), until in zip(states, ends, strict=True):
        holds_until = min(until, since + HOLDS_FOR)
        for each in (
            StateSpan(state, since, holds_until),
            StateSpan(NOT_KNOWN, holds_until, until),
        ):
            span = StateSpan(each.state, max(each.begin, at), min(each.end, end))
            if span.end > span.begin:
                if span.begin > at:
                    cut.append(StateSpan(NOT_KNOWN, at, span.begin))
                cut.append(span)
                at = span.end
    if at < end:
        cut.append(StateSpan(NOT_KNOWN, at, end))
    return tuple(_joined(cut))


def _joined(spans: Sequence[StateSpan]) -> Iterator[StateSpan]:
    for state, same in groupby(spans, key=lambda span: span.state):
        parts = list(same)
        yield StateSpan(state, parts[0].begin, parts[-1].end)


_MET: Final = {True: "met", False: "missed", None: NOT_KNOWN}


def _objectives(
    known: Sequence[Statement], begin: datetime, end: datetime
) -> Iterator[ObjectiveShown]:
    """Of the statements that speak of it: a drill was told of none."""
    names = dict.fromkeys(each["objective"] for s in known for each in s.predicate["objectives"])
    for name in names:
        spoken = [(s.at, each) for s in known if (each := _one(s, name)) is not None]
        states = [(at, _MET[each["met"]]) for at, each in spoken]
        missed = [
            each["measured_seconds"]
            for at, each in spoken
            if each["met"] is False and at >= begin and each["measured_seconds"] is not None
        ]
        worst = min if name == "window" else max
        yield ObjectiveShown(
            name=name,
            wanted_seconds=spoken[-1][1]["wanted_seconds"],
            spans=_spans(states, begin, end),
            worst_seconds=worst(missed) if missed else None,
        )


def _one(statement: Statement, name: str) -> Mapping[str, Any] | None:
    found = (each for each in statement.predicate["objectives"] if each["objective"] == name)
    return next(found, None)


def _changes(known: Sequence[Statement], begin: datetime) -> Iterator[ConfigurationChange]:
    """Of statements by the same program: each says what it was told, and they are told apart."""
    by_program: dict[str, list[Statement]] = {}
    for each in known:
        by_program.setdefault(each.predicate["by"]["program"], []).append(each)
    for said in by_program.values():
        for before, after in pairwise(said):
            old, new = (_flat(each.predicate["configuration"]) for each in (before, after))
            for key in sorted(old.keys() | new.keys()):
                if old.get(key) != new.get(key) and after.at >= begin:
                    yield ConfigurationChange(
                        at=after.at,
                        sequence=after.sequence,
                        key=key,
                        before=old.get(key),
                        after=new.get(key),
                    )


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, each in value.items():
        if isinstance(each, Mapping):
            flat |= _flat(each, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = each
    return flat


def _findings(within: Sequence[Statement]) -> Iterator[FindingShown]:
    """Those that are more than information, in the order in which they came."""
    found: dict[tuple[str, str], list[datetime]] = {}
    for statement in within:
        said = statement.predicate["verdict"]["findings"]
        for key in dict.fromkeys((each["id"], each["severity"]) for each in said):
            if key[1] != "info":
                found.setdefault(key, []).append(statement.at)
    for (name, severity), times in found.items():
        yield FindingShown(
            id=name, severity=severity, first=times[0], last=times[-1], count=len(times)
        )
