"""Opening a store: its endpoint, region and credentials, as they are configured or found.

Nothing is asked of it yet. Its endpoint is spoken to in the clear only on loopback, or where
AWS_ALLOW_HTTP says so.
"""

from __future__ import annotations

import ipaddress
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from obstore import sign
from obstore.store import AzureStore, GCSStore, S3Store

from agent.store.credentials import Profile, s3_credentials, s3_profile, secret_in
from agent.store.patience import StoreError, in_words
from agent.store.urls import StorePlace, StoreSettings
from parsers.sentences import tr

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

_SIGNED_FOR: Final = timedelta(minutes=1)


def open_store(place: StorePlace, settings: StoreSettings) -> Any:
    """A store of obstore's. Raises StoreError."""
    return _open(place, settings, None)


def signed_listing(place: StorePlace, settings: StoreSettings, query: str) -> str:
    """The address of a page of a bucket of S3, signed: `query`/ is the whole of its question.

    Raises StoreError. It is a secret for as long as it holds.
    """
    # obstore signs the addresses of objects only: here that of "", below such a bucket.
    try:
        return sign(_open(place, settings, query), "GET", "", _SIGNED_FOR)
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(in_words(error)) from None


def _open(place: StorePlace, settings: StoreSettings, query: str | None) -> Any:
    profile = s3_profile(settings) if place.scheme == "s3" else None
    of_profile = profile.endpoint if profile else None
    endpoint = settings.endpoint or _endpoint_of_the_environment(place.scheme) or of_profile
    options: ClientConfig = {
        "connect_timeout": "5s",
        "read_timeout": "10s",  # without a byte
        "timeout": "120s",
        "allow_http": _may_be_plain(endpoint),
    }
    retries: RetryConfig = {"max_retries": 0, "retry_timeout": timedelta(seconds=5)}
    more: dict[str, Any] = {"client_options": options, "retry_config": retries}
    if endpoint:
        more["base_url" if place.scheme == "gs" else "endpoint"] = endpoint
    try:
        if place.scheme == "gs":
            if settings.credentials_file:
                more["service_account_path"] = settings.credentials_file
            elif endpoint:  # an emulator's, as Google's own clients take it
                more["skip_signature"] = True
            return GCSStore(place.bucket, **more)
        if place.scheme == "az":
            if settings.keys:
                more |= {"account_name": settings.keys.name, "account_key": settings.keys.secret}
            elif settings.account_key_file:
                more["account_key"] = secret_in(settings.account_key_file)
            return AzureStore(place.bucket, **more)
        more["region"] = settings.region or _region_of_the_environment(profile)
        if (credentials := s3_credentials(settings, profile)) is not None:
            more["credential_provider"] = credentials
        if query is not None:
            at = endpoint or f"https://s3.{more['region']}.amazonaws.com"
            more["endpoint"] = f"{at.rstrip('/')}/{place.bucket}?{query}"
        return S3Store(place.bucket, virtual_hosted_style_request=query is not None, **more)
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(
            tr("the store cannot be opened: {reason}", reason=_first_line(error))
        ) from None


def _region_of_the_environment(profile: Profile | None) -> str:
    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return named or (profile.region if profile else None) or "us-east-1"


def _endpoint_of_the_environment(scheme: str) -> str | None:
    names = {
        "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        "az": ("AZURE_STORAGE_ENDPOINT",),
        "gs": ("STORAGE_EMULATOR_HOST",),
    }[scheme]
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def _may_be_plain(endpoint: str | None) -> bool:
    """Whether HTTP may be spoken. Raises StoreError for an endpoint that must not be used."""
    if endpoint is None or not endpoint.startswith("http://"):
        return False
    if os.environ.get("AWS_ALLOW_HTTP", "").lower() == "true" or _is_loopback(endpoint):
        return True
    raise StoreError(tr("its endpoint is not encrypted: use https, or set AWS_ALLOW_HTTP=true"))


def _is_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _first_line(error: Exception) -> str:
    """What obstore says of its own settings, which names them and quotes no secret."""
    known = ("account", "bucket", "container", "region", "endpoint")
    line = str(error).partition("\n")[0].lower()
    named = [word for word in known if word in line]
    return (
        tr("something is missing or wrong about its {setting}", setting=named[0])
        if named
        else tr("see its settings")
    )
