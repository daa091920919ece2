"""The encoding of a log: what its bytes say, since nothing in the file does.

The startup process and the postmaster write in the encoding of the server's LC_CTYPE, each backend
in that of its database: one file may hold several, and a log may be all ASCII for days. So lines
are read as UTF-8 until one is not; then as Latin-1, which loses no byte, until a message of the
server is understood under an encoding (its catalogue tells what it should say).

The encodings are those of the table pg_enc2name_tbl (src/common/encnames.c) that a server can have
and that Python knows.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import Final

UTF8: Final = "utf-8"
LOSSLESS: Final = "latin_1"
# Multibyte ones first: what they decode is more likely theirs.
SERVER_ENCODINGS: Final = (
    "euc_jp", "euc_jis_2004", "euc_kr", "gb2312",
    "koi8_r", "koi8_u", "cp1251", "iso8859_5", "cp866",
    "latin_1", "iso8859_15", "cp1252", "iso8859_2", "cp1250", "iso8859_9", "cp1254",
    "iso8859_7", "cp1253", "iso8859_8", "cp1255", "iso8859_6", "cp1256", "iso8859_13", "cp1257",
    "iso8859_3", "iso8859_4", "iso8859_10", "iso8859_14", "iso8859_16", "cp1258", "cp874",
)  # fmt: skip


class FromUtf16:
    """A stream's bytes as UTF-8, where it begins as PowerShell's redirection does: in UTF-16."""

    def __init__(self) -> None:
        self._start: bytes | None = b""
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes) -> bytes:
        if self._start is not None:
            data = self._start + data
            if len(data) < 4:  # the mark and a character
                self._start = data
                return b""
            self._start = None
            if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"\0" in data[2:4]:
                self._decoder = codecs.getincrementaldecoder("utf-16")("replace")
        return self._decoder.decode(data).encode() if self._decoder else data

    def close(self) -> bytes:
        """Give what was held; what is fed next is another file."""
        held = self._start or b""
        if self._decoder is not None:
            held = self._decoder.decode(b"", final=True).encode()
        self._start, self._decoder = b"", None
        return held


class Decoder:
    """Bytes to text, without failing and without loss."""

    def __init__(self, encoding: str = UTF8) -> None:
        self.encodings = [encoding] if encoding == UTF8 else [encoding, UTF8]
        self.found = encoding != UTF8  # another encoding than UTF-8 was told, or proved itself

    def decode(self, raw: bytes) -> str:
        for encoding in self.encodings:
            try:
                return raw.decode(encoding)
            except UnicodeDecodeError:
                continue
        return raw.decode(LOSSLESS)

    def learn(self, encoding: str) -> None:
        """Read lines in this encoding first, from now on."""
        self.encodings = [encoding, UTF8]
        self.found = True

    def possible(self) -> tuple[str, ...]:
        """The encodings that lines to come may be in."""
        return tuple(self.encodings) if self.found else (UTF8, *SERVER_ENCODINGS)


def readings(text: str) -> Iterator[tuple[str, str]]:
    """Other readings of a text that `Decoder` read as Latin-1: (encoding, text)."""
    if text.isascii():
        return
    for encoding in SERVER_ENCODINGS:
        again = read_as(text, encoding)
        if again is not None:
            yield encoding, again


def read_as(text: str, encoding: str) -> str | None:
    """A Latin-1 text in another encoding; None when it is none of that encoding."""
    try:
        return text.encode(LOSSLESS).decode(encoding)
    except (UnicodeEncodeError, UnicodeDecodeError):
        return None


def encode_in_each(text: str, encodings: Iterable[str]) -> set[bytes]:
    """The text's bytes in every encoding that has all of its characters."""
    found = set()
    for encoding in encodings:
        try:
            found.add(text.encode(encoding))
        except UnicodeEncodeError:
            continue
    return found
