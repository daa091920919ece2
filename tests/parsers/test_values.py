"""Data classes that are finished late are the standard library's in all that one can see."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import KW_ONLY, field, fields, replace
from pathlib import Path
from typing import Any

import pytest

from parsers import values
from parsers.files.timeline_history import TimelineHistory

ROOMS = ("agent", "parsers", "rules")
Decorator = Callable[..., Any]


def _plain(dataclass: Decorator) -> Callable[[], Any]:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Plain:
        """As most are."""

        number: int
        text: str = "x"
        items: list[int] = field(default_factory=list, compare=False)
        hidden: str = field(default="h", repr=False)

    return lambda: Plain(number=3, text="y")


def _late(dataclass: Decorator) -> Callable[[], Any]:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Late:
        number: int
        twice: int = field(init=False, default=0)

        def __post_init__(self) -> None:
            object.__setattr__(self, "twice", 2 * self.number)

    return lambda: Late(number=3)


def _checked(dataclass: Decorator) -> Callable[[], Any]:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Checked:
        number: int
        text: str = "x"

        def __post_init__(self) -> None:
            if self.number > 5:
                raise ValueError(f"{self!r}")

    return lambda: Checked(number=3)


def _mutable(dataclass: Decorator) -> Callable[[], Any]:
    @dataclass(slots=True)
    class Mutable:
        number: int
        text: str = "x"

    return lambda: Mutable(3)


def _keywords(dataclass: Decorator) -> Callable[[], Any]:
    @dataclass(frozen=True, slots=True)
    class Keywords:
        number: int
        _: KW_ONLY
        text: str = "x"

    return lambda: Keywords(3, text="y")


def _derived(dataclass: Decorator) -> Callable[[], Any]:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Base:
        number: int

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Derived(Base):
        text: str = "x"

    return lambda: Derived(number=3)


def _own(dataclass: Decorator) -> Callable[[], Any]:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Own:
        number: int
        text: str = "x"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own) and other.number == self.number

        def __hash__(self) -> int:
            return self.number

    return lambda: Own(number=3)


def _matched(value: Any) -> object:
    match value:
        case object(number=number, text=text):
            return number, text
    return None


# Each is asked of a class of which nothing was asked before.
QUESTIONS: dict[str, Callable[[Callable[[], Any]], object]] = {
    "repr": lambda new: repr(new()),
    "equal": lambda new: (new() == new(), new() != new(), new() == 3),
    "hash": lambda new: hash(new()),
    "unknown field": lambda new: type(new())(number=3, no="field"),
    "one that is not given": lambda new: type(new())(number=3, twice=4),
    "nothing": lambda new: type(new())(),
    "positional": lambda new: type(new())(3),
    "too many": lambda new: type(new())(1, 2, 3, 4, 5, 6),
    "more": lambda new: type(new())(number=6),
    "set": lambda new: setattr(new(), "number", 4),
    "delete": lambda new: delattr(new(), "number"),
    "set another": lambda new: setattr(new(), "unknown", 4),
    "replace": lambda new: repr(replace(new(), number=5)),
    "fields": lambda new: [(f.name, f.init, f.repr, f.kw_only) for f in fields(type(new()))],
    "is one": lambda new: dataclasses.is_dataclass(type(new())),
    "copy": lambda new: repr(copy.copy(new())),
    "deep copy": lambda new: copy.deepcopy(new()) == new(),
    "dict": lambda new: dataclasses.asdict(new()),
    "match": lambda new: _matched(new()),
    "match arguments": lambda new: (new().number, type(new()).__match_args__),
    "slots": lambda new: (type(new()).__slots__, hasattr(new(), "__dict__")),
    "doc": lambda new: (repr(new()), type(new()).__doc__),
    "many": lambda new: [repr(new()) for _ in range(40)][-1],
    "many of a kind": lambda new: len({new().number for _ in range(40)}),
}


def _answer(question: str, new: Callable[[], Any]) -> str:
    try:
        return repr(QUESTIONS[question](new))
    except Exception as error:
        return repr(error)


KINDS = [_plain, _late, _checked, _mutable, _keywords, _derived, _own]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("make", KINDS)
def test_it_is_the_standard_librarys(make: Any, question: str) -> None:
    expected = _answer(question, make(dataclasses.dataclass))
    new = make(values.dataclass)
    assert _answer(question, new) == expected
    for each in QUESTIONS:  # and once it is finished
        assert _answer(each, new) == _answer(each, make(dataclasses.dataclass))


def test_many_threads_make_the_first_value() -> None:
    for make in KINDS:
        new, said = make(values.dataclass), list[str]()
        barrier = threading.Barrier(8)

        def begin(new: Any = new, said: list[str] = said, barrier: Any = barrier) -> None:
            barrier.wait()
            said += [repr(new()) for _ in range(20)]

        threads = [threading.Thread(target=begin) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert said == [repr(make(dataclasses.dataclass)())] * 160


def test_the_first_value_of_a_process_may_be_unpickled() -> None:
    value = TimelineHistory(timeline=2, entries=())
    code = (
        "import pickle, sys; value = pickle.load(sys.stdin.buffer);"
        " print(value == pickle.loads(pickle.dumps(value)), hash(value) == hash(value), value)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(value), capture_output=True, check=True
    )
    assert ran.stdout.decode() == f"True True {value}\n"


def test_the_house_has_no_other_data_classes_with_slots() -> None:
    house = Path(values.__file__).parents[1]
    other = re.compile(r"^from dataclasses import .*\bdataclass\b", re.M)
    files = {path: path.read_text() for room in ROOMS for path in (house / room).rglob("*.py")}
    found = [path for path, text in files.items() if "slots=True" in text and other.search(text)]
    assert not found, "import dataclass from parsers.values"
