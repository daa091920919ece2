"""A sentence as one text, for a file or another machine, and the sentence again.

What came from there may be anything: a template that would format more than a person reads, or ask
its fields for more than their text, is refused.
"""

from __future__ import annotations

import json
import operator
import re
import string
from typing import Any, Final

from parsers.errors import ParseError
from parsers.sentences import Sentence, tr, trn

_MARK: Final = "\1"  # how no text for a person begins
_MOST_CHARACTERS: Final = 4096
_SPEC: Final = re.compile(r"[<>^]?[+#]?0?\d{0,2},?(\.\d)?[a-zA-Z%]?")


def pack(text: str) -> str:
    """A text as it is, if it is none of our sentences."""
    if not isinstance(text, Sentence):
        if not text.startswith(_MARK):
            return text
        text = tr("{text}", text=text)
    return _MARK + json.dumps(_packed(text))


def _packed(field: object) -> object:
    if isinstance(field, Sentence):
        fields = {name: _packed(each) for name, each in field.fields.items()}
        return [field.template, field.plural, fields]
    if field is None or isinstance(field, str | int | float):
        return field
    return operator.index(field) if hasattr(field, "__index__") else str(field)  # numpy's numbers


def unpack(text: str) -> str:
    """Raises ParseError, whatever came."""
    if not text.startswith(_MARK):
        return text
    try:
        return _unpacked(json.loads(text.removeprefix(_MARK)))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise ParseError(tr("no sentence of this program")) from None


def _unpacked(value: Any) -> Sentence:
    template, plural, packed = value
    fields: dict[str, Any] = {
        name: _unpacked(each) if isinstance(each, list) else each for name, each in packed.items()
    }
    for each in (template, plural or ""):
        if len(each) > _MOST_CHARACTERS or (fields and not _is_plain(each, fields)):
            raise ValueError
    if plural is None:
        said = tr(template, **fields)
    else:
        said = trn(template, plural, operator.index(fields.pop("n")), **fields)
    if len(said) > _MOST_CHARACTERS:
        raise ValueError
    return said


def _is_plain(template: str, fields: dict[str, object]) -> bool:
    return all(
        name is None
        or (name in fields and conversion in (None, "r") and _SPEC.fullmatch(spec or ""))
        for _, name, spec, conversion in string.Formatter().parse(template)
    )
