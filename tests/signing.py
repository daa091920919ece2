"""Chains of signed statements for tests: a key, a writer, and the library that checks them.

The library, securesystemslib, shares nothing with the writer but the formats.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from agent.evidence.directory import read_head, read_lines
from agent.evidence.keys import SigningKey, make_key, read_public_keys, read_signing_key
from agent.evidence.statement import Draft, WalRead
from agent.evidence.writer import EvidenceWriter
from rules.evidence.chain import Chain, judge_chain

SCHEMA = json.loads(
    (Path(__file__).parent.parent / "docs" / "schemas" / "pitr-evidence.schema.json").read_text()
)
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Signed:
    """A directory of statements and the key of its writers."""

    home: Path

    @property
    def directory(self) -> Path:
        return self.home / "evidence"

    @property
    def key(self) -> Path:
        return self.home / "key"

    @property
    def public(self) -> Path:
        return self.home / "key.pub"

    @property
    def files(self) -> list[Path]:
        return sorted(self.directory.glob("*.jsonl"))

    @property
    def lines(self) -> list[bytes]:
        return [line for file in self.files for line in file.read_bytes().splitlines(keepends=True)]

    def signing_key(self) -> SigningKey:
        return read_signing_key(self.key)

    def writer(self, **options: Any) -> EvidenceWriter:
        return EvidenceWriter(self.directory, self.signing_key(), **options)

    def judge(self, *expected: str) -> Chain:
        keys = read_public_keys([self.public])
        return judge_chain(read_lines(self.directory), read_head(self.directory), keys, expected)

    @property
    def problems(self) -> set[str]:
        return {problem.kind for problem in self.judge().problems}

    def predicates(self) -> list[dict[str, Any]]:
        return [statement["predicate"] for statement in statements(self)]


def new_signed(home: Path) -> Signed:
    home.mkdir(parents=True, exist_ok=True)
    made = Signed(home)
    make_key(made.key)
    return made


class Clock:
    """A minute later at each look."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


def draft(number: int, wal: WalRead | None = None) -> Draft:
    return Draft(
        kind="verdict",
        cluster="lab",
        wal=wal,
        body={"shortened": [{"list": "it", "entries": number}]},
    )


def wal_of(*numbers: int, content: int = 0) -> WalRead:
    """Segments of timeline 1 by their numbers, all read."""
    digests = {f"00000001{0:08X}{number:08X}": f"{content + number:064x}" for number in numbers}
    return WalRead(
        name="wal/7 /wal", archives=("/wal",), digests=digests, listed=frozenset(digests)
    )


def statements(signed: Signed) -> list[dict[str, Any]]:
    """Every statement, verified by securesystemslib and held against the schema."""
    found = []
    for line in signed.lines:
        envelope = verified(json.loads(line), signed.public)
        statement = json.loads(envelope.payload)
        jsonschema.validate(statement, SCHEMA)
        found.append(statement)
    return found


def verified(document: dict[str, Any], public: Path) -> Envelope:
    """The envelope, if its signature is by this key. Raises VerificationError."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    (signature,) = document["signatures"]
    key = SSlibKey.from_crypto(load_pem_public_key(public.read_bytes()), signature["keyid"])  # type: ignore[arg-type]
    envelope = Envelope.from_dict(json.loads(json.dumps(document)))
    envelope.verify([key], 1)
    return envelope
