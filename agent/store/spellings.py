"""Addresses as browsers and other programs write them, in the spelling that is read here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

# A bucket and a prefix, nothing that may be an account between them.
_BUCKET: Final = r"([^/:@?#]+)/*([^:@?#]*)(?=[?#]|$)"
_Spelling = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

# What is there of an address's query is a signature: it is never shown.
_SPELLINGS: Final[tuple[_Spelling, ...]] = (
    (
        re.compile(r"https?://([a-z0-9.-]+?)\.s3[.-][a-z0-9.-]*amazonaws\.com/*([^?#]*)"),
        lambda m: f"s3://{m[1]}/{m[2]}",
    ),
    (
        re.compile(r"https?://s3[.-][a-z0-9.-]*amazonaws\.com/+([^/?#]+)/*([^?#]*)"),
        lambda m: f"s3://{m[1]}/{m[2]}",
    ),
    (
        re.compile(r"https?://storage\.(?:googleapis|cloud\.google)\.com/+([^/?#]+)/*([^?#]*)"),
        lambda m: f"gs://{m[1]}/{m[2]}",
    ),
    (
        re.compile(r"https?://[a-z0-9]+\.(?:blob|dfs)\.core\.windows\.net/+([^/?#]+)/*([^?#]*)"),
        lambda m: f"az://{m[1]}/{m[2]}",
    ),
    (re.compile(r"arn:aws[a-z-]*:s3:::([^/?#]+)/*([^?#]*)"), lambda m: f"s3://{m[1]}/{m[2]}"),
    (re.compile(r"(?:s3a|s3n|s3):/*" + _BUCKET, re.I), lambda m: f"s3://{m[1]}/{m[2]}"),
    (re.compile(r"(?:gcs|gs):/*" + _BUCKET, re.I), lambda m: f"gs://{m[1]}/{m[2]}"),
    (
        re.compile(r"(?:azure|azblob|az):/*" + _BUCKET, re.I),
        lambda m: f"az://{m[1]}/{m[2]}",
    ),
    (
        re.compile(r"(?:ssh|scp|sftp)://((?:[^/:@?#]+@)?[^/:@?#]+(?::\d+)?)/([^@?#]*)", re.I),
        lambda m: f"sftp://{m[1]}/{m[2]}",
    ),
    (
        re.compile(r"([A-Za-z0-9._-]+@[A-Za-z0-9.-]+):(/[^@?#]*)"),  # as scp and rsync have it
        lambda m: f"sftp://{m[1]}{m[2]}",
    ),
)


def read_here_as(text: str) -> str | None:
    """The address that is meant; None where nothing is recognised. It never repeats a password.

    >>> read_here_as("https://wal.s3.eu-west-1.amazonaws.com/main?X-Amz-Signature=x")
    's3://wal/main'
    >>> read_here_as("postgres@backup.example.com:/backup/wal")
    'sftp://postgres@backup.example.com/backup/wal'
    >>> read_here_as("/backup/wal") is None
    True
    """
    for pattern, spelt in _SPELLINGS:
        if found := pattern.match(text):
            return spelt(found).rstrip("/")
    return None
