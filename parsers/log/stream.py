"""A server log as a stream: bytes in as they come, recovery events out.

``feed`` takes a chunk of any size and gives what became certain; ``settle`` gives the record that
was held for its DETAIL or STATEMENT lines, when nothing came for a second; ``end`` gives the rest.
However the bytes are cut, the events are the same. Nothing is raised and nothing is lost: what no
rule reads comes out as `Unparsed`, and memory is bounded.

Format, prefix and language are detected from the first lines where they are not given. Other
languages than English are asked for when the first line that needs one comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from parsers.errors import Unparsed
from parsers.log.command_output import read_command_output
from parsers.log.csvlog import CsvReader, begins_record
from parsers.log.damage import repair, strip_colours
from parsers.log.detection import Detector
from parsers.log.encoding import UTF8, FromUtf16
from parsers.log.filter import LineFilter
from parsers.log.format import (
    ForeignLine,
    LogItem,
    LogReader,
    LogRecord,
    StderrReader,
    repaired,
)
from parsers.log.jsonlog import JsonReader
from parsers.log.locale import FindLanguages, LogLocale
from parsers.log.message_catalogue import Fields, Language
from parsers.log.messages.event import Event
from parsers.log.messages.message import CONTEXT, DETAIL, PRIMARY, STARTUP, Message
from parsers.log.origin import Roles
from parsers.log.prefix import MAX_PREFIX
from parsers.log.recovery_events import RecoveryEvent
from parsers.log.times import Zone, parse_log_time
from parsers.sentences import tr
from parsers.values import dataclass

StreamItem = RecoveryEvent | Unparsed

_DEADLY: Final = frozenset({"FATAL", "PANIC"})
_UNLISTED: Final = Message(id="", event=Event.UNLISTED_FATAL, sample="")
_MAX_LINE: Final = 1 << 20  # bytes; a longer line is cut
_MAX_PUZZLING: Final = 100
_UNFILTERED: Final = 2000  # lines read in full, unless a message of ours comes before


@dataclass(slots=True)
class Counts:
    """What a stream has read."""

    bytes: int = 0
    lines: int = 0
    passed: int = 0  # lines of the server's other traffic that did not need to be read
    records: int = 0  # records that were read, whatever they say
    foreign: int = 0  # lines of other programs that were understood
    unparsed: int = 0
    strange: int = 0  # records that no table knows, in letters that English does not have
    recovery: int = 0  # records of the startup process that became events
    doubted: int = 0  # records that sound like its own, under a detected prefix like a client's
    unplaced: int = 0  # FATALs that no table knows, and whose writer is not known either
    misread: int = 0  # of them: FATALs, and lines that the detected prefix does not fit

    @property
    def unreadable(self) -> bool:
        """Nothing in it is a server's or a child command's, or its prefix was misunderstood."""
        if self.doubted > self.recovery or self.misread:
            return True  # a recovery, or its end, that looks like a client's
        return self.lines > 0 and self.records == 0 and self.unparsed >= self.foreign


class LogStream:
    """One log, from wherever it is first read to its end."""

    def __init__(
        self,
        *,
        format: str | None = None,  # noqa: A002  # "stderr", "csv", "json", "syslog"; None: detect
        prefix: str | None = None,  # log_line_prefix; None: detect
        zone: Zone | None = None,
        languages: Sequence[Language] = (),  # besides English
        find_languages: FindLanguages | None = None,  # asked once, when a line needs another
        encoding: str = UTF8,  # tried first
    ) -> None:
        self.counts = Counts()
        self._locale = LogLocale(languages, find_languages, zone or Zone(), encoding)
        self.puzzle: str | None = None  # the first line that could not be read, or not believed
        if prefix is not None and len(prefix) > MAX_PREFIX:
            prefix = None  # to compile it would take longer than to read the log
        self._prefix = prefix
        self._zone = zone or Zone()
        self._tail = b""
        self._cut = False
        self._detector = Detector(format, prefix, self._locale)
        self._from_utf16 = FromUtf16()
        self._reader: LogReader | None = None
        self._roles = Roles()
        self._complained = {Event.LANGUAGE_UNREADABLE: False, Event.TIME_ZONE_AMBIGUOUS: False}
        self._understood = self._damaged = False  # a message was read; only once it was repaired
        self._puzzling: list[LogRecord] = []  # not read yet: perhaps in another language
        self._filter: LineFilter | None = None
        self._quoted = False  # csvlog: the next line is inside a quoted field
        self._open = False  # the record that is held was wanted: its other lines are too

    @property
    def is_json(self) -> bool:
        """The log is of JSON: no prefix would help to read it."""
        wrapping = self._detector.wrapping
        return isinstance(self._reader, JsonReader) or (
            wrapping is not None and wrapping.holds_json
        )

    @property
    def languages(self) -> list[Language]:
        """The languages that the log was found to be in, English first."""
        return self._locale.languages

    # -- what a caller does ----------------------------------------------------------------------

    def feed(self, data: bytes) -> list[StreamItem]:
        """Take the next bytes."""
        self.counts.bytes += len(data)
        return self._feed(self._from_utf16.feed(data))

    def _feed(self, data: bytes) -> list[StreamItem]:
        end = data.rfind(b"\n") + 1
        block = b"".join((self._tail, memoryview(data)[:end])) if end else b""
        self._tail = data[end:] if end else self._tail + data
        found: list[StreamItem] = list(self._take_block(block))
        if len(self._tail) > _MAX_LINE:
            found += self._take(self._tail[:_MAX_LINE], wanted=True)
            self._tail, self._cut = b"", True
        return found

    def settle(self) -> list[StreamItem]:
        """Give the record that was held: a second has passed and nothing more came."""
        if self._reader is None or self._tail:
            return []
        return list(self._interpret(self._reader.close()))

    def end(self) -> list[StreamItem]:
        """Take the end of the log: a last line without newline counts, what was held comes out."""
        found = self._feed(self._from_utf16.close())
        if self._tail:
            tail, self._tail = self._tail, b""
            found += self._take(tail, wanted=True)
        if self._reader is None and self._detector.waiting:
            found += self._begin(self._detector.give_up())
        wrapping = self._detector.wrapping
        if wrapping is not None and self._reader is not None:
            for line in wrapping.close():
                found += self._interpret(self._reader.read(line))
        return found + self.settle()

    @property
    def holds(self) -> bool:
        """Something was fed that has not come out yet: a held record, a line without its end."""
        return bool(self._tail or self._detector.waiting) or (
            self._reader is not None and self._reader.holds
        )

    # -- lines -----------------------------------------------------------------------------------

    def _take_block(self, block: bytes) -> Iterator[StreamItem]:
        """Take whole lines, passing over those that the filter knows to be other traffic."""
        position = 0
        wanted: list[int] = []
        asked: LineFilter | None = None
        while position < len(block):
            if self._filter is not asked:
                asked = self._filter
                wanted = asked.interesting(block, position)[::-1] if asked else []
            if asked is not None and not self._open:
                position = self._pass_over(block, position, wanted)
                if position == len(block):
                    return
            end = block.index(b"\n", position)
            is_wanted = bool(wanted) and wanted[-1] == position
            if is_wanted:
                wanted.pop()
            yield from self._take(block[position:end], wanted=is_wanted)
            position = end + 1

    def _pass_over(self, block: bytes, position: int, wanted: list[int]) -> int:
        """Go to the next line that is wanted; give its offset, or the block's end.

        In csvlog a wanted line may stand inside a quoted field, where it is a client's text.
        """
        while True:
            following = wanted[-1] if wanted else len(block)
            passed = block.count(b"\n", position, following)
            self.counts.lines += passed
            self.counts.passed += passed
            if isinstance(self._reader, CsvReader):
                self._quoted ^= block.count(b'"', position, following) % 2 == 1
            if not self._quoted or not wanted or self._begins_record(block, following):
                return following
            position = wanted.pop()

    def _begins_record(self, block: bytes, position: int) -> bool:
        """See whether a line that seems to be inside of quotes proves a quote before it torn."""
        line = block[position : block.index(b"\n", position)].removesuffix(b"\r")
        self._quoted = not begins_record(self._locale.decoder.decode(line))
        return not self._quoted

    def _take(self, raw: bytes, *, wanted: bool = False) -> Iterator[StreamItem]:
        if self._cut:
            self._cut = False  # the rest of a line that was too long
            return
        self.counts.lines += 1
        line = strip_colours(self._locale.decoder.decode(raw.rstrip(b"\r")))
        if self.counts.lines == 1:
            line = line.removeprefix("\ufeff")  # a byte order mark
        reader, wrapping = self._reader, self._detector.wrapping
        if reader is None:
            reader = self._detector.take(line)
            if reader is not None:
                yield from self._begin(reader)
        else:
            for inner in [line] if wrapping is None else wrapping.take(line):
                yield from self._read(reader, inner, wanted=wanted)
        prefix = reader.prefix if isinstance(reader, StderrReader) else None
        if self._filter is not None and self._filter.prefix is not prefix:
            self._filter = None  # the reader has seen a line of the server's own
        if self._filter is None and (self._understood or self.counts.lines >= _UNFILTERED):
            self._filter = self._new_filter()

    def _begin(self, reader: LogReader) -> Iterator[StreamItem]:
        """Read all that waited."""
        self._reader = reader
        waiting, self._detector.waiting = self._detector.waiting, []
        for line in waiting:
            yield from self._interpret(reader.read(line))

    def _read(self, reader: LogReader, line: str, *, wanted: bool) -> Iterator[StreamItem]:
        begun = reader.begun
        yield from self._interpret(reader.read(line))
        if wanted:
            self._open = reader.holds
        elif reader.begun != begun or not reader.holds:
            self._open = False

    def _new_filter(self) -> LineFilter | None:
        reader, encodings = self._reader, self._locale.decoder.possible()
        if self._detector.wrapping is not None or self._detector.repaired:
            return None
        self._open = reader is not None and reader.holds  # its other lines were not asked about
        if isinstance(reader, StderrReader):
            return LineFilter("stderr", self.languages, encodings, reader.prefix)
        if isinstance(reader, CsvReader):
            return LineFilter("csv", self.languages, encodings, None)
        if isinstance(reader, JsonReader):
            return LineFilter("json", self.languages, encodings, None)
        return None

    # -- records ---------------------------------------------------------------------------------

    def _interpret(self, items: Iterable[LogItem]) -> Iterator[StreamItem]:
        for item in items:
            if isinstance(item, LogRecord):
                self.counts.records += 1
                yield from self._interpret_record(item)
            elif isinstance(item, ForeignLine):
                yield self._interpret_foreign(item)
            else:
                self.counts.unparsed += 1
                yield item

    def _interpret_foreign(self, line: ForeignLine) -> StreamItem:
        output = read_command_output(repair(line.text).strip(" \t>"))
        if output is None:
            self.counts.unparsed += 1
            self.puzzle = self.puzzle or line.text
            self.counts.misread += self._prefix is None and self._locale.hears_recovery(line.text)
            return Unparsed(text=line.text, reason=tr("not a line of the server"))
        self.counts.foreign += 1
        return RecoveryEvent(
            name=output.event, at=None, fields=output.fields(), message=line.text, severity=""
        )

    def _interpret_record(self, record: LogRecord) -> Iterator[StreamItem]:
        if self._damaged:
            record = repaired(record)
        found = self._locale.recognise(record.message, PRIMARY)
        if found is None:
            yield from self._learn_locale(record)
            record = self._locale.read_anew(record)
            found = self._locale.recognise(record.message, PRIMARY)
        if found is None and not self._damaged:
            mended = repaired(record)
            found = self._locale.recognise(mended.message, PRIMARY) if mended != record else None
            if found is not None:
                record, self._damaged = mended, True
        if found is None:
            self.counts.strange += not record.message.isascii() and not record.session
            if not self._understood and len(self._puzzling) < _MAX_PUZZLING:
                self._puzzling.append(record)
            if record.severity in _DEADLY:
                yield from self._interpret_unlisted(record)
            return
        self._understood = True
        message, fields = found
        accepted = self._roles.accepts(message, record, self._is_redo_context(record.context))
        if message.process == STARTUP:
            self._count(record, accepted=accepted is not False)
        if accepted is False:
            return
        self._roles.learn(message, record, sure=accepted is True)
        at = self._instant(record)
        if at is None and record.stamp is not None:
            yield from self._complain_of_zone(record.stamp)
        yield self._event(message, fields, record, at, proven=accepted is True)

    def _interpret_unlisted(self, record: LogRecord) -> Iterator[StreamItem]:
        """A FATAL or PANIC that no table knows."""
        ours = self._roles.is_recovery(record)
        if ours is not False:
            yield self._event(_UNLISTED, {}, record, self._instant(record), proven=ours is True)
        elif not self._roles.is_known and not record.session and record.statement is None:
            self.counts.unplaced += 1
            self.puzzle = self.puzzle or f"{record.severity}:  {record.message}"

    def _count(self, record: LogRecord, *, accepted: bool) -> None:
        if accepted:
            self.counts.recovery += 1
        elif record.statement is None and record.context is None and self._prefix is None:
            self.counts.doubted += 1
            self.counts.misread += record.severity in _DEADLY and not record.ambiguous
            self.puzzle = self.puzzle or record.message

    def _event(
        self,
        message: Message,
        fields: Fields,
        record: LogRecord,
        at: datetime | None,
        *,
        proven: bool,
    ) -> RecoveryEvent:
        values = dict(fields)
        for text, part in ((record.detail, DETAIL), (record.context, CONTEXT)):
            more = self._locale.recognise(text, part) if text else None
            if more is not None:
                values |= {name: value for name, value in more[1].items() if name not in values}
        process = values.get("process")
        if isinstance(process, str):
            values["process"] = self._locale.english_process(process)
        return RecoveryEvent(
            name=message.event, at=at, fields=values, severity=record.severity,
            message=record.message, detail=record.detail, hint=record.hint,
            process=message.process, pid=record.pid, proven=proven,
        )  # fmt: skip

    def _is_redo_context(self, context: str | None) -> bool:
        return context is not None and self._locale.recognise(context, CONTEXT) is not None

    def _instant(self, record: LogRecord) -> datetime | None:
        if record.epoch is not None:
            try:
                return datetime.fromtimestamp(float(record.epoch), UTC)
            except (ValueError, OverflowError, OSError):
                return None
        return parse_log_time(record.stamp, self._zone) if record.stamp else None

    # -- what a person should be told ------------------------------------------------------------

    def _complain_of_zone(self, stamp: str) -> Iterator[RecoveryEvent]:
        if not self._complained[Event.TIME_ZONE_AMBIGUOUS]:
            self._complained[Event.TIME_ZONE_AMBIGUOUS] = True
            yield RecoveryEvent(
                name=Event.TIME_ZONE_AMBIGUOUS, at=None, severity="",
                fields={"abbreviation": stamp.rsplit(" ", 1)[-1]}, message=stamp,
            )  # fmt: skip

    def _learn_locale(self, record: LogRecord) -> Iterator[StreamItem]:
        """At a record that says nothing, see whether it is another language's or encoding's."""
        found = self._locale.find_encoding(record)
        if not found and not self._complained[Event.LANGUAGE_UNREADABLE]:
            known = self._locale.find_language(record, puzzled=not self._understood)
            if known is False:
                self._complained[Event.LANGUAGE_UNREADABLE] = True
                yield RecoveryEvent(
                    name=Event.LANGUAGE_UNREADABLE, at=self._instant(record), severity="",
                    message=record.message,
                )  # fmt: skip
            found = bool(known)
        if found:
            if self._reader is not None:
                self._reader.use(self.languages)
            self._filter = None
            puzzling, self._puzzling = self._puzzling, []
            for before in puzzling:
                yield from self._interpret_record(self._locale.read_anew(before))
