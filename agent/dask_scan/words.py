"""What is asked of a worker and what it answers: MessagePack with strict types, nothing executable.

The bytes of a question begin with the fingerprint of the code that asks. Only the same code may
answer: another release could see the same segment otherwise.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

import msgspec

from agent import __version__
from agent.engine import running
from agent.ledger.encode import format_fingerprint
from agent.packed_sentence import pack, unpack
from agent.store.meter import OPERATIONS, StoreUsage
from parsers.errors import ParseError
from parsers.sentences import tr
from parsers.wal.scan import Depth
from rules.model.facts import ArchivedFile

FINGERPRINT_BYTES: Final = 16
ANSWER_BYTES_MOST: Final = 128 << 20  # the scan of a segment of 1 GiB that is full of commits
_LINE_CHARACTERS_MOST: Final = 500


class Question(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """One file of a segment to read."""

    directory: bytes  # a path need not be text
    name: bytes
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    segment: str
    segment_size: int
    depth: Depth
    of_a_tool: bool  # it lies in a repository of another tool

    @property
    def file(self) -> ArchivedFile:
        directory, name = os.fsdecode(self.directory), os.fsdecode(self.name)
        return ArchivedFile(directory, name, self.size_bytes, self.mtime_ns, self.ctime_ns)


class StoreCost(msgspec.Struct, array_like=True, frozen=True):
    """What was asked of a store."""

    requests: dict[str, int] = {}
    failures: dict[str, int] = {}
    seconds: dict[str, float] = {}
    bytes_read: int = 0

    @classmethod
    def of(cls, usage: StoreUsage | None) -> StoreCost:
        if usage is None:
            return cls()
        return cls(dict(usage.requests), dict(usage.failures), usage.seconds, usage.read_bytes)

    def counted(self) -> StoreUsage:
        """As it is counted here. Raises ParseError for what no look at one file can cost."""
        of_operations = (self.requests, self.failures, self.seconds)
        numbers = [self.bytes_read, *(n for each in of_operations for n in each.values())]
        known = all(OPERATIONS_KNOWN.issuperset(each) for each in of_operations)
        if not known or not all(0 <= number < _MOST for number in numbers):
            raise ParseError(tr("not what a file can have cost"))
        usage = StoreUsage(seconds=dict(self.seconds), read_bytes=self.bytes_read)
        usage.requests.update(self.requests)
        usage.failures.update(self.failures)
        return usage


OPERATIONS_KNOWN: Final = frozenset(OPERATIONS)
_MOST: Final = 1 << 50


class Refused(msgspec.Struct, array_like=True, frozen=True, tag=True):
    """Other code runs there than here."""

    runs: str


class Present(msgspec.Struct, array_like=True, frozen=True, tag=True):
    """The same code runs there: nothing was asked."""


class NotThere(msgspec.Struct, array_like=True, frozen=True, tag=True):
    """No such file, or another than the one that was listed."""

    why: str
    usage: StoreCost


class Failed(msgspec.Struct, array_like=True, frozen=True, tag=True):
    """The file could not be read."""

    why: str
    is_cold: bool
    usage: StoreCost


class Read(msgspec.Struct, array_like=True, frozen=True, tag=True):
    """What is in it."""

    scan: bytes
    transactions: bytes
    digest: bytes
    stable: bool
    misnamed: bool  # its tool had named it after another content
    usage: StoreCost


Answer = Refused | Present | NotThere | Failed | Read


@functools.cache
def fingerprint() -> bytes:
    """Names the code that reads a segment: the parsers' source, and the release around it."""
    digest = blake2b(digest_size=FINGERPRINT_BYTES, person=b"dask")
    digest.update(format_fingerprint() + __version__.encode())
    return digest.digest()


def described() -> str:
    """The same for a person."""
    code = fingerprint().hex()[:8]
    if running() == "c":
        return tr(
            "pitr-agent {version}, compiled engine, code {code}", version=__version__, code=code
        )
    return tr("pitr-agent {version}, numpy engine, code {code}", version=__version__, code=code)


def encode_question(question: Question | None) -> bytes:
    """None asks only whether the same code runs there."""
    return fingerprint() + (msgspec.msgpack.encode(question) if question is not None else b"")


def encode_answer(answer: Answer) -> bytes:
    return msgspec.msgpack.encode(_with_words(answer, pack))


def decode_answer(data: object) -> Answer:
    """Raises ParseError, whatever came."""
    if not isinstance(data, bytes) or len(data) > ANSWER_BYTES_MOST:
        raise ParseError(tr("no answer of this program"))
    try:
        return _with_words(_answers().decode(data), lambda said: in_one_line(unpack(said)))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ParseError(tr("no answer of this program: {error}", error=error)) from None


def _with_words(answer: Answer, change: Callable[[str], str]) -> Answer:
    if isinstance(answer, Refused):
        return msgspec.structs.replace(answer, runs=change(answer.runs))
    if isinstance(answer, NotThere | Failed):
        return msgspec.structs.replace(answer, why=change(answer.why))
    return answer


def in_one_line(said: str) -> str:
    """Words of another machine, as they are shown here."""
    line = " ".join("".join(c if c.isprintable() else " " for c in said).split())
    line = line[:_LINE_CHARACTERS_MOST]
    return said if line == said else line


@functools.cache
def _answers() -> msgspec.msgpack.Decoder[Answer]:
    return msgspec.msgpack.Decoder(Answer)
