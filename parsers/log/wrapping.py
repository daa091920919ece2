"""What shippers put around a server's lines: taken off, one layer after the other.

Text before each line (kubectl logs --prefix, docker compose, CRI, docker logs -t), JSON around it
(docker's json-file, CloudNativePG, journalctl -o json, GCP and CloudWatch exports, any of them
through jq), a table of quoted texts (Kibana). Found at the first line that has them; what has none
comes out as it is. A record comes out as a line of jsonlog, a journal's entry as a line of syslog,
other text as itself. Nothing is taken off a csvlog, whose lines may begin with a client's text.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from parsers.log.prefix import BACKEND_TYPES
from parsers.log.syslog import has_envelope

_RFC3339: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)"
_TEXTS: Final = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"\[pod/[\w.-]+/[\w.-]+\] ?(?P<text>.*)\Z",  # kubectl logs --prefix
        rf"{_RFC3339} std(?:out|err) (?P<part>[FP]) ?(?P<text>.*)\Z",  # CRI: whole or partial
        rf"{_RFC3339} (?P<text>.*)\Z",  # docker logs -t, kubectl logs --timestamps
        r"data: (?P<text>\{.*)\Z",  # journalctl -o json-sse
        r"(?P<name>(?=[^ ]*[A-Za-z_])[\w.@-]+) +\| ?(?P<text>.*)\Z",  # docker compose logs
    )
)
_COMPOSE: Final = _TEXTS[-1]
_OF_A_PREFIX: Final = re.compile(r"[0-9a-f]+\.[0-9a-f]+\Z|(?:" + "|".join(BACKEND_TYPES) + r")\Z")
# Where shippers put the line. Other keys serve where a server's label is in their text.
_TEXT_KEYS: Final = ("log", "textPayload", "MESSAGE", "message", "@message", "line")
_LABEL: Final = re.compile(r"\b(?:LOG|FATAL|PANIC|ERROR|WARNING|HINT|DETAIL|STATEMENT): ")
_DOCKER_PART: Final = 16384  # bytes at which docker cuts a line
_MAX_HELD: Final = 16 << 20  # characters of one JSON document
_DEPTH: Final = 6
_OUTER: Final = 3  # brackets that an outer document may have left behind one of its own
_CLOSING: Final = 1 << 16  # characters up to which any bracket may be a document's last
_OPEN: Final = re.compile(r'\[?\s*\{\s*"[^"]+"\s*:')
_TRIED: Final = 64  # how often a character may be read in search of a document's end
_SEPARATORS: Final = frozenset({"[", "]", ",", "[]", ""})


class Layer(Protocol):
    """One wrapping."""

    def take(self, line: str) -> Iterator[str]:
        """Give the lines that were inside."""

    def close(self) -> Iterator[str]:
        """Give what was held: nothing more belongs to it."""


class Wrapping:
    """All layers of one log, from the outside to the inside."""

    def __init__(self, layers: list[Layer]) -> None:
        self._layers = layers

    @property
    def holds_json(self) -> bool:
        """The records lie in JSON."""
        return any(isinstance(layer, JsonLayer) for layer in self._layers)

    def take(self, line: str) -> list[str]:
        """Give the lines that were inside."""
        return self._pass([line], self._layers)

    def close(self) -> list[str]:
        """Give what was held."""
        found: list[str] = []
        for at, layer in enumerate(self._layers):
            found += self._pass(list(layer.close()), self._layers[at + 1 :])
        return found

    def _pass(self, lines: list[str], layers: list[Layer]) -> list[str]:
        for layer in layers:
            lines = [inner for line in lines for inner in layer.take(line)]
        return lines


def find_wrapping(line: str) -> Wrapping | None:
    """The wrapping that a line shows; None when it shows none."""
    layers: list[Layer] = []
    lines = [line]
    while len(layers) < _DEPTH and lines:
        layer = _layer_of(lines[-1])
        if layer is None:
            break
        lines = [*layer.take(lines[-1]), *layer.close()]
        layers.append(layer)
    return Wrapping(layers) if layers else None


def _layer_of(line: str) -> Layer | None:
    for pattern in () if has_envelope(line) else _TEXTS:
        match = pattern.match(line)
        if match and (pattern is not _COMPOSE or _is_compose(match)):
            return TextLayer(pattern)
    if line.startswith('"') and CsvLayer.fits(line):
        return CsvLayer()
    text = line.strip(" \x1e")
    if text in ("{", "[", "[{"):
        return JsonLayer()
    begin = _begin(line)
    if text.startswith(_OWN_JSON) or begin is None or _LABEL.search(line[:begin]):
        return None
    if text.startswith("{") and '"record":{"log_time":"' in text:
        return None  # CloudNativePG's, which the server's reader reads as well
    document = _parse(line[begin:])
    if document is None:
        return JsonLayer() if _OPEN.match(text) else None
    layer = JsonLayer(has_head=not text.startswith(("{", "[")))
    return layer if any(layer.lines_in(document)) else None


def _begin(line: str) -> int | None:
    """Where the first object of JSON begins, or the list that it is in; None: there is none."""
    brace = line.find("{")
    if brace < 0:
        return None
    head = line[:brace].rstrip()
    return len(head) - head.endswith("[")


def _is_compose(match: re.Match[str]) -> bool:
    """A service's name, and not what a log_line_prefix begins with."""
    return bool(_LABEL.search(match["text"])) and _OF_A_PREFIX.match(match["name"]) is None


