"""What a signed statement says: an in-toto Statement v1 with a predicate of ours.

docs/schemas/pitr-evidence.schema.json describes the predicate. What is read here is what the chain
and its reports need; `predicate` has all of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Final, Literal, get_args

from parsers.errors import ParseError
from parsers.sentences import tr
from parsers.values import dataclass

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
# Names the predicate. Nothing is to be found under it: it is a name.
PREDICATE_TYPE: Final = "urn:pitr-agent:evidence:1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
HEAD_TYPE: Final = "application/vnd.pitr-evidence-head+json"
SCHEMA: Final = "pitr-evidence/1"

# verdict, drill: what a program found. wal: segments that were read, where one statement would be
# too long, or a file begins. removal: which statements were dropped to make room.
Kind = Literal["verdict", "drill", "wal", "removal"]
_KINDS: Final = frozenset(get_args(Kind))
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SEGMENT: Final = re.compile(r"[0-9A-F]{24}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WalChange:
    """The WAL as it was read, as what changed since the statement before about the same WAL."""

    name: str  # of the subject: which WAL
    archives: tuple[str, ...]  # urls
    count: int  # segments after the change
    root: str  # SHA-256 of them all, see rules.evidence.inventory
    whole: bool  # `read` begins a list of all of them: forget what was
    read: Mapping[str, str] = field(default_factory=dict)  # segment -> SHA-256 of its content
    gone: tuple[str, ...] = ()  # segments that the archives have no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """Statements that the writer dropped itself."""

    through: int  # sequence number of the last of them
    digest: str  # of that one


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One link of a chain."""

    kind: Kind
    chain: str
    sequence: int  # from 1
    previous: str | None  # digest of the statement before; None: it is the first
    at: datetime
    cluster: str | None
    wal: WalChange | None
    removal: Removal | None
    found: tuple[str, ...]  # that its writer found amiss with the chain before it
    predicate: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest statement, as its writer noted beside the chain."""

    chain: str
    sequence: int
    digest: str


def parse_statement(payload: bytes) -> Statement:
    """Read the payload of an envelope. Raises ParseError."""
    try:
        return _statement(json.loads(payload))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        raise ParseError(tr("it is no statement of this program")) from None


def parse_head(payload: bytes) -> Head:
    """Read the payload of the head's envelope. Raises ParseError."""
    try:
        said = json.loads(payload)
        return Head(
            chain=_text(said["chain"]),
            sequence=_number(said["sequence"]),
            digest=_digest(said["sha256"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ParseError(tr("it is no head of a chain")) from None


def _statement(document: Any) -> Statement:
    said = document["predicate"]
    known = document["_type"] == STATEMENT_TYPE and document["predicateType"] == PREDICATE_TYPE
    if not known or said["schema"] != SCHEMA or said["kind"] not in _KINDS:
        raise ValueError
    at = datetime.fromisoformat(said["at"])
    if at.tzinfo is None:
        raise ValueError
    previous, removed, wal = said["previous"], said.get("removed"), said.get("wal")
    return Statement(
        kind=said["kind"],
        chain=_text(said["chain"]),
        sequence=_number(said["sequence"]),
        previous=None if previous is None else _digest(previous["sha256"]),
        at=at,
        cluster=None if said["cluster"] is None else _text(said["cluster"]),
        wal=None if wal is None else _wal(wal),
        removal=None
        if removed is None
        else Removal(through=_number(removed["through"]), digest=_digest(removed["sha256"])),
        found=tuple(map(_text, said.get("found", ()))),
        predicate=said,
    )


def _wal(said: Any) -> WalChange:
    read = {}
    for line in said["read"]:
        name, _, digest = line.partition(" ")
        read[_segment(name)] = _digest(digest)
    return WalChange(
        name=_text(said["name"]),
        archives=tuple(map(_text, said["archives"])),
        count=_number(said["segments"]),
        root=_digest(said["sha256"]),
        whole=said["whole"] is True,
        read=read,
        gone=tuple(map(_segment, said["gone"])),
    )


def _digest(value: Any) -> str:
    if not _SHA256.fullmatch(value):
        raise ValueError
    return str(value)


def _segment(value: Any) -> str:
    if not _SEGMENT.fullmatch(value):
        raise ValueError
    return str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError
    return value
