"""DSSE envelopes, one a line: what is signed, by which key, and the signature.

Follows the DSSE protocol 1.0 (github.com/secure-systems-lab/dsse). Nothing is verified here: that
takes a key. A line is taken only if it is, byte for byte, what `render_envelope` writes: the
signature covers the payload alone, and nothing beside it may change unseen either.
"""

from __future__ import annotations

import base64
import binascii
import json

from parsers.errors import ParseError
from parsers.sentences import tr
from parsers.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload with one signature."""

    payload: bytes
    payload_type: str
    key_id: str  # says which key to try, and proves nothing
    signature: bytes

    @property
    def signed(self) -> bytes:
        return signed_bytes(self.payload_type, self.payload)


def signed_bytes(payload_type: str, payload: bytes) -> bytes:
    """What the signature is of: DSSE's pre-authentication encoding (PAE).

    >>> signed_bytes("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def render_envelope(envelope: Envelope) -> bytes:
    """The envelope as one line of JSON, without the line's end."""
    document = {
        "payload": base64.b64encode(envelope.payload).decode(),
        "payloadType": envelope.payload_type,
        "signatures": [
            {
                "keyid": envelope.key_id,
                "sig": base64.b64encode(envelope.signature).decode(),
            }
        ],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def parse_envelope(line: bytes) -> Envelope:
    """Read one line, without its end. Raises ParseError."""
    try:
        envelope = _read(json.loads(line))
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error):
        raise ParseError(tr("it is no envelope")) from None
    if render_envelope(envelope) != line:
        raise ParseError(tr("it is an envelope, and not as it was written"))
    return envelope


def _read(document: dict[str, object]) -> Envelope:
    payload, payload_type = document["payload"], document["payloadType"]
    (signature,) = document["signatures"]  # type: ignore[misc]
    if not isinstance(payload, str) or not isinstance(payload_type, str):
        raise TypeError
    key_id, signed = signature["keyid"], signature["sig"]  # type: ignore[has-type]
    if not isinstance(key_id, str):
        raise TypeError
    return Envelope(
        payload=base64.b64decode(payload, validate=True),
        payload_type=payload_type,
        key_id=key_id,
        signature=base64.b64decode(signed, validate=True),
    )
