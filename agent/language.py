"""The language that is spoken to a person: which one is asked for, and what is said in it.

`speak` sets that of the process, `speaking` that of one answer; `say` gives a sentence in it. The
catalogues are compiled from translations/*.po when the package is built. Without one, English.
JSON, metrics, logs, labels and exit statuses are English whatever is spoken.
"""

from __future__ import annotations

import os
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent.errors import UsageError
from parsers.sentences import Sentence, message_of, tr

if TYPE_CHECKING:
    from gettext import GNUTranslations

ENGLISH: Final = "en"
DOMAIN: Final = "pitr"
PACKAGE: Final = "pitr_locale"  # where the catalogues are installed, beside our packages
_NO_LOCALE: Final = ("C", "POSIX")
_ENGLISH_TOO: Final = ("c", "posix")  # as the first part of a locale's name
_TERRITORY: Final = re.compile(r"[-_]([A-Za-z]{2}|\d{3})$", re.ASCII)
_VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")  # the first that is not empty decides


class _Language:
    """One locale's catalogue and its way of writing numbers."""

    def __init__(self, locale: str, catalogue: GNUTranslations) -> None:
        self.locale = locale  # as es_MX
        self._catalogue = catalogue
        self._formatter = _Formatter(self)

    def say(self, sentence: Sentence) -> str:
        template, fields = self.template(sentence), sentence.fields
        if not fields:
            return template
        try:
            return self._formatter.vformat(template, (), fields)
        except (LookupError, ValueError, AttributeError):  # a translation of other fields
            return str.__str__(sentence)

    def say_any(self, text: str) -> str:
        return self.say(text) if isinstance(text, Sentence) else text

    def template(self, sentence: Sentence) -> str:
        if sentence.plural is not None:
            n: int = sentence.fields["n"]
            return self._catalogue.ngettext(sentence.template, sentence.plural, n)
        # The catalogue's header is kept under the empty text.
        return self._catalogue.gettext(sentence.template) if sentence.template else ""


class _Formatter(string.Formatter):
    """str.format, with sentences in the language and numbers as it writes them."""

    def __init__(self, language: _Language) -> None:
        self._language = language

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, Sentence):
            value = self._language.say(value)
        written = format(value, format_spec)
        if isinstance(value, int | float) and ("." in written or "," in written):
            return _by_locale(written, self._language.locale)
        return written

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        kept = conversion == "s" and isinstance(value, Sentence)
        return value if kept else super().convert_field(value, conversion)


_of_the_process: _Language | None = None
_of_the_answer: ContextVar[_Language | None] = ContextVar("_of_the_answer")


def speak(locale: str | None) -> None:
    """Speak it from here on, in every thread. None: English."""
    global _of_the_process
    _of_the_process = _load(locale)


@contextmanager
def speaking(locale: str | None) -> Iterator[None]:
    """Speak it in this context alone: of one request, of one message."""
    token = _of_the_answer.set(_load(locale))
    try:
        yield
    finally:
        _of_the_answer.reset(token)


def _spoken() -> _Language | None:
    return _of_the_answer.get(_of_the_process)


def spoken() -> str:
    """The locale that is spoken, as `es_MX`, or `en`."""
    language = _spoken()
    return language.locale if language else ENGLISH


def say(text: str | BaseException) -> str:
    """A sentence in the language that is spoken; what is none of ours, as it is."""
    if isinstance(text, BaseException):
        text = message_of(text)
    language = _spoken()
    return language.say_any(text) if language else text


def said_template(sentence: Sentence) -> str:
    """Its template in the language that is spoken, for what formats in its own way, as HTML."""
    language = _spoken()
    if language:
        return language.template(sentence)
    one = sentence.plural is None or sentence.fields["n"] == 1
    return sentence.template if one else sentence.plural or ""


def say_constant(text: str) -> str:
    """A text that stands in the source by itself: a heading, an option's help."""
    return say(text if isinstance(text, Sentence) else tr(text)) if _spoken() else text