# As the server itself writes it: its reader needs no help.
_OWN_JSON: Final = ('{"timestamp":"', '{"error_severity"', '{"timestamp": "')


class TextLayer:
    """Text of one shape before every line."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self._part = ""  # of a line that CRI cut

    def take(self, line: str) -> Iterator[str]:
        match = self._pattern.match(line)
        if match is None:
            yield line
            return
        text = self._part + match["text"]
        cut = match.groupdict().get("part") == "P" and len(text) < _MAX_HELD
        self._part = text if cut else ""
        if not cut:
            yield text

    def close(self) -> Iterator[str]:
        part, self._part = self._part, ""
        if part:
            yield part


class CsvLayer:
    """A table of texts, each quoted: what Kibana and others export. One column holds the lines."""

    def __init__(self) -> None:
        self._column = 0
        self._held = ""  # of a row whose quotes are not closed

    @staticmethod
    def fits(line: str) -> bool:
        """Tell whether a server's label stands in a column of a row."""
        return any(_LABEL.search(text) for text in _row(line) or ())

    def take(self, line: str) -> Iterator[str]:
        if not self._held and not line.startswith('"'):
            yield line
            return
        text = f"{self._held}\n{line}" if self._held else line
        row = _row(text)
        if row is None and len(text) < _MAX_HELD and text.count('"') % 2:
            self._held = text
            return
        self._held = ""
        if row is None:
            yield from text.split("\n")
            return
        labelled = [at for at, each in enumerate(row) if _LABEL.search(each)]
        self._column = labelled[0] if labelled else self._column
        yield from row[min(self._column, len(row) - 1)].split("\n")

    def close(self) -> Iterator[str]:
        held, self._held = self._held, ""
        yield from held.split("\n") if held else ()


def _row(text: str) -> list[str] | None:
    """The columns of a whole row of quoted texts."""
    try:
        return next(csv.reader(io.StringIO(text), strict=True), None)
    except csv.Error:
        return None


