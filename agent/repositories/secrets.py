"""Passphrases and keys by the tools' own names: from the environment, never from an argument."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agent.denied import reason
from agent.errors import UsageError
from parsers.sentences import tr

_KEY_BYTES: Final = 32
_SHORTEST_KEY: Final = 25  # WAL-G's, of a key that is used as it is written


def passphrase_of(number: int) -> bytes | None:
    """pgBackRest's passphrase for the repository of this number."""
    text = os.environ.get(f"PGBACKREST_REPO{number}_CIPHER_PASS")
    if text is None and number == 1:
        text = os.environ.get("PGBACKREST_REPO_CIPHER_PASS")  # before repositories had numbers
    return text.encode() if text else None


def sodium_key(environment: Mapping[str, str] = os.environ) -> bytes | None:
    """WAL-G's libsodium key, as its transform makes it. Raises UsageError for one that is none."""
    text = environment.get("WALG_LIBSODIUM_KEY")
    path = environment.get("WALG_LIBSODIUM_KEY_PATH")
    if not text and path:
        try:
            text = Path(path).read_text().strip()
        except OSError as error:
            raise UsageError(
                tr(
                    "WALG_LIBSODIUM_KEY_PATH: {path}: {reason}",
                    path=path,
                    reason=reason(error, path),
                )
            ) from None
    if not text:
        return None
    transform = environment.get("WALG_LIBSODIUM_KEY_TRANSFORM", "none")
    try:
        if transform == "none":
            if len(text) < _SHORTEST_KEY:
                raise UsageError(
                    tr(
                        "WALG_LIBSODIUM_KEY: shorter than {least} characters",
                        least=_SHORTEST_KEY,
                    )
                )
            key = text.encode()[:_KEY_BYTES].ljust(_KEY_BYTES, b"\0")
        elif transform == "hex":
            key = bytes.fromhex(text)
        elif transform == "base64":
            key = base64.b64decode(text, validate=True)
        else:
            raise UsageError(
                tr(
                    "WALG_LIBSODIUM_KEY_TRANSFORM={transform}: write none, hex or base64",
                    transform=transform,
                )
            )
    except (ValueError, binascii.Error):
        raise UsageError(
            tr("WALG_LIBSODIUM_KEY is not written as {transform}", transform=transform)
        ) from None
    if len(key) != _KEY_BYTES:
        raise UsageError(
            tr(
                "WALG_LIBSODIUM_KEY has {size} bytes instead of {expected}",
                size=len(key),
                expected=_KEY_BYTES,
            )
        )
    return key
