"""Encrypted files, decrypted on the way: which keys this process has, and for what lies where.

- AES-256-CBC as `openssl enc -md sha1` writes it and pgBackRest does: `Salted__`, 8 bytes of salt.
  Key and IV are EVP_BytesToKey's with SHA-1, one round. Nothing in it tells a wrong byte.
- libsodium's secretstream (XChaCha20-Poly1305) in pieces of 8 KiB, as WAL-G writes it.

Keys are remembered for a folder and all below it, never written or shown. The libraries are
imported when a file needs them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, Final, NamedTuple

from parsers.sentences import tr

MAGIC: Final = b"Salted__"
_SALT_BYTES: Final = 8
_PIECE_BYTES: Final = 1 << 18
_SODIUM_HEADER_BYTES: Final = 24
_SODIUM_PIECE_BYTES: Final = 8192 + 17


class BadCipher(Exception):
    """Bytes that do not decrypt: cut short, damaged, or under another key. One line."""


class Cipher(NamedTuple):
    """How the files of a folder are encrypted."""

    name: str  # aes-256-cbc, libsodium, or what a person calls it
    key: bytes | None  # a passphrase or key; None: it is not known, nothing can be read
    raw: bool = False  # aes-256-cbc without the magic

    def __repr__(self) -> str:
        return f"Cipher({self.name})"


_known: dict[str, Cipher] = {}


def remember(folder: str, cipher: Cipher) -> None:
    """Decrypt what lies in a folder, or below it."""
    _known[folder.rstrip("/")] = cipher


def remembered() -> Mapping[str, Cipher]:
    """All that is remembered, for another process."""
    return dict(_known)


def adopt(ciphers: Mapping[str, Cipher]) -> None:
    """Use what another process remembered, too."""
    _known.update(ciphers)


def cipher_for(path: str) -> Cipher | None:
    """What is remembered for a path, or for the nearest folder above it."""
    if not _known:
        return None
    while path:
        if (found := _known.get(path)) is not None:
            return found
        path = path.rpartition("/")[0]
    return None


def decrypting(file: IO[bytes], cipher: Cipher) -> io.BufferedReader:
    """The file's bytes, decrypted. Reading raises BadCipher, OSError."""
    return file_of(_pieces(file, cipher))


def decrypt(data: bytes, cipher: Cipher) -> bytes:
    """Raises BadCipher."""
    return b"".join(_pieces(io.BytesIO(data), cipher))


def file_of(pieces: Iterator[bytes]) -> io.BufferedReader:
    """Bytes that come in pieces, as a file. Reading raises what the pieces raise."""
    return io.BufferedReader(_Pieces(pieces), _PIECE_BYTES)


class _Pieces(io.RawIOBase):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def _pieces(file: IO[bytes], cipher: Cipher) -> Iterator[bytes]:
    key = cipher.key
    if key is None:
        raise BadCipher(
            tr("encrypted ({cipher}): there is no key to read it with", cipher=cipher.name)
        )
    if cipher.name == "libsodium":
        yield from _sodium_pieces(file, key)
    else:
        yield from _aes_pieces(file, key, cipher.raw)


def _aes_pieces(file: IO[bytes], passphrase: bytes, raw: bool) -> Iterator[bytes]:
    from cryptography.hazmat.primitives.ciphers import Cipher as Aes
    from cryptography.hazmat.primitives.ciphers import algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    head = file.read(_SALT_BYTES if raw else len(MAGIC) + _SALT_BYTES)
    salt = head[-_SALT_BYTES:]
    if not raw and not head.startswith(MAGIC):
        raise BadCipher(tr("it does not begin as an encrypted file"))
    if len(salt) < _SALT_BYTES:
        raise BadCipher(tr("it is cut short"))
    key, vector = _derive(passphrase, salt)
    decryptor = Aes(algorithms.AES256(key), modes.CBC(vector)).decryptor()
    unpadder = PKCS7(128).unpadder()
    while piece := file.read(_PIECE_BYTES):
        yield unpadder.update(decryptor.update(piece))
    try:
        yield unpadder.update(decryptor.finalize()) + unpadder.finalize()
    except ValueError:
        raise BadCipher(tr("it does not decrypt to its end: cut short or damaged")) from None


def _derive(passphrase: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """EVP_BytesToKey: (key, IV)."""
    import hashlib

    derived = digest = b""
    while len(derived) < 48:
        digest = hashlib.sha1(digest + passphrase + salt).digest()
        derived += digest
    return derived[:32], derived[32:48]


def _sodium_pieces(file: IO[bytes], key: bytes) -> Iterator[bytes]:
    from nacl import bindings
    from nacl.exceptions import CryptoError

    pull: Callable[..., tuple[bytes, int]] = bindings.crypto_secretstream_xchacha20poly1305_pull
    header = file.read(_SODIUM_HEADER_BYTES)
    if len(header) < _SODIUM_HEADER_BYTES:
        raise BadCipher(tr("it is cut short"))
    state = bindings.crypto_secretstream_xchacha20poly1305_state()
    try:
        bindings.crypto_secretstream_xchacha20poly1305_init_pull(state, header, key)
        tag = None
        while piece := _read_whole(file, _SODIUM_PIECE_BYTES):
            plain, tag = pull(state, piece, None)
            yield plain
    except (CryptoError, RuntimeError, ValueError, TypeError):
        raise BadCipher(tr("it does not decrypt: damaged, or under another key")) from None
    if tag != bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL:
        raise BadCipher(tr("it is cut short"))


def _read_whole(file: IO[bytes], count: int) -> bytes:
    """As many bytes as there are, up to `count`: a store gives fewer at a time."""
    data = file.read(count)
    while len(data) < count and (more := file.read(count - len(data))):
        data += more
    return data