def locale_of(environment: Mapping[str, str]) -> str:
    """The locale that the environment asks for, where there is a catalogue for it; else `en`.

    As gettext reads it: LANGUAGE is a list of preferences, unless the locale is C. Of LANGUAGE=es
    beside LANG=es_MX.UTF-8 the numbers are Mexico's.
    """
    asked = next((environment[name] for name in _VARIABLES if environment.get(name)), "C")
    if asked in _NO_LOCALE:  # C.UTF-8 is another: there LANGUAGE counts
        return ENGLISH
    preferred = [each for each in environment.get("LANGUAGE", "").split(":") if each] or [asked]
    found = next(filter(None, map(known_locale, preferred)), ENGLISH)
    here = known_locale(asked) or ""
    return here if here.startswith(f"{found}_") else found


def locale_of_header(accepted: str) -> str | None:
    """The locale that an Accept-Language header (RFC 9110, 12.5.4) likes best, of those there are.

    `en` where it is English; None where the header asks for none that there is.
    """
    ranked: list[tuple[float, str]] = []
    for part in accepted.split(","):
        tag, _, weight = part.partition(";")
        try:
            quality = float(weight.strip().lower().removeprefix("q=")) if weight else 1.0
        except ValueError:
            quality = 0.0
        if quality > 0:
            ranked.append((-quality, tag.strip()))
    liked = (known_locale(tag) for _, tag in sorted(ranked, key=lambda each: each[0]))
    return next(filter(None, liked), None)


def known_locale(text: str) -> str | None:
    """A locale as somebody wrote it (`es`, `es-MX`, `es_AR.UTF-8@euro`), if it can be spoken."""
    language = _language_of(text)
    if language == ENGLISH or language in _ENGLISH_TOO:
        return ENGLISH
    territory = _TERRITORY.search(re.split("[.@]", text)[0])
    locale = f"{language}_{territory[1].upper()}" if territory else language
    return locale if not languages().isdisjoint((locale, language)) else None


def _language_of(text: str) -> str:
    return re.split("[.@_-]", text)[0].lower()


@cache
def languages() -> frozenset[str]:
    """Those of which a catalogue is installed, as `es` or `pt_BR`."""
    return frozenset(
        path.parent.parent.name for place in _places() for path in place.glob("*/LC_MESSAGES/*.mo")
    )


def _places() -> list[Path]:
    from importlib.util import find_spec

    spec = find_spec(PACKAGE)
    return [Path(place) for place in spec.submodule_search_locations or ()] if spec else []


@cache
def _load(locale: str | None) -> _Language | None:
    if locale in (None, ENGLISH):
        return None
    catalogue = _catalogue(locale) or _catalogue(_language_of(locale))
    return _Language(locale, catalogue) if catalogue else None


@cache
def _catalogue(name: str) -> GNUTranslations | None:
    from gettext import GNUTranslations

    for place in _places():
        try:
            with (place / name / "LC_MESSAGES" / f"{DOMAIN}.mo").open("rb") as file:
                return GNUTranslations(file)
        except Exception:  # not there, cut off, or whatever was written over it: English
            continue
    return None


@cache
def _symbols(locale: str) -> tuple[str, str]:
    from babel.core import Locale, UnknownLocaleError
    from babel.numbers import get_decimal_symbol, get_group_symbol

    for name in (locale, _language_of(locale)):
        try:
            known = Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
        return get_decimal_symbol(known), get_group_symbol(known)
    return ".", ","


def _by_locale(number: str, locale: str) -> str:
    """A number that Python wrote, with the locale's own signs."""
    decimal, group = _symbols(locale)
    return number.translate({ord("."): decimal, ord(","): group})


def choose(words: Sequence[str]) -> None:
    """Speak what `--lang` says in a command line, else what the environment asks for.

    Raises UsageError of a language that is not there.
    """
    asked = _option(words)
    locale = locale_of(os.environ) if asked is None else known_locale(asked)
    speak(locale or locale_of(os.environ))
    if locale is None:
        there = ", ".join(sorted({ENGLISH, *languages()}))
        raise UsageError(tr("--lang {asked!r}: choose one of {there}", asked=asked, there=there))


def _option(words: Sequence[str]) -> str | None:
    """The last one counts, as of every option."""
    asked = None
    for number, word in enumerate(words):
        if word == "--":
            break
        if word == "--lang":
            asked = next(iter(words[number + 1 :]), None)
        elif word.startswith("--lang="):
            asked = word.partition("=")[2]
    return asked
