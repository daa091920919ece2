"""The locale of a log: in which languages and encodings its server writes, found as it is read.

English in UTF-8 to begin with. A record of the server's own that says nothing to us is held against
the catalogues of other languages, and against other encodings; what is found serves from then on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from parsers.log.encoding import UTF8, Decoder, read_as, readings
from parsers.log.format import LogRecord, without_sqlstate
from parsers.log.message_catalogue import ENGLISH, Fields, Language
from parsers.log.messages.message import PRIMARY, STARTUP, Message
from parsers.log.times import Zone

# Asked with the server's major version, None when the line does not show it.
FindLanguages = Callable[[int | None], Iterable[Language]]
_VERSION: Final = re.compile(
    r".{0,60}?\b(?:PostgreSQL|EnterpriseDB)\b\D* (?P<major>\d+)[\w.]*.* on \S+, compiled by "
)
# What a record of a recovery holds in any language.
_WAL_WORDS: Final = re.compile(r"\b[0-9A-F]{1,8}/[0-9A-F]{1,8}\b|\b[0-9A-F]{24}\b|\.history\b")

_MAX_LABELS: Final = 8  # looked at in one line
_MAX_GUESSES: Final = 20  # records that begin no server, tried in every language


class LogLocale:
    """The languages and the encoding of one log, as far as they are known."""

    def __init__(
        self,
        languages: Sequence[Language],
        find_languages: FindLanguages | None,
        zone: Zone,
        encoding: str = UTF8,
    ) -> None:
        self.languages: list[Language] = [ENGLISH, *languages]
        self.decoder = Decoder(encoding)
        self._find_languages = find_languages
        self._zone = zone
        self._guesses = 0

    def recognise(self, text: str, part: str) -> tuple[Message, Fields] | None:
        """The message that a text is, in any of the languages known."""
        for language in self.languages:
            found = language.recogniser.recognise(text, part, self._zone)
            if found is not None:
                return found
        return None

    def hears_recovery(self, text: str) -> bool:
        """Tell whether a line that no prefix fits has a message of recovery after some label.

        The prefix itself may hold what ends a label.
        """
        for label in islice(re.finditer(r":  ", text), _MAX_LABELS):
            found = self.recognise(without_sqlstate(text[label.end() :]), PRIMARY)
            if found is not None and found[0].process == STARTUP:
                return True
        return False

    def english_process(self, noun: str) -> str:
        """A process noun of a message in English."""
        for language in self.languages:
            english = language.process(noun)
            if english != noun:
                return english
        return noun

    def read_anew(self, record: LogRecord) -> LogRecord:
        """A record that was read before its encoding and its language were known."""
        texts = self._decoded(record) if self.decoder.found else {}
        severity = texts.get("severity") or record.severity
        for language in self.languages[1:]:
            severity = language.severities.get(severity, severity)
        return replace(
            record,
            severity=severity,
            message=texts.get("message") or record.message,
            detail=texts.get("detail") or record.detail,
            hint=texts.get("hint") or record.hint,
            context=texts.get("context") or record.context,
        )

    def _decoded(self, record: LogRecord) -> dict[str, str | None]:
        parts = {
            "severity": record.severity, "message": record.message, "detail": record.detail,
            "hint": record.hint, "context": record.context,
        }  # fmt: skip
        encoding = self.decoder.encodings[0]
        return {
            name: read_as(text, encoding)
            for name, text in parts.items()
            if text is not None and not text.isascii()
        }

    # -- finding out -----------------------------------------------------------------------------

    def find_encoding(self, record: LogRecord) -> bool:
        """See under which encoding a record is a message in a language that is known."""
        if self.decoder.found or _is_clients(record):
            return False
        for language in self.languages[1:]:
            encoding = self._fits(language, record.message, starts=False)
            if encoding:
                self.decoder.learn(encoding)
                return True
        return False

    def find_language(self, record: LogRecord, *, puzzled: bool) -> bool | None:
        """See whether a record is of a language that is not known yet; None: it proves nothing.

        The first line of a server proves it; where `puzzled`, what looks like a recovery's does.
        """
        version = _VERSION.match(record.message)
        sign = version is not None or (puzzled and _WAL_WORDS.search(record.message))
        if not sign or _is_clients(record) or record.context is not None:
            return None
        if version is None:
            self._guesses += 1
            if self._guesses > _MAX_GUESSES:
                return None
        major = int(version["major"]) if version else None
        for language in self._find_languages(major) if self._find_languages else ():
            if language.name in {known.name for known in self.languages}:
                continue
            encoding = self._fits(language, record.message, starts=version is not None)
            if encoding is not None:
                self.languages.append(language)
                if encoding:
                    self.decoder.learn(encoding)
                return True
        return False if version is not None else None

    def _fits(self, language: Language, text: str, *, starts: bool) -> str | None:
        """The encoding under which the text is of this language, "" as it is; None: it is not."""
        possible = [("", text)] if self.decoder.found else [("", text), *readings(text)]
        for encoding, reading in possible:
            if starts:
                fits = language.speaks(reading)
            else:
                fits = language.recogniser.recognise(reading, PRIMARY, self._zone) is not None
            if fits:
                return encoding
        return None


def _is_clients(record: LogRecord) -> bool:
    return record.session or record.statement is not None
