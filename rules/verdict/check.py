"""The mechanism of the catalogue: what a check is, and how all of them are asked at once.

A check is a file in rules/catalogue/ or, of a fault of PostgreSQL, in rules/known_faults/, with one
decorated function of the file's name. Its
parameters say by their types which facts it needs; `X | None` marks a fact that it can do without;
`now` and `objectives` may be asked for too. The docstring of the file is its page:

    <title: one line>

    Why it matters
        …
    How to look (of a check that alerts)
        …
    What to do
        …
"""

from __future__ import annotations

import importlib
import inspect
import operator
import pkgutil
import traceback
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, Final

from parsers.sentences import tr
from parsers.values import dataclass
from rules import catalogue, known_faults
from rules.model.evidence import Evidence, RaisedFacts
from rules.model.facts import Objectives
from rules.model.findings import EvidenceValue, Finding, Severity


class NoPage(ImportError):
    """A check that cannot say what it means. One line for a person."""


class Found:
    """What a check yields: a line for a person, and its numbers."""

    def __init__(
        self,
        summary: str,
        *,
        remedy: str | None = None,
        cause: str | None = None,
        **evidence: EvidenceValue,
    ):
        self.summary = summary
        self.remedy = remedy  # when the page's "What to do" can be made concrete
        self.cause = cause  # of a restore's end: the same for whoever sees that it ended
        self.evidence = evidence


class Note(Found):
    """What a check yields where it may be so: info, whatever the check's severity.

    It is not counted in the metric and raises no alert: there, one id has one severity.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One entry of the catalogue."""

    id: str
    severity: Severity
    hold_seconds: float  # how long it must be found before it alerts
    asked: bool  # it answers a question that somebody asks: an agent never does
    needs: Mapping[str, type]  # parameter -> fact type
    wants: Mapping[str, type]  # the same for those it can do without
    function: Callable[..., Iterator[Found]]
    title: str
    why: str
    look: str  # how to find out more; empty for what only pitr-check finds
    remedy: str

    @property
    def inputs(self) -> frozenset[type]:
        """The fact types that it needs or can use."""
        return frozenset((*self.needs.values(), *self.wants.values()))

    def run(self, evidence: Evidence) -> list[Finding]:
        """Ask the check. The facts it needs must be there."""
        return self._said(self.arguments(evidence))

    def run_again(self, evidence: Evidence, answers: Answers) -> tuple[Finding, ...]:
        """The same. What it found before is found again if all that it is asked with is the same
        object: checks are pure functions of values.
        """
        arguments = self.arguments(evidence)
        asked = (self, *arguments.values())
        found: tuple[Finding, ...]
        found, *before = answers.get(self.id, ((),))
        if len(before) == len(asked) and all(map(operator.is_, before, asked)):
            return found
        answers.pop(self.id, None)
        found = tuple(self._said(arguments))
        answers[self.id] = (found, *asked)
        return found

    def _said(self, arguments: Mapping[str, Any]) -> list[Finding]:
        return [self._finding(found) for found in self.function(**arguments)]

    def ask(self, evidence: Evidence) -> Iterator[Found]:
        """What it finds, as it says it."""
        return self.function(**self.arguments(evidence))

    def arguments(self, evidence: Evidence) -> dict[str, Any]:
        """What its function is called with."""
        arguments: dict[str, Any] = {
            name: evidence.facts.get(fact)
            for facts in (self.needs, self.wants)
            for name, fact in facts.items()
        }
        for name in _context_asked_for(self.function):
            arguments[name] = getattr(evidence, name)
        return arguments

    def _finding(self, found: Found) -> Finding:
        return Finding(
            id=self.id,
            severity=Severity.INFO if isinstance(found, Note) else self.severity,
            note=isinstance(found, Note),
            summary=found.summary,
            remedy=found.remedy or self.remedy,
            evidence=found.evidence,
        )