class JsonLayer:
    """JSON around every line or record, one document a line or printed over many."""

    def __init__(self, *, has_head: bool = False) -> None:
        self._has_head = has_head  # text stands before each document
        self._held: list[str] = []  # of a document whose end has not come
        self._size = 0
        self._tried = 0  # characters that were read in vain, as no document ended there
        self._part = ""  # of a line that docker cut
        self._keys = dict.fromkeys(_TEXT_KEYS)  # where lines lie, by preference

    def take(self, line: str) -> Iterator[str]:
        if self._held:
            yield from self._go_on(line)
            return
        begin = _begin(line)
        if begin is None or not (self._has_head or not line[:begin].strip(" ,\x1e")):
            if line.strip() not in _SEPARATORS:
                yield line
            return
        document = _parse(line[begin:])
        if document is not None:
            yield from self._unpack(document, line)
        elif self._has_head:
            yield line
        else:
            self._held, self._size, self._tried = [line], len(line), 0

    def _go_on(self, line: str) -> Iterator[str]:
        """A document goes on, unless this line is one of its own: the one before it was torn."""
        whole = _parse(line) if line.startswith("{") else None
        if whole is not None:
            yield from self._give_up()
            yield from self._unpack(whole, line)
            return
        self._held.append(line)
        self._size += len(line)
        may_end = _indent(line) <= _indent(self._held[0]) or self._size < _CLOSING
        may_end &= self._tried < _TRIED * self._size + _CLOSING * _TRIED
        if may_end and line.rstrip(" ,").endswith(("}", "]")):
            self._tried += self._size
            document = _parse("\n".join(self._held))
            if document is not None:
                text, self._held = "\n".join(self._held), []
                yield from self._unpack(document, text)
        if self._size > _MAX_HELD:
            yield from self._give_up()

    def _give_up(self) -> Iterator[str]:
        held, self._held = self._held, []
        yield from held

    def close(self) -> Iterator[str]:
        yield from self._give_up()
        part, self._part = self._part, ""
        if part:
            yield part

    def _unpack(self, document: object, text: str) -> Iterator[str]:
        found = list(self.lines_in(document))
        if not found:
            yield " ".join(text.split())  # of a program beside the server: it may name a file
        for inner in found:
            if len(inner.encode("utf-8", "replace")) >= _DOCKER_PART and not inner.endswith("\n"):
                self._part += inner
                continue
            yield from (self._part + inner).removesuffix("\n").split("\n")
            self._part = ""

    # -- what a document holds -------------------------------------------------------------------

    def lines_in(self, value: object, depth: int = 0) -> Iterator[str]:
        """The server's lines in a document, as it is or deeper inside."""
        if depth > _DEPTH:
            return
        if isinstance(value, list):
            for each in value:
                yield from self.lines_in(each, depth + 1)
        if not isinstance(value, dict):
            return
        if "error_severity" in value and "message" in value:
            yield json.dumps(value, ensure_ascii=False)
            return
        journal = _journal_line(value)
        if journal is not None:
            yield journal
            return
        nested = [each for each in value.values() if isinstance(each, dict | list)]
        deeper = [line for each in nested for line in self.lines_in(each, depth + 1)]
        yield from deeper or self._text_of(value)

    def _text_of(self, value: Mapping[str, Any]) -> Iterator[str]:
        """The text that holds a server's label, or that is where such texts were."""
        texts = {key: text for key, text in value.items() if isinstance(text, str)}
        labelled = next((key for key, text in texts.items() if _LABEL.search(text)), None)
        if labelled is not None:
            self._keys.setdefault(labelled)
        key = labelled or next((key for key in self._keys if key in texts), None)
        if key is not None:
            yield texts[key]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _parse(text: str) -> object | None:
    """A JSON object or array with at most commas or brackets of an outer one around it."""
    for _ in range(_OUTER):
        text = text.strip().rstrip(",")
        if text.startswith("[") and not text.endswith("]"):
            text = text[1:]
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            if not text.endswith("]") or text.startswith("["):
                return None
            text = text[:-1]
        else:
            return value if isinstance(value, dict | list) else None
    return None


def _journal_line(value: Mapping[str, Any]) -> str | None:
    """An entry of journalctl -o json as a line of syslog; None for another document."""
    if "MESSAGE" not in value or not {"_PID", "SYSLOG_PID"} & value.keys():
        return None
    message = value["MESSAGE"]
    if isinstance(message, list):  # not UTF-8: its bytes
        octets = bytes(each for each in message if isinstance(each, int) and 0 <= each < 256)
        message = octets.decode("utf-8", "replace")
    program = value.get("SYSLOG_IDENTIFIER") or value.get("_COMM") or "-"
    pid = value.get("SYSLOG_PID") or value.get("_PID")
    text = str(message).replace("\n", "#012")
    return f"1 {_stamp(value.get('__REALTIME_TIMESTAMP'))} - {program} {pid} - - {text}"


def _stamp(microseconds: object) -> str:
    try:
        at = datetime.fromtimestamp(int(str(microseconds)) / 1_000_000, UTC)
    except (ValueError, OverflowError, OSError):
        return "-"
    return at.isoformat(timespec="microseconds")
