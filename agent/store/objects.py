"""Reading objects: a prefix listed in order, a range, a stream. Nothing here can write.

Each request is one question that is put again while it fails (`agent.store.patience`), and a
listing goes on after the last key it has. That a key is absent is believed only when the listing
says so too, that a listing is at its end only when nothing comes after it.
"""

from __future__ import annotations

import functools
import io
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import obstore

from agent.store.entries import Entry, ObjectRange, Version
from agent.store.meter import note_bytes, request
from agent.store.odd_keys import is_odd_key, read_page
from agent.store.opening import open_store, signed_listing
from agent.store.patience import (
    DEADLINE_SECONDS,
    REST_SECONDS,
    Patience,
    StoreError,
    in_words,
    is_absence,
    is_past_the_end,
    is_refusal,
)
from agent.store.urls import StorePlace, StoreSettings, place_of, settings_of
from parsers.sentences import tr

if TYPE_CHECKING:
    from datetime import datetime

    from obstore import ObjectMeta

    from agent.store.sftp import SftpStore

HEAD_BYTES: Final = 1 << 16  # asked for where only the first bytes are wanted
_PIECE_BYTES: Final = 8 << 20
_LARGEST_PIECE_BYTES: Final = 32 << 20
_PAGE_KEYS: Final = 1000
_SHORT_SECONDS: Final = 1.0  # for an object after one that was given up
_NS: Final = 10**9
_TAG_NS: Final = 10**6  # mtime_ns below the millisecond, which no store tells
_DIGITS: Final = _TAG_NS * _NS  # how many different tags an Entry's times can hold


class ObjectStore:
    """One bucket, read. Any thread may use it; a process that forks makes its own."""

    def __init__(self, place: StorePlace, settings: StoreSettings) -> None:
        self._scheme = place.scheme
        self._store: Any = open_store(place, settings)
        self._sign = functools.partial(signed_listing, place, settings)
        self._lock = threading.Lock()
        self._rests_until, self._last_failure = 0.0, ""
        self._withholds = False  # an object was given up, and none was read since

    def list(self, prefix: str, start_after: str | None = None) -> Iterator[Entry]:
        """The objects below a prefix in the order of their keys. Raises StoreError.

        The prefix is of whole names between slashes.
        """
        last, stream, patience = start_after, None, self._patience(DEADLINE_SECONDS)
        when: datetime | None = None  # many keys in a row may have it
        mtime_ns = ctime_ns = 0
        came = True  # anything, since the listing was begun again after the last key
        odd = False  # the next page has a key that obstore cannot take
        while True:
            try:
                is_first = stream is None
                stream = stream or (self._odd_page if odd else self._pages)(prefix, last)
                with request("list") as page:
                    chunk = next(stream, None)
                    # The page before this end has said that it was the last.
                    page.was_made = is_first or chunk is not None
            except Exception as error:
                stream, odd = None, not odd and self._scheme == "s3" and is_odd_key(error)
                if not odd:
                    self._wait(patience, error)
                continue
            patience = self._patience(DEADLINE_SECONDS)
            if chunk is None:
                if not came or self._scheme == "az":  # Azure would list everything again
                    return
                stream, came, odd = None, False, False
                continue
            for meta in chunk:
                key = meta["path"]
                if last is None or key > last:
                    last, came = key, True
                    if meta["last_modified"] != when:
                        when = meta["last_modified"]
                        mtime_ns, ctime_ns = _times(when)
                    above, below = divmod(_number(meta), _TAG_NS)
                    yield _new(Entry, (key, meta["size"], mtime_ns + below, ctime_ns + above))

    def read(self, key: str, start: int, length: int) -> ObjectRange:
        """Read a range. Raises FileNotFoundError when the object is gone, StoreError."""
        patience = self._patience(_SHORT_SECONDS if self._withholds else DEADLINE_SECONDS)
        while True:
            try:
                piece = self._read_once(key, start, length)
                self._withholds = False
                return piece
            except Exception as error:
                if is_past_the_end(error) and (rest := self._past_the_end(key, start)):
                    return rest
                try:
                    self._wait(patience, error)
                except StoreError:
                    if is_absence(error) and self.find(key) is None:
                        raise FileNotFoundError(2, tr("there is no such object"), key) from None
                    if is_absence(error):
                        raise StoreError(
                            tr("it is listed, and the store does not find it")
                        ) from None
                    raise

    def version(self, key: str) -> Version:
        """What an object is now. Raises as `read` does."""
        return self.read(key, 0, 1).version

    # -- how -------------------------------------------------------------------------------------

    def _pages(self, prefix: str, after: str | None) -> Iterator[Sequence[ObjectMeta]]:
        return obstore.list(self._store, prefix=prefix or None, offset=after, chunk_size=_PAGE_KEYS)

    def _odd_page(self, prefix: str, after: str | None) -> Iterator[Sequence[ObjectMeta]]:
        """One page, whatever its keys are."""
        yield read_page(self._sign, prefix, after)

    def _read_once(self, key: str, start: int, length: int) -> ObjectRange:
        with request("read"):
            answer = obstore.get(self._store, key, options={"range": (start, start + length)})
            data, meta = bytes(answer.bytes()), answer.meta
            note_bytes(len(data))
            if len(data) != max(min(length, meta["size"] - start), 0):
                raise StoreError(tr("the answer broke off"))
        return ObjectRange(data, Version(meta["size"], _tag(meta)))

    def _past_the_end(self, key: str, start: int) -> ObjectRange | None:
        """The empty range after an object's end, and of an empty object; None: it is not that."""
        try:
            with request("head"):
                meta = obstore.head(self._store, key)
        except Exception:
            return None
        return (
            ObjectRange(b"", Version(meta["size"], _tag(meta))) if meta["size"] <= start else None
        )

    def find(self, key: str) -> Entry | None:
        """The object of exactly this key, as the listing has it. Raises StoreError."""
        above = key.rpartition("/")[0]
        for entry in self.list(above, key[:-1]):
            if entry.key >= key:
                return entry if entry.key == key else None
        return None

    def _answers(self) -> bool:
        """Whether the store is there at all: then one object failed, and others need not."""
        try:
            with request("list"):
                next(obstore.list(self._store, chunk_size=1), None)
        except Exception as error:
            return is_refusal(error)
        return True

    def _patience(self, deadline_seconds: float) -> Patience:
        """A store that was given up on is not waited for again by each of a million files."""
        with self._lock:
            if time.monotonic() < self._rests_until:
                raise StoreError(self._last_failure)
        return Patience(deadline_seconds=deadline_seconds)

    def _wait(self, patience: Patience, error: Exception) -> None:
        try:
            patience.wait(error)
        except StoreError:
            if is_refusal(error):
                raise
            self._withholds = True
            if not self._answers():
                with self._lock:
                    self._rests_until = time.monotonic() + REST_SECONDS
                    self._last_failure = in_words(error)
            raise


