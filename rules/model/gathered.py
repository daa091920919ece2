"""Things of one kind, told together once they are many: one finding a cause, not one a segment."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Final, TypedDict, TypeVar

from parsers.sentences import tr
from rules.model.counted import among

T = TypeVar("T")


class SegmentSpan(TypedDict, total=False):
    """Between which segments a finding lies, and how many it is about."""

    first: str
    last: str
    segments: int


_FEW: Final = 3  # a person wants each of these by itself


def gathered(
    items: Iterable[T], cause: Callable[[T], Hashable], *, few: int = _FEW
) -> Iterator[list[T]]:
    """Groups of what has one cause, in the order of their first; each of a few for itself.

    >>> list(gathered(["a1", "b1", "a2", "a3", "a4"], lambda item: item[0]))
    [['a1', 'a2', 'a3', 'a4'], ['b1']]
    >>> list(gathered(["a1", "b1", "a2"], lambda item: item[0]))
    [['a1'], ['a2'], ['b1']]
    """
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(cause(item), []).append(item)
    for group in groups.values():
        if len(group) > few:
            yield group
        else:
            yield from ([item] for item in group)


def so_are_more(told: str, names: Sequence[str]) -> str:
    """What is told of one segment, of a group: and of the others."""
    if len(names) == 1:
        return told
    more, segments = len(names) - 1, among(names)
    return tr("{told}; so are {more} more, {segments}", told=told, more=more, segments=segments)


def span_of(names: Sequence[str]) -> SegmentSpan:
    """The evidence of a finding about several segments; nothing for one."""
    if len(names) == 1:
        return SegmentSpan()
    return SegmentSpan(first=min(names), last=max(names), segments=len(names))
