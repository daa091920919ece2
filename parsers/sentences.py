"""Sentences of ours, which can be said in another language.

A `Sentence` is a str, in English: JSON, metrics, logs and comparisons take it as it is. It also
keeps the template that it was made of and its fields, as they were given; with these
`agent.language.say` says it in the language that somebody asked for. Whatever glues sentences
together must therefore be a sentence too: `tr("{path}: {error}", …)`, `joined(", ", parts)`, or
be said first: `f"  {say(line)}"`. `make translations` finds the calls in the source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Self

_NO_FIELDS: Final[Mapping[str, object]] = {}


class Sentence(str):
    """English, its template, and the fields in it. `plural` is the template of another number."""

    __slots__ = ("fields", "plural", "template")
    template: str
    plural: str | None
    fields: Mapping[str, Any]

    def __new__(
        cls, english: str, template: str, plural: str | None, fields: Mapping[str, Any]
    ) -> Self:
        made = super().__new__(cls, english)
        made.template, made.plural, made.fields = template, plural, fields
        return made

    def __reduce__(self) -> tuple[object, ...]:
        return Sentence, (str(self), self.template, self.plural, self.fields)


def tr(template: str, /, **fields: object) -> Sentence:
    """A sentence. A template without fields is no format: its braces and percents are its own.

    >>> tr("{name} is missing", name="000000010000000000000007")
    '000000010000000000000007 is missing'
    """
    if not fields:
        return Sentence(template, template, None, _NO_FIELDS)
    _without_errors(fields)
    return Sentence(template.format(**fields), template, None, fields)


def trn(one: str, many: str, n: int, /, **fields: object) -> Sentence:
    """A sentence by number, which stands in it as `{n}`.

    >>> trn("{n} file of {where}", "{n} files of {where}", 2, where="pg_wal")
    '2 files of pg_wal'
    """
    fields["n"] = n
    _without_errors(fields)
    return Sentence((one if n == 1 else many).format(**fields), one, many, fields)


def _without_errors(fields: dict[str, object]) -> None:
    """An error would hold the frames that it went through, and is not always to be pickled."""
    for name, field in fields.items():
        if isinstance(field, BaseException):
            fields[name] = message_of(field)


def joined(separator: str, parts: Iterable[str]) -> str:
    """What str.join gives, but of which each part can still be said in another language.

    >>> joined(", ", ["a", tr("b")])
    'a, b'
    """
    fields = {f"part{number}": part for number, part in enumerate(parts)}
    if not any(isinstance(part, Sentence) for part in (separator, *fields.values())):
        return separator.join(fields.values())
    return tr("{separator}".join(f"{{{name}}}" for name in fields), separator=separator, **fields)


def indented(line: str, by: int = 2) -> str:
    """A line further in."""
    return tr(f"{' ' * by}{{line}}", line=line)


def message_of(error: BaseException) -> str:
    """What str(error) says, as the sentence that it was raised with."""
    said = error.args[0] if len(error.args) == 1 else None
    return said if isinstance(said, Sentence) else str(error)
