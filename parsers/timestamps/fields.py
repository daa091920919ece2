"""A timestamp's text as fields, before anyone asks what they mean.

Follows ParseDateTime in src/backend/utils/adt/datetime.c.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from parsers.errors import ParseError
from parsers.sentences import tr

MONTHS: Final = {
    name: number
    for number, names in enumerate(
        ("jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july",
         "aug august", "sep sept september", "oct october", "nov november", "dec december"), 1)
    for name in names.split()
}  # fmt: skip
WEEKDAYS: Final = frozenset({
    "sun", "sunday", "mon", "monday", "tue", "tues", "tuesday", "wed", "weds", "wednesday", "thu",
    "thur", "thurs", "thursday", "fri", "friday", "sat", "saturday",
})  # fmt: skip
IGNORED: Final = frozenset({"at", "on"})
JULIAN: Final = frozenset({"j", "jd", "julian"})
WITHOUT_A_DAY: Final = frozenset({
    "now", "today", "tomorrow", "yesterday", "epoch", "infinity", "-infinity", "+infinity",
})  # fmt: skip
TOKENS: Final = (
    frozenset({"ad", "bc", "am", "pm", "allballs", "dst", "t", *WITHOUT_A_DAY})
    | frozenset({"d", "h", "m", "mm", "s", "y", "dow", "doy", "isodow", "isoyear"})
    | MONTHS.keys()
    | WEEKDAYS
    | IGNORED
    | JULIAN
)
TOKEN_CHARACTERS: Final = 10  # TOKMAXLEN: longer words are cut before they are looked up
_MAX_FIELDS: Final = 25
_INT_MAX: Final = (1 << 31) - 1


class Field(NamedTuple):
    """One part of a text."""

    kind: str  # date, time, tz, number, string, special
    text: str


_DIGITS_AND: Final = re.compile(r"\d+")
_CLOCK_FIELD: Final = re.compile(r"\d+:[\d:.]*")
_POINTED: Final = re.compile(r"\.\d*")
_WORD: Final = re.compile(r"[A-Za-z]+")
_LONG_WORD: Final = re.compile(r"[A-Za-z0-9+/_.:-]+")
_OFFSET_FIELD: Final = re.compile(r"([+-])[ \t\n\v\f\r]*(?:(\d[\d:.-]*)|([A-Za-z]+))")
_PUNCTUATION: Final = frozenset("!\"#$%&'()*,/:;<=>?@[\\]^_`{|}~")


def split_fields(text: str) -> list[Field]:
    """Take a text apart. Raises ParseError."""
    found: list[Field] = []
    at = 0
    while at < len(text):
        character = text[at]
        if character in " \t\n\v\f\r" or character in _PUNCTUATION:
            at += 1
            continue
        each, at = _field_at(text, at)
        found.append(each)
        if len(found) > _MAX_FIELDS:
            raise ParseError(tr("too many parts"))
    return found


def _field_at(text: str, at: int) -> tuple[Field, int]:
    if "0" <= text[at] <= "9":
        return _number_field(text, at)
    match = _POINTED.match(text, at)
    if match is not None:
        return Field("number", match[0]), match.end()
    match = _WORD.match(text, at)
    if match is not None:
        return _word_field(text, match)
    match = _OFFSET_FIELD.match(text, at)
    if match is not None:
        kind, rest = ("tz", match[2]) if match[2] else ("special", match[3].lower())
        return Field(kind, match[1] + rest), match.end()
    raise ParseError(tr("{text!r} is no part of a time", text=text[at:]))


def _number_field(text: str, at: int) -> tuple[Field, int]:
    match = _CLOCK_FIELD.match(text, at)
    if match is not None:
        return Field("time", match[0]), match.end()
    match = _DIGITS_AND.match(text, at)
    assert match is not None, "a digit stands there"
    end = match.end()
    mark = text[end : end + 1]
    if mark not in ("-", "/", "."):
        return Field("number", match[0]), end
    second = _DIGITS_AND.match(text, end + 1)
    if second is None:
        rest = re.compile(rf"[A-Za-z0-9{re.escape(mark)}]*").match(text, end + 1)
        assert rest is not None, "it may be empty"
        return Field("date", text[at : rest.end()].lower()), rest.end()
    end = second.end()
    if text[end : end + 1] != mark:
        return Field("number" if mark == "." else "date", text[at:end]), end
    rest = re.compile(rf"[0-9{re.escape(mark)}]*").match(text, end)
    assert rest is not None, "it may be empty"
    return Field("date", text[at : rest.end()]), rest.end()


def _word_field(text: str, match: re.Match[str]) -> tuple[Field, int]:
    """A word; or a date, or a zone's name, that begins with one."""
    word, end = match[0].lower(), match.end()
    after = text[end : end + 1]
    goes_on = after in ("-", "/", ".") if after else False
    if after and (after == "+" or after.isdecimal()):
        goes_on = word[:TOKEN_CHARACTERS] not in TOKENS
    if not goes_on:
        return Field("string", word), end
    longer = _LONG_WORD.match(text, match.start())
    assert longer is not None, "it is longer"
    return Field("date", longer[0].lower()), longer.end()


def leading_number(text: str) -> tuple[int, str]:
    """The number that a text begins with, and the rest. Raises ParseError."""
    digits = leading_digits(text)
    if not digits and not text.startswith("."):
        raise ParseError(tr("{text!r} is no number", text=text))
    return to_number(digits or "0"), text[len(digits) :]


def leading_digits(text: str) -> str:
    """The digits that a text begins with."""
    match = re.match(r"[0-9]*", text)
    return match[0] if match else ""


def to_number(digits: str) -> int:
    """Digits as an int of 32 bits. Raises ParseError."""
    number = int(digits[:20]) if len(digits) <= 20 else _INT_MAX + 1
    if number > _INT_MAX:
        raise ParseError(tr("{digits} is too large", digits=digits[:20]))
    return number
