"""Credentials from files: those that the configuration names, and the profiles of `~/.aws`.

They are read again every few minutes, since programs that renew them write the same files. What
they hold goes to the store's library and nowhere else: a message names the file alone.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.store.patience import StoreError
from agent.store.urls import StoreSettings
from parsers.sentences import tr
from parsers.values import dataclass

if TYPE_CHECKING:
    from obstore.store import S3Credential

_READ_AGAIN: Final = timedelta(minutes=10)
_LIMIT_BYTES: Final = 1 << 16
# What a profile may hold in place of keys, and who makes keys of it.
_MADE_BY_AWS: Final = ("sso_session", "sso_start_url", "credential_process", "role_arn")


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile of `~/.aws`, as far as it is used here."""

    name: str
    region: str | None
    endpoint: str | None
    has_keys: bool


def s3_profile(settings: StoreSettings) -> Profile | None:
    """The profile to use; None: none is there. Raises StoreError for one that was asked for."""
    if (
        settings.keys
        or settings.access_key_id_file
        or (os.environ.get("AWS_ACCESS_KEY_ID") and not settings.profile)
    ):
        return None
    asked = settings.profile or os.environ.get("AWS_PROFILE")
    name = asked or "default"
    values = _read_profile(name)
    if not values and asked:
        raise StoreError(
            tr("there is no profile {name!r} in {path}", name=name, path=_file("credentials"))
        )
    has_keys = "aws_access_key_id" in values
    made = next((key for key in _MADE_BY_AWS if key in values), None)
    if asked and not has_keys:
        held = tr("{setting}, not keys", setting=made) if made else tr("no keys")
        raise StoreError(
            tr(
                "profile {name!r} holds {held}: export them with aws configure "
                "export-credentials --profile {name} --format env",
                name=name,
                held=held,
            )
        )
    if not values:
        return None
    return Profile(name, values.get("region"), values.get("endpoint_url"), has_keys)


def s3_credentials(
    settings: StoreSettings, profile: Profile | None
) -> Callable[[], S3Credential] | None:
    """What gives the keys; None: the environment or the machine's role has them."""
    if (keys := settings.keys) is not None:
        return lambda: _credential(*keys)
    if settings.access_key_id_file:

        def of_files() -> S3Credential:
            return _credential(
                secret_in(settings.access_key_id_file),
                secret_in(settings.secret_access_key_file),
                secret_in(settings.session_token_file) if settings.session_token_file else None,
            )

        of_files()
        return of_files
    if profile is None or not profile.has_keys:
        return None
    name = profile.name

    def of_profile() -> S3Credential:
        values = _read_profile(name)
        return _credential(
            values.get("aws_access_key_id", ""),
            values.get("aws_secret_access_key", ""),
            values.get("aws_session_token"),
        )

    return of_profile


def secret_in(path: str | None) -> str:
    """What a file of one line holds. Raises StoreError, which says nothing of it."""
    if path is None:
        raise StoreError(tr("secret_access_key_file is missing: name both files"))
    try:
        with Path(path).open("rb") as file:
            text = file.read(_LIMIT_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else tr("not text")
        raise StoreError(tr("{path}: cannot be read: {reason}", path=path, reason=why)) from None
    if not text.strip():
        raise StoreError(tr("{path}: it is empty", path=path))
    return text.strip()


def _credential(key: str, secret: str, token: str | None) -> S3Credential:
    expires_at = datetime.now(UTC) + _READ_AGAIN
    return {
        "access_key_id": key, "secret_access_key": secret, "token": token,
        "expires_at": expires_at,
    }  # fmt: skip


def _read_profile(name: str) -> dict[str, str]:
    """Of both files; the keys of `credentials` go before those of `config`."""
    section = name if name == "default" else f"profile {name}"
    return {**_section(_file("config"), section), **_section(_file("credentials"), name)}


def _file(kind: str) -> Path:
    names = {"credentials": "AWS_SHARED_CREDENTIALS_FILE", "config": "AWS_CONFIG_FILE"}
    named = os.environ.get(names[kind])
    return Path(named).expanduser() if named else Path("~/.aws").expanduser() / kind


def _section(path: Path, name: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else tr("not text")
        raise StoreError(tr("{path}: cannot be read: {reason}", path=path, reason=why)) from None
    except configparser.Error:  # its own message quotes the line
        raise StoreError(
            tr("{path}: it is not written as the aws command writes it", path=path)
        ) from None
    return dict(parser[name]) if parser.has_section(name) else {}
