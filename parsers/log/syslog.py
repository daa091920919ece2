"""Server logs that went through syslog: the daemon's envelope, and a message cut into chunks.

The server sends a message whole or, by default, in chunks: one a line, and of lines over 900 bytes
one a piece. It numbers them ``[sequence-chunk]``, or ``[chunk]`` where syslog_sequence_numbers is
off. A record can begin only in a message's first chunk, and only in its first line: whatever else
looks like one is text that a client wrote.

Follows write_syslog in src/backend/utils/error/elog.c; envelopes as RFC 3164 and 5424 have them and
rsyslog's templates print them (it escapes control characters: ``#011`` is a TAB).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from parsers.errors import Unparsed
from parsers.log.format import ForeignLine, LogItem, LogRecord, StderrReader
from parsers.log.message_catalogue import ENGLISH, Language
from parsers.log.prefix import Prefix
from parsers.sentences import tr
from parsers.values import dataclass

_STAMP_3339: Final = r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)"
_ENVELOPE: Final = re.compile(
    r"(?:<\d{1,3}>)?(?:"
    # RFC 5424: version, stamp, host, program, pid, message id, structured data
    rf"1 (?:-|{_STAMP_3339}) \S+ (?P<program>\S+) (?P<procid>\d{{1,10}}|-) \S+ "
    r"(?:-|(?:\[(?:[^\]\\]|\\.)*\])+) {0,2}"
    # RFC 3164, and as journalctl prints it: short, -precise, -iso, -full, -monotonic, -unix
    rf"|(?:[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?|{_STAMP_3339}"
    r"|[^\W\d_]{2,4}\.? \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [\w+-]{1,10}"
    r"|\[ *\d{1,12}\.\d{6}\]|\d{9,11}\.\d{6}) "
    r"\S*[^\s:] (?P<ident>[^\s:\[]+)(?:\[(?P<pid>\d{1,10})\])?: "
    r")(?P<text>.*)\Z",
    re.DOTALL,
)
_NUMBERS: Final = re.compile(r"\[(?P<first>\d{1,20})(?:-(?P<chunk>\d{1,20}))?\] ")
# A chunk that ends before 900 bytes ended at a space or a newline; multibyte characters stay whole.
_CHUNK_BYTES: Final = 900 - 3
_MIXED: Final = 8  # messages of other processes that may come between two chunks
_MAX_LINE: Final = 65536  # characters kept of one line
_MAX_LINES: Final = 1000  # lines kept of one message


class Chunk(NamedTuple):
    """One line of a syslog file."""

    ident: str  # the program's name
    pid: int
    numbers: tuple[int, int | None] | None  # what stands in brackets
    text: str


def read_envelope(line: str) -> Chunk | None:
    """Take the envelope off; None for a line that has none, or none with a pid."""
    match = _ENVELOPE.match(line)
    ident, pid = _sender(match)
    if match is None or ident is None or pid is None:
        return None
    text = match["text"]
    found = _NUMBERS.match(text)
    chunk = int(found["chunk"]) if found and found["chunk"] else None
    return Chunk(
        ident=ident,
        pid=int(pid),
        numbers=(int(found["first"]), chunk) if found else None,
        text=(text[found.end() :] if found else text).replace("#011", "\t"),
    )


def has_envelope(line: str) -> bool:
    """Tell whether a line came through syslog, whoever sent it: rsyslog's own have no pid."""
    return _ENVELOPE.match(line) is not None


def _sender(match: re.Match[str] | None) -> tuple[str | None, str | None]:
    if match is None:
        return None, None
    procid = match["procid"]
    return match["program"] or match["ident"], procid if procid not in (None, "-") else match["pid"]


@dataclass(slots=True)
class _Message:
    """One message of one process, as far as it came."""

    pid: int
    lines: list[str]
    full: bool = False  # its last chunk was cut for its length
    complete: bool = False  # the process has begun another


