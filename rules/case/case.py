"""The case of one cluster: what readers observed, what a person set, and what follows of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import TypeVar, cast

from parsers.values import dataclass
from rules.case.context import Context
from rules.case.engine import DerivedMemory, derivations

T = TypeVar("T")


@dataclass(slots=True)
class _Given:
    """What a case has worked out, and which version of the memory that holds for."""

    version: int = -1
    facts: dict[type, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A value: `having` and `without` give another that remembers what this one worked out.

    A patient case works out whatever it is asked for. An impatient one, an agent's, answers at
    once: a slow fact is then the one that a patient copy gave last, for as long as what it rests on
    is there at all.
    """

    context: Context
    observations: Mapping[type, object] = field(default_factory=dict)
    patient: bool = True
    _memory: DerivedMemory = field(default_factory=DerivedMemory, repr=False, compare=False)
    _given: _Given = field(default_factory=_Given, init=False, repr=False, compare=False)

    def get(self, kind: type[T]) -> T | None:
        """The fact of a type; None when it was not observed and does not follow."""
        if kind in self.observations:
            return cast("T", self.observations[kind])
        if kind is Context:
            return cast("T", self.context)
        given, version = self._given, self._memory.version
        if given.version != version:
            given.facts.clear()
            given.version = version
        elif kind in given.facts:
            return cast("T | None", given.facts[kind])
        derivation = derivations().get(kind)
        if derivation is None:
            return None
        fact = self._memory.give(derivation, self, patient=self.patient)
        if self._memory.version == version:  # else what it rests on may have changed meanwhile
            given.facts[kind] = fact
        return cast("T | None", fact)

    def facts(self, kinds: Iterable[type]) -> dict[type, object]:
        """Those of these facts that are known."""
        known = {kind: self.get(kind) for kind in kinds}
        return {kind: fact for kind, fact in known.items() if fact is not None}

    def having(self, *observed: object) -> Case:
        """The same with newer observations."""
        return replace(
            self, observations={**self.observations, **{type(each): each for each in observed}}
        )

    def without(self, *kinds: type) -> Case:
        """The same where the last reading of a source failed."""
        kept = {kind: seen for kind, seen in self.observations.items() if kind not in kinds}
        return replace(self, observations=kept)

    def set(self, context: Context) -> Case:
        """The same under another context."""
        return replace(self, context=context)

    def waiting(self) -> Case:
        """A patient copy with the same memory: to be asked where there is time."""
        return replace(self, patient=True)

    def drop(self, kind: type) -> None:
        """Forget a slow fact that could not be worked out in time: it is not known any more."""
        self._memory.drop(kind)
