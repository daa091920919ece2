"""Keys that obstore cannot take: with an empty part (`a//b`), one of `.` or `..`, or unprintable.

A page with one of them fails as a whole, and an upload to `s3://bucket/wal//%f` makes such keys.
Of S3, such a page is asked for and read here. What has such a key is listed like all else, and
cannot be read: a segment that lies there alone is unknown, not missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.error import HTTPError
from urllib.parse import quote, unquote_plus, urlencode

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from obstore import ObjectMeta

_SAID: Final = re.compile(r"object with invalid path|Could not parse path").search
_NAMESPACE: Final = "{*}"
_LIMIT_BYTES: Final = 16 << 20
_TIMEOUT_SECONDS: Final = 15.0


def is_odd_key(error: Exception) -> bool:
    """Whether obstore could not take a key, of a listing or of ours."""
    return _SAID(str(error)) is not None


def read_page(sign: Callable[[str], str], prefix: str, after: str | None) -> list[ObjectMeta]:
    """The objects of one page of S3. `sign` gives the address of a question to the bucket.

    Raises OSError, and for what the store answers an Exception as obstore words it.
    """
    import urllib.request  # 50 ms, and rarely needed

    asked = {"list-type": "2", "encoding-type": "url", **({"start-after": after} if after else {})}
    # What is signed has a slash at its end: that of the prefix, or of a key that S3 ignores.
    last = f"prefix={quote(prefix)}" if prefix else "x-id="
    url = sign(f"{urlencode(asked)}&{last}")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:
            body = answer.read(_LIMIT_BYTES)
    except HTTPError as error:
        said = error.read(_LIMIT_BYTES).decode(errors="replace")
        raise RuntimeError(f"non-2xx status code: {error.code} {said}") from None
    except OSError:
        raise RuntimeError("kind: Connect") from None
    return _objects_of(body)


def _objects_of(body: bytes) -> list[ObjectMeta]:
    from xml.etree import ElementTree

    try:
        page = ElementTree.fromstring(body)
        is_quoted = page.findtext(f"{_NAMESPACE}EncodingType") == "url"
        return [_object_of(each, is_quoted) for each in page.findall(f"{_NAMESPACE}Contents")]
    except (ElementTree.ParseError, ValueError):
        raise RuntimeError("invalid list response") from None


def _object_of(contents: Element, is_quoted: bool) -> ObjectMeta:
    """As obstore has it: a key without a slash at its beginning or end. Raises ValueError."""

    def text(name: str) -> str:
        return contents.findtext(f"{_NAMESPACE}{name}") or ""

    key = unquote_plus(text("Key")) if is_quoted else text("Key")
    return {
        "path": key.removeprefix("/").removesuffix("/"),
        "last_modified": datetime.fromisoformat(text("LastModified")),
        "size": int(text("Size")),
        "e_tag": text("ETag"),
        "version": None,
    }