OF_A_RUNNING_RESTORE: Final = frozenset({
    "restore_ended_short", "restore_failed", "restore_foreseen", "restore_paused",
    "restore_sources_disagree", "restore_stalled", "restore_unproven", "restore_without_signal",
})  # fmt: skip
# By check: what it found, itself, what it was asked with.
Answers = dict[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What all checks said, and which of them could not run."""

    findings: tuple[Finding, ...]
    known: Mapping[str, bool]  # check -> could it be asked; a check that does not apply is absent


def check(
    *, severity: Severity, hold_seconds: float = 0, asked: bool = False
) -> Callable[[Callable[..., Iterator[Found]]], Check]:
    """Make a catalogue entry of a function; the rest is read from its file's docstring."""

    def make(function: Callable[..., Iterator[Found]]) -> Check:
        needs, wants = _facts_asked_for(function)
        title, why, look, remedy = _read_page(_page_of(function))
        return Check(
            id=function.__name__,
            severity=severity,
            hold_seconds=hold_seconds,
            asked=asked,
            needs=needs,
            wants=wants,
            function=function,
            title=title,
            why=why,
            look=look,
            remedy=remedy,
        )

    return make


@cache
def _context_asked_for(function: Callable[..., object]) -> tuple[str, ...]:
    asked = inspect.signature(function).parameters
    return tuple(name for name in ("now", "objectives") if name in asked)


def _facts_asked_for(
    function: Callable[..., Iterator[Found]],
) -> tuple[dict[str, type], dict[str, type]]:
    needs: dict[str, type] = {}
    wants: dict[str, type] = {}
    for name, hint in typing.get_type_hints(function).items():
        if name == "return" or hint in (datetime, Objectives):
            continue
        if isinstance(hint, types.UnionType):
            wants[name] = next(part for part in hint.__args__ if part is not types.NoneType)
        else:
            needs[name] = hint
    return needs, wants


def _page_of(function: Callable[..., Iterator[Found]]) -> str:
    """The docstring of a check's file: from its source where Python drops docstrings (-OO)."""
    module = inspect.getmodule(function)
    if module is None:
        raise NoPage(tr("{module} cannot be found", module=function.__module__))
    page = inspect.getdoc(module)
    if page is None:
        import ast

        try:
            page = ast.get_docstring(ast.parse(inspect.getsource(module)))
        except (OSError, SyntaxError):
            raise NoPage(
                tr(
                    "{name} has no docstring and no source file: install the sources, or run"
                    " Python without -OO",
                    name=module.__name__,
                )
            ) from None
    if not page:
        raise NoPage(
            tr("{name} has no docstring: what it means cannot be told", name=module.__name__)
        )
    return page


def _read_page(page: str) -> tuple[str, str, str, str]:
    title, _, rest = page.partition("Why it matters\n")
    rest, _, remedy = rest.partition("What to do\n")
    why, _, look = rest.partition("How to look\n")
    return tr(title.strip()), _unwrap(why), _unwrap(look), _unwrap(remedy)


def _unwrap(text: str) -> str:
    return tr(" ".join(text.split()))


def hold_for(checks: Mapping[str, Check], seconds: float) -> dict[str, Check]:
    """The same checks with another patience than their own."""
    return {name: replace(entry, hold_seconds=seconds) for name, entry in checks.items()}


def load_catalogue(*, watching: bool = True) -> dict[str, Check]:
    """Every check of rules/catalogue/ and rules/known_faults/, by id.

    Without `watching` those are left out that only ask of a running restore: to read how it goes
    takes longer than to ask all the others.
    """
    checks: dict[str, Check] = {}
    for folder in (catalogue, known_faults):
        for module in pkgutil.iter_modules(folder.__path__):
            if module.name in OF_A_RUNNING_RESTORE and not watching:
                continue
            loaded = importlib.import_module(f"{folder.__name__}.{module.name}")
            entry = getattr(loaded, module.name)
            checks[entry.id] = entry
    return dict(sorted(checks.items()))


def judge(
    evidence: Evidence, checks: Mapping[str, Check], answers: Answers | None = None
) -> Judgement:
    """Ask every check whose facts are there; say of the others that they are not known.

    A check that raises is not known either, and ends no other: check_raised tells of it. `answers`
    are those of the judgement before, and become those of this one.
    """
    answers = {} if answers is None else answers
    findings: list[Finding] = []
    known: dict[str, bool] = {}
    errors: dict[str, str] = {}
    before: RaisedFacts = evidence.facts.get(RaisedFacts) or RaisedFacts(errors={})
    raised = replace(before, errors=errors)
    told = replace(evidence, facts={**evidence.facts, RaisedFacts: raised})
    for entry in sorted(checks.values(), key=lambda entry: RaisedFacts in entry.needs.values()):
        if not told.absent(entry.needs.values()):
            try:
                findings += entry.run_again(told, answers)
                known[entry.id] = True
            except Exception as error:
                errors[entry.id] = where(error)
                known[entry.id] = False
        elif all(need in told.facts or need in told.expected for need in entry.needs.values()):
            known[entry.id] = False
    return Judgement(findings=tuple(findings), known=known)


def where(error: Exception) -> str:
    """What an error says and where it comes from, in one line."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said} ({frame.f_globals.get('__name__')}:{line})"