class SyslogReader:
    """Lines of a syslog file. Those of other programs are passed over.

    Chunks of several processes may be mixed. Messages come out in the order in which they began,
    each when its process begins another, or when a few others have begun since.
    """

    def __init__(
        self,
        prefix: Prefix,
        languages: Iterable[Language] = (ENGLISH,),
        *,
        ident: str,
        collapsed: bool = False,
    ) -> None:
        self._inner = StderrReader(prefix, languages, collapsed=collapsed)
        self._ident = ident
        self.begun = 0
        self._counts_messages: bool | None = None  # syslog_sequence_numbers; None: not seen yet
        self._queue: list[_Message] = []
        self._open: dict[int, _Message] = {}

    def use(self, languages: Iterable[Language]) -> None:
        self._inner.use(languages)

    @property
    def holds(self) -> bool:
        return bool(self._queue)

    def read(self, line: str) -> Iterator[LogItem]:
        chunk = read_envelope(line)
        if chunk is None and _ENVELOPE.match(line) is None:
            yield from self.close()
            yield ForeignLine(text=line)
        if chunk is None or chunk.ident != self._ident:
            return
        message = self._open.get(chunk.pid)
        if self._begins(chunk):
            self._add(chunk)
        elif message is None:
            yield Unparsed(
                text=line, reason=tr("the rest of a message whose beginning is not there")
            )
        else:
            _go_on(message, chunk.text)
        while self._queue and (self._queue[0].complete or len(self._queue) > _MIXED):
            yield from self._release()

    def close(self) -> Iterator[LogItem]:
        while self._queue:
            yield from self._release()

    def _begins(self, chunk: Chunk) -> bool:
        """Tell whether a message begins in this chunk."""
        if chunk.numbers is None:  # not split; or a journal of the server's stderr, line by line
            self._counts_messages = False
            return not chunk.text.startswith("\t") and not self._inner.is_part(chunk.text)
        first, second = chunk.numbers
        if second is not None:
            self._counts_messages = True
            return second == 1
        if first > 1 and self._counts_messages is None and not self._inner.begins(chunk.text):
            self._counts_messages = False
        return first == 1 or self._counts_messages is not False

    def _add(self, chunk: Chunk) -> None:
        before = self._open.get(chunk.pid)
        if before is not None:
            before.complete = True
        # A message that was not split has its newlines escaped.
        message = _Message(pid=chunk.pid, lines=chunk.text.split("#012"), full=_is_full(chunk.text))
        self._open[chunk.pid] = message
        self._queue.append(message)
        self.begun += 1

    def _release(self) -> Iterator[LogItem]:
        message = self._queue.pop(0)
        if self._open.get(message.pid) is message:
            del self._open[message.pid]
        items = list(self._inner.read(message.lines[0]))
        for line in message.lines[1:]:
            items += self._inner.read_on(line)
        yield from _with_pid([*items, *self._inner.close()], message.pid)


def _go_on(message: _Message, text: str) -> None:
    """Add a chunk: to the line that was cut, at a space or inside a long word; or as a new line."""
    if text.startswith(" ") or message.full:
        if len(message.lines[-1]) < _MAX_LINE:
            message.lines[-1] += text
    elif len(message.lines) < _MAX_LINES:
        message.lines.append(text)
    message.full = _is_full(text)


def _is_full(text: str) -> bool:
    return len(text.encode("utf-8", "surrogatepass")) >= _CHUNK_BYTES


def _with_pid(items: Iterable[LogItem], pid: int) -> Iterator[LogItem]:
    """The envelope's pid serves where the prefix has none.

    A journal that captured the server's stderr has the postmaster's for all of them: a record
    whose prefix says another one is what the prefix says, and not proven.
    """
    for item in items:
        if not isinstance(item, LogRecord):
            yield item
        elif item.pid is None or item.pid == pid:
            yield replace(item, pid=pid)
        else:
            yield replace(item, doubtful=True)
