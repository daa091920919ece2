"""How long a store is asked again, and what its failures are called.

A store that says no, or nothing, is no evidence of a file: what is left in the end is StoreError,
and what it is about is unknown. The words are ours alone: a store's own message may hold an
address with a signature in it.
"""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable, Mapping
from typing import Final

from agent.store.odd_keys import is_odd_key
from parsers.sentences import tr

DEADLINE_SECONDS: Final = 20.0
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 3.0
REST_SECONDS: Final = 10.0  # how long a store that did not answer is left alone
_REFUSALS: Final = 3  # how often a store may refuse before it is believed

_STATUS: Final = re.compile(r"non-2xx status code: (\d{3})").search
_CODE: Final = re.compile(r"<Code>([A-Za-z0-9]{1,40})</Code>").search
_KIND: Final = re.compile(r"kind: (Connect|Timeout|Interrupted|Decode)\b").search
_STATUSES: Final = {
    "401": tr("the store does not know these credentials"),
    "403": tr("the store refuses access"),
    "404": tr("the store has no such bucket"),
    "429": tr("the store asks for fewer requests"),
    "500": tr("the store failed"),
    "503": tr("the store is overloaded"),
}
_CODES: Final = {
    "AccessDenied": tr("the store refuses access"),
    "ExpiredToken": tr("the credentials have expired"),
    "InvalidAccessKeyId": tr("the store does not know this access key"),
    "NoSuchBucket": tr("there is no such bucket"),
    "ContainerNotFound": tr("there is no such container"),
    "SignatureDoesNotMatch": tr("the secret key does not fit the access key"),
    "SlowDown": tr("the store asks for fewer requests"),
    "InvalidObjectState": tr("it is in cold storage: restore it there first"),
    "BlobArchived": tr("it is in cold storage: rehydrate it there first"),
}
_KINDS: Final = {
    "Connect": tr("no connection to the store"),
    "Timeout": tr("the store does not answer in time"),
    "Interrupted": tr("the answer broke off"),
    "Decode": tr("the answer broke off"),
}


_COLD: Final = frozenset({"InvalidObjectState", "BlobArchived"})


class StoreError(OSError):
    """What a store did not give, for whatever reason: it says nothing of what lies there."""

    is_cold = False  # it has it, where nothing can be read

    def __init__(self, why: str) -> None:
        super().__init__(errno.EIO, why)

    def __reduce__(self) -> tuple[type[StoreError], tuple[str]]:
        return type(self), (self.strerror or "",)


class ColdStorage(StoreError):
    """An object of a class that has to be restored by its owner before anybody can read it."""

    is_cold = True


class Patience:
    """One question that is put again while it fails, for a while."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._until = clock() + deadline_seconds
        self._pause = _FIRST_PAUSE_SECONDS
        self._refusals = 0

    def wait(self, error: Exception) -> None:
        """Wait before the question is put again. Raises StoreError where that is no use."""
        code = _CODE(str(error))
        if code and code[1] in _COLD:
            raise ColdStorage(in_words(error)) from None
        self._refusals += is_refusal(error)
        if self._refusals >= _REFUSALS or self._clock() + self._pause > self._until:
            raise StoreError(in_words(error)) from None
        self._sleep(self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)


def in_words(error: Exception) -> str:
    """What failed, in words of ours."""
    if isinstance(error, StoreError):
        return error.strerror or ""
    said = str(error)
    if is_odd_key(error):
        return tr("a key has an empty, . or unprintable part, as in a//b: move it elsewhere")
    code, status, kind = _CODE(said), _STATUS(said), _KIND(said)
    if code or status:
        number = f"HTTP {status[1]}" if status else ""
        called = ", ".join(filter(None, (number, code[1] if code else "")))
        known = code and _CODES.get(code[1])
        return tr("{why} ({called})", why=known or _by_status(status), called=called)
    if "Received redirect" in said:
        return tr("the store sends elsewhere: set the bucket's region (AWS_REGION)")
    if kind:
        return _KINDS[kind[1]]
    if "invalid list response" in said:
        return tr("the listing broke off")
    return _of_credentials(said) or tr("the store's answer cannot be understood")


def is_absence(error: Exception) -> bool:
    """Whether the store says that there is no such object."""
    return isinstance(error, FileNotFoundError)


def is_past_the_end(error: Exception) -> bool:
    """Whether a range begins after the object's end."""
    status = _STATUS(str(error))
    return status is not None and status[1] == "416"


def is_refusal(error: Exception) -> bool:
    """An answer that asking again will hardly change."""
    status = _STATUS(str(error))
    if is_absence(error) or is_odd_key(error):
        return True
    return status is not None and status[1].startswith("4") and status[1] not in ("408", "429")


def _by_status(status: re.Match[str] | None) -> str:
    table: Mapping[str, str] = _STATUSES
    return (
        table.get(status[1], tr("the store answers with an error"))
        if status
        else tr("the store failed")
    )


def _of_credentials(said: str) -> str | None:
    if "redential" in said or "metadata" in said or "token" in said:
        return tr("no credentials: set AWS_ACCESS_KEY_ID and the like, or give this machine a role")
    return None
