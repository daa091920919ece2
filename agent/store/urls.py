"""Addresses in stores, and what is configured for them: `s3://bucket/prefix`, `sftp://host/path`.

On a command line an address may carry its endpoint and region:
`s3://bucket/prefix?endpoint=https://minio.example.com&region=eu-1`. These are taken off and
remembered here for the process: what is listed and shown is the bare address. Imports are few on
purpose: fetch-wal runs once a segment, most often for a directory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import reduce
from typing import Any, Final, NamedTuple

from parsers.sentences import tr

SCHEMES: Final = ("s3://", "gs://", "az://", "sftp://")
_BUCKET_DIGITS: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
)


class StoreKeys(NamedTuple):
    """Keys that a backup tool's configuration holds. Never shown, and in no address."""

    name: str  # the access key's, or the account's
    secret: str
    token: str | None = None

    def __repr__(self) -> str:
        return "StoreKeys(…)"


_ACCOUNT: Final = re.compile(
    r"([A-Za-z0-9._-]+@)?([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?"
).fullmatch


class StoreSettings(NamedTuple):
    """How a store is reached, beside what the environment says."""

    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None  # of ~/.aws
    # Each the path of a file that holds one line, or what its provider calls a key file.
    access_key_id_file: str | None = None
    secret_access_key_file: str | None = None
    session_token_file: str | None = None
    account_key_file: str | None = None
    credentials_file: str | None = None
    keys: StoreKeys | None = None
    key_file: str | None = None
    known_hosts_file: str | None = None


# What an address or a configuration may have.
WRITTEN: Final = tuple(key for key in StoreSettings._fields if key != "keys")
_OF_S3: Final = (
    "endpoint", "region", "profile", "access_key_id_file", "secret_access_key_file",
    "session_token_file", "keys",
)  # fmt: skip
SETTINGS_OF: Final = {
    "s3": _OF_S3,
    "az": ("endpoint", "account_key_file", "keys"),
    "gs": ("credentials_file",),
    "sftp": ("key_file", "known_hosts_file"),
}


class StorePlace(NamedTuple):
    """An address, taken apart."""

    scheme: str  # s3, gs, az or sftp
    bucket: str  # of az: the container; of sftp: user@host:port
    key: str  # or a prefix; empty: the whole bucket


_known: dict[str, StoreSettings] = {}


def is_remote(url: str) -> bool:
    """Whether it is an address in an object store."""
    return url.startswith(SCHEMES)


def take(text: str) -> str:
    """Remember the endpoint and region that an address carries, and give the bare address.

    Raises ValueError with a line for a person. It never repeats what may be a password.
    """
    bare, _, query = text.partition("?")
    url = address_of(bare)
    if query:
        remember(url, _read_query(url, query))
    return url


def address_of(url: str) -> str:
    """A bare address, as it is compared and shown. Raises ValueError."""
    scheme, _, rest = url.partition("://")
    if scheme == "sftp":
        return _address_of_host(rest)
    if "@" in rest:
        raise ValueError(
            tr("{scheme}://: an address holds no account: set it in the environment", scheme=scheme)
        )
    bucket, _, key = rest.partition("/")
    parts = [part for part in key.split("/") if part]
    if not bucket or not _BUCKET_DIGITS.issuperset(bucket):
        raise ValueError(
            tr("{url!r} names no bucket: write {scheme}://bucket/prefix", url=url, scheme=scheme)
        )
    if "?" in rest or {".", ".."} & set(parts):
        raise ValueError(tr("{url!r}: a prefix has no ?, . or .. in it", url=url))
    return f"{scheme}://{'/'.join((bucket, *parts))}"


def _address_of_host(rest: str) -> str:
    account, _, path = rest.partition("/")
    if ":" in account.rpartition("@")[0]:
        raise ValueError(tr("sftp://: an address holds no password: use a key (ssh-add, key_file)"))
    if not _ACCOUNT(account):
        raise ValueError(tr("sftp:// names no host: write sftp://user@host/path"))
    parts = [part for part in path.split("/") if part]
    if "?" in rest or {".", ".."} & set(parts):
        raise ValueError(tr("sftp://{path}: a path has no ?, . or .. in it", path=rest))
    return f"sftp://{'/'.join((account, *parts))}"


def remember(url: str, settings: StoreSettings) -> None:
    """Use these settings for an address and all that lies below it. Raises ValueError."""
    check(url, settings)
    if settings != StoreSettings() and _known.setdefault(url, settings) != settings:
        raise ValueError(
            tr("{url} is named with two endpoints, regions or credentials: name one", url=url)
        )


def check(url: str, settings: StoreSettings) -> None:
    """Raise ValueError for settings that an address cannot have."""
    if settings.endpoint is not None:
        _check_endpoint(settings.endpoint)
    known = SETTINGS_OF[url.partition("://")[0]]
    for key, value in settings._asdict().items():
        if value is not None and key not in known:
            schemes = (f"{scheme}://" for scheme, keys in SETTINGS_OF.items() if key in keys)
            of = reduce(lambda one, other: tr("{one} and {other}", one=one, other=other), schemes)
            raise ValueError(
                tr("{url}: {setting} is for {schemes}", url=url, setting=key, schemes=of)
            )
        if value is not None and key.endswith("_file") and not value.startswith("/"):
            raise ValueError(
                tr("{url}: {setting}: name the file by its whole path", url=url, setting=key)
            )
    if (settings.access_key_id_file is None) != (settings.secret_access_key_file is None):
        raise ValueError(
            tr("{url}: access_key_id_file and secret_access_key_file go together", url=url)
        )
    if settings.profile and settings.access_key_id_file:
        raise ValueError(tr("{url}: name a profile or files of keys, not both", url=url))


def remembered() -> Mapping[str, StoreSettings]:
    """All that is remembered, for another process."""
    return dict(_known)


def adopt(settings: Mapping[str, StoreSettings]) -> None:
    """Use what another process remembered; what was remembered here is forgotten."""
    _known.clear()
    _known.update(settings)


def settings_of(url: str) -> StoreSettings:
    """What is remembered for an address, or for the nearest one above it."""
    above = [root for root in _known if url == root or url.startswith(f"{root}/")]
    return _known[max(above, key=len)] if above else StoreSettings()


def whole(url: str) -> str:
    """The address with its endpoint and region, to be given to another program."""
    from urllib.parse import quote

    settings = settings_of(url) if is_remote(url) else StoreSettings()
    pairs = [
        f"{key}={quote(value, safe=':/')}"
        for key in WRITTEN
        if (value := getattr(settings, key)) is not None
    ]
    return f"{url}?{'&'.join(pairs)}" if pairs else url


def place_of(url: str) -> StorePlace:
    """Take an address apart that `take` has checked."""
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    return StorePlace(scheme, bucket, key)


def _read_query(url: str, query: str) -> StoreSettings:
    from urllib.parse import unquote

    given: dict[str, Any] = {}
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if key not in WRITTEN or not value:
            raise ValueError(
                tr(
                    "{url}: after ? only endpoint=URL, region=NAME, profile=NAME and the "
                    "keys that name files are known",
                    url=url,
                )
            )
        given[key] = unquote(value)
    return StoreSettings(**given)


def _check_endpoint(endpoint: str) -> None:
    host = endpoint.partition("://")[2]
    if "@" in host:
        raise ValueError(tr("an endpoint holds no account: set it in the environment"))
    if not endpoint.startswith(("http://", "https://")) or not host:
        raise ValueError(
            tr(
                "endpoint {endpoint!r}: write it as https://host or https://host:port",
                endpoint=endpoint,
            )
        )
