"""How a fact is worked out of others: found by its type, remembered by the identity of its inputs.

A derivation is a function with the `derived` decorator. The types of its parameters say what it
needs; `X | None` marks what it can do without; the type that it returns is the fact that it gives,
and None says that nothing can be said. It is asked again when one of its inputs is another object,
and what it gave is dropped as soon as something that it needs is gone.
"""

from __future__ import annotations

import importlib
import operator
import pkgutil
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final, TypeVar

from rules.model.evidence import KnownFacts

Function = TypeVar("Function", bound=Callable[..., object])


@dataclass(frozen=True, kw_only=True)
class Derivation:
    """One derived fact, and what it rests on."""

    kind: type
    needs: Mapping[str, type]  # parameter -> fact
    wants: Mapping[str, type]  # the same for those it can do without
    slow: bool  # may take seconds on a large archive: an agent gives it a thread and a deadline
    function: Callable[..., object]

    @cached_property
    def inputs(self) -> Mapping[str, type]:
        return {**self.needs, **self.wants}


_REGISTERED: Final[dict[type, Derivation]] = {}


def derived(*, slow: bool = False) -> Callable[[Function], Function]:
    """Register a function as the one place where the fact of its return type is worked out."""

    def register(function: Function) -> Function:
        hints = typing.get_type_hints(function)
        kind, _ = _plain(hints.pop("return"))
        plain = {name: _plain(hint) for name, hint in hints.items()}
        if kind in _REGISTERED:
            raise TypeError(f"{kind.__name__} is derived twice")
        _REGISTERED[kind] = Derivation(
            kind=kind,
            needs={name: fact for name, (fact, optional) in plain.items() if not optional},
            wants={name: fact for name, (fact, optional) in plain.items() if optional},
            slow=slow,
            function=function,
        )
        return function

    return register


def _plain(hint: object) -> tuple[type, bool]:
    """The type of a hint, and whether None is one of its values."""
    if isinstance(hint, types.UnionType):
        (fact,) = (part for part in hint.__args__ if part is not types.NoneType)
        return fact, True
    assert isinstance(hint, type), f"{hint} is no fact"
    return hint, False


@cache
def derivations() -> Mapping[type, Derivation]:
    """Every derivation of rules/case/derived/, by the fact that it gives."""
    from rules.case import derived as folder

    for module in pkgutil.iter_modules(folder.__path__):
        importlib.import_module(f"{folder.__name__}.{module.name}")
    return types.MappingProxyType(_REGISTERED)


class DerivedMemory:
    """What was derived last of each fact, and of which inputs."""

    def __init__(self) -> None:
        self._held: dict[type, tuple[tuple[object, ...], object]] = {}
        self.version = 0  # another one: what a case was given may be given otherwise now

    def give(self, derivation: Derivation, known: KnownFacts, *, patient: bool) -> object:
        """The fact, or None. An impatient caller gets what a slow derivation gave last."""
        inputs = {name: known.get(kind) for name, kind in derivation.inputs.items()}
        if any(inputs[name] is None for name in derivation.needs):
            self.drop(derivation.kind)
            return None
        asked = tuple(inputs.values())
        held = self._held.get(derivation.kind)
        if held is not None and all(map(operator.is_, held[0], asked)):
            return held[1]
        if derivation.slow and not patient:
            return held[1] if held is not None else None
        given = derivation.function(**inputs)
        self._held[derivation.kind] = asked, given
        if derivation.slow:  # a fast one is worked out by whoever asks
            self.version += 1
        return given

    def drop(self, kind: type) -> None:
        """Forget a fact; what rests on it goes when it is asked for next."""
        if self._held.pop(kind, None) is not None:
            self.version += 1