class ObjectFile(io.RawIOBase):
    """An object as a file to read: in pieces, all of one version."""

    def __init__(self, read: Callable[[int, int], ObjectRange], first_bytes: int) -> None:
        self._read = read
        self._next_bytes = min(max(first_bytes, 1), _LARGEST_PIECE_BYTES)
        self._piece, self._begins_at, self._position = b"", 0, 0
        self.version = self._fetch(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        ends = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.version.size_bytes}
        self._position = ends[whence] + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        """As much as the piece at hand has. Raises StoreError, FileNotFoundError."""
        if self._position >= self.version.size_bytes:
            return 0
        if not self._begins_at <= self._position < self._begins_at + len(self._piece):
            if self._fetch(self._position) != self.version:
                raise StoreError(tr("it was replaced while it was read"))
            if not self._piece:
                raise StoreError(tr("the answer broke off"))
        offset = self._position - self._begins_at
        count = min(len(buffer), len(self._piece) - offset)
        buffer[:count] = memoryview(self._piece)[offset : offset + count]
        self._position += count
        return count

    def _fetch(self, start: int) -> Version:
        self._piece, version = self._read(start, self._next_bytes)
        self._begins_at, self._next_bytes = start, _PIECE_BYTES
        return version


class OpenedObject(io.BufferedReader):
    """What `open_object` gives: a buffered file that knows its version."""

    def __init__(self, file: ObjectFile) -> None:
        super().__init__(file, HEAD_BYTES)
        self.version: Final = file.version


def open_object(url: str, first_bytes: int = HEAD_BYTES) -> OpenedObject:
    """Open an object for reading; `first_bytes` are asked for at once. Raises as `read` does."""
    key = place_of(url).key
    return OpenedObject(ObjectFile(functools.partial(store_of(url).read, key), first_bytes))


def list_objects(url: str, start_after: str | None = None) -> Iterator[Entry]:
    """The objects below an address, in the order of their keys. Raises StoreError."""
    return store_of(url).list(place_of(url).key, start_after)


def version_of(url: str) -> Version:
    """What an object is now. Raises FileNotFoundError, StoreError."""
    return store_of(url).version(place_of(url).key)


def find_object(url: str) -> Entry | None:
    """The object at exactly this address; None where there is none. Raises StoreError."""
    return store_of(url).find(place_of(url).key)


def tag_in(mtime_ns: int, ctime_ns: int) -> tuple[int, int]:
    """The digits of a version tag in an Entry's times."""
    return mtime_ns % _TAG_NS, ctime_ns % _NS


def leaves(url: str, root: str) -> bool:
    """Whether it is a link to what lies outside of `root`: only hosts have links."""
    store = store_of(url)
    return not isinstance(store, ObjectStore) and store.leaves(
        place_of(url).key, place_of(root).key
    )


def store_of(url: str) -> ObjectStore | SftpStore:
    """The store of an address; one for each bucket, or account of a host. Raises StoreError."""
    place = place_of(url)._replace(key="")
    return _store(place, settings_of(url))


@functools.lru_cache(maxsize=64)
def _store(place: StorePlace, settings: StoreSettings) -> ObjectStore | SftpStore:
    if place.scheme == "sftp":
        from agent.store.sftp import SftpStore

        return SftpStore(place, settings)
    return ObjectStore(place, settings)


def _times(when: datetime) -> tuple[int, int]:
    """An Entry's times, to which the digits of its version tag are added: no store tells those.

    So what was replaced is another file, though it has the size and second of the one before.
    ctime_ns is no earlier than the object, as stores drop what is below a second or millisecond.
    """
    milliseconds = int(when.timestamp() * 1000)
    return milliseconds * _TAG_NS, (milliseconds // 1000 + 1) * _NS


# A long listing spends its time here: hence no constructor, which a NamedTuple has in Python.
_new: Final = tuple.__new__


def _tag(meta: ObjectMeta) -> tuple[int, int]:
    """A version tag as digits."""
    above, below = divmod(_number(meta), _TAG_NS)
    return below, above


def _number(meta: ObjectMeta) -> int:
    """A version tag as a number: most are hexadecimal, which is read faster than it is hashed."""
    text = (meta["e_tag"] or meta["version"] or "").strip('"')
    try:
        number = abs(int(text[:32], 16))
    except ValueError:
        number = int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "little")
    return number % _DIGITS
