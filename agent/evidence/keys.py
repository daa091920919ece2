"""The keys of evidence: Ed25519, as PEM files that OpenSSL reads too."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from agent.errors import UsageError
from agent.store.local import read_file, stat_path
from parsers.evidence.envelope import Envelope, render_envelope, signed_bytes
from parsers.sentences import tr
from parsers.values import dataclass

_MOST_BYTES = 1 << 16  # of a key's file


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Signs statements. Its repr holds no secret: cryptography's has none."""

    _private: Ed25519PrivateKey

    @property
    def id(self) -> str:
        return key_id(self._private.public_key())

    @property
    def public_keys(self) -> PublicKeys:
        """Its own, and no other."""
        return PublicKeys([self._private.public_key()])

    def sign(self, payload_type: str, payload: bytes) -> bytes:
        """The payload in a signed envelope, as one line without its end."""
        return render_envelope(
            Envelope(
                payload=payload,
                payload_type=payload_type,
                key_id=self.id,
                signature=self._private.sign(signed_bytes(payload_type, payload)),
            )
        )


class PublicKeys:
    """Keys that statements may be signed by: called with an envelope, gives the key that did."""

    def __init__(self, keys: Sequence[Ed25519PublicKey]) -> None:
        self._keys = {key_id(key): key for key in keys}

    def __call__(self, envelope: Envelope) -> str | None:
        """The id of the key that signed it; None: none of these. Each statement names its key."""
        key = self._keys.get(envelope.key_id)
        if key is None:
            return None
        try:
            key.verify(envelope.signature, envelope.signed)
        except InvalidSignature:
            return None
        return envelope.key_id


def key_id(key: Ed25519PublicKey) -> str:
    """SHA-256 of the key's SubjectPublicKeyInfo, in hexadecimal."""
    public = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).hexdigest()


def make_key(path: Path) -> str:
    """Write a new key to `path`, which only its owner may read, and its public half beside it.

    Gives the key's id. Nothing is overwritten. Raises UsageError for a file that is there, OSError.
    """
    public_path = public_of(path)
    for each in (path, public_path):
        if os.path.lexists(each):
            raise UsageError(
                tr("{path} is there already: name another file, or move it away", path=each)
            )
    private = Ed25519PrivateKey.generate()
    public = private.public_key()
    _write(
        path,
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        mode=0o600,
    )
    try:
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        _write(public_path, pem, mode=0o644)
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise
    return key_id(public)


def public_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.pub")


def _write(path: Path, data: bytes, mode: int) -> None:
    """A new file, on the disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)  # whatever the umask
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def read_signing_key(path: Path) -> SigningKey:
    """Raises UsageError."""
    make = tr("make one with  pitr-agent new-evidence-key {path}", path=path)
    data = _read(path, make)
    if stat_path(path).st_mode & (stat.S_IRWXG | stat.S_IRWXO) & ~stat.S_IRGRP:
        raise UsageError(tr("{path}: others can read this key: type  chmod 600 {path}", path=path))
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError:
        raise UsageError(
            tr("{path} is encrypted: a key that asks for a passphrase cannot be used", path=path)
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(
            tr("{path} holds no private key in PEM: {make}", path=path, make=make)
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(tr("{path} is no Ed25519 key: {make}", path=path, make=make))
    return SigningKey(key)


def read_public_keys(paths: Sequence[Path]) -> PublicKeys:
    """Raises UsageError."""
    return PublicKeys([_read_public(path) for path in paths])


def _read_public(path: Path) -> Ed25519PublicKey:
    data = _read(path, tr("name the .pub that pitr-agent new-evidence-key wrote"))
    if b"PRIVATE KEY" in data:
        raise UsageError(
            tr("{path} is the private key: name {public}", path=path, public=public_of(path))
        )
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(tr("{path} holds no public key in PEM", path=path)) from None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(tr("{path} is no Ed25519 key", path=path))
    return key


def _read(path: Path, hint: str) -> bytes:
    try:
        return read_file(path, _MOST_BYTES)
    except FileNotFoundError:
        raise UsageError(tr("there is no key {path}: {hint}", path=path, hint=hint)) from None
    except OSError as error:
        raise UsageError(
            tr("the key {path} cannot be read: {reason}", path=path, reason=error.strerror)
        ) from None
