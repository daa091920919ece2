"""What a log is, found out from its first lines: its wrapping, its format, its prefix.

Lines wait here until one tells; then they come out, unwrapped, to be read by the reader chosen.
"""

from __future__ import annotations

import re
from typing import Final

from parsers.log.csvlog import CsvReader, looks_like_csv
from parsers.log.damage import repair
from parsers.log.format import PLAIN, LogReader, StderrReader, label_pattern
from parsers.log.jsonlog import JsonReader, looks_like_json
from parsers.log.locale import LogLocale
from parsers.log.messages.message import PRIMARY
from parsers.log.prefix import infer_prefix, parse_prefix
from parsers.log.syslog import SyslogReader, read_envelope
from parsers.log.tool_lines import without_dots
from parsers.log.wrapping import Wrapping, find_wrapping

_MAX_WAITING: Final = 1000  # lines looked at before the format is given up
_OTHER_LABEL: Final = re.compile(r"(?P<head>(?>.*?\d).*?\W)[^\W\d_]{2,20} ?:  ")


class Detector:
    """The first lines of one log, until they tell what it is."""

    def __init__(self, format_name: str | None, prefix: str | None, locale: LogLocale) -> None:
        self.wrapping: Wrapping | None = None
        self.repaired = False  # lines are damaged: each must be read
        self.waiting: list[str] = []  # lines without their wrapping
        self._format, self._prefix, self._locale = format_name, prefix, locale

    def take(self, line: str) -> LogReader | None:
        """Take one line; give the reader once it is known."""
        if self.wrapping is None and self._format != "csv":
            self.wrapping = find_wrapping(line)
            if self.wrapping is not None:
                before, self.waiting = self.waiting, []
                self._unwrap(before)
        untried = len(self.waiting)
        self._unwrap([line])
        for inner in self.waiting[untried:]:
            reader = self._reader_for(inner)
            if reader is not None:
                return reader
        return self.give_up() if len(self.waiting) >= _MAX_WAITING else None

    def give_up(self) -> LogReader:
        """The reader of a log that shows no prefix."""
        if self.wrapping is not None:
            self.waiting += self.wrapping.close()
        for line in self.waiting:
            reader = self._reader_for(line)
            if reader is not None:
                return reader
        return StderrReader(PLAIN, self._locale.languages)

    def _unwrap(self, lines: list[str]) -> None:
        for line in lines:
            self.waiting += self.wrapping.take(line) if self.wrapping is not None else [line]

    def _reader_for(self, line: str) -> LogReader | None:
        languages = self._locale.languages
        if self._format == "json" or (self._format is None and looks_like_json(line)):
            return JsonReader()
        if self._format == "csv" or (self._format is None and looks_like_csv(line)):
            return CsvReader(languages)
        if self._prefix is not None and self._format == "stderr":
            return StderrReader(parse_prefix(self._prefix), languages)
        chunk = read_envelope(line) if self._format in (None, "syslog") else None
        if chunk is None:
            return self._stderr_reader(line)
        found = self._head(chunk.text)
        if found is None:
            return None
        told = self._prefix
        prefix = infer_prefix(found[0]) if told is None else parse_prefix(told)
        return SyslogReader(prefix, languages, ident=chunk.ident, collapsed=found[1])

    def _stderr_reader(self, line: str) -> LogReader | None:
        if self._prefix is not None:
            return StderrReader(parse_prefix(self._prefix), self._locale.languages)
        found = self._head(line)
        if found is None:
            return None
        head, collapsed = found
        self.repaired = collapsed or repair(line) != line
        return StderrReader(infer_prefix(head), self._locale.languages, collapsed=collapsed)

    def _head(self, line: str) -> tuple[str, bool] | None:
        """What precedes the label of a record's first line, and whether its blanks collapsed.

        None when there is no label.
        """
        line = without_dots(line)
        texts = dict.fromkeys((line, repair(line)))
        severities = [label for each in self._locale.languages for label in each.severities]
        for text in texts:
            match = re.match(rf"(?P<head>.*?){label_pattern(severities, ())}", text)
            match = match or _OTHER_LABEL.match(text)
            if match is not None:
                return match["head"], False
        label = label_pattern(severities, (), collapsed=True)
        for text in texts:
            match = re.match(rf"(?P<head>.*?){label}(?P<rest>.*)\Z", text, re.DOTALL)
            if match is not None and self._locale.recognise(match["rest"].strip(), PRIMARY):
                return match["head"], True
        return None
