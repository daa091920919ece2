"""Places that are read: a directory, or a prefix in an object store with what it is reached by."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import field_validator, model_validator

from agent.config.fields import Strict
from agent.store.urls import SCHEMES, WRITTEN, StoreSettings, address_of, check, is_remote
from parsers.sentences import tr


class PlaceConfig(Strict):
    """A directory, as a path or a file: URL; or a prefix in an object store."""

    url: str
    url_file: str | None = None  # that holds it
    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None
    access_key_id_file: str | None = None
    secret_access_key_file: str | None = None
    session_token_file: str | None = None
    account_key_file: str | None = None
    credentials_file: str | None = None
    key_file: str | None = None
    known_hosts_file: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_url(cls, given: object) -> object:
        """Take the url from its file."""
        if not isinstance(given, dict) or "url_file" not in given:
            return given
        if "url" in given:
            raise ValueError(tr("url and url_file: name one"))
        try:
            with Path(str(given["url_file"])).open(encoding="utf-8") as file:
                url = file.read(4096).strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else tr("not text")
            raise ValueError(
                tr("url_file: {path}: cannot be read: {why}", path=given["url_file"], why=why)
            ) from None
        try:
            place = address_of(url) if is_remote(url) else directory_of(url)
        except ValueError:  # it quotes what the file holds
            wrong = tr(
                "url_file: {path}: it holds no address and no absolute path", path=given["url_file"]
            )
            raise ValueError(wrong) from None
        return {**given, "url": place}

    @field_validator("url")
    @classmethod
    def _is_a_place(cls, url: str) -> str:
        return address_of(url) if is_remote(url) else directory_of(url)

    @property
    def settings(self) -> StoreSettings:
        """How its store is reached."""
        return StoreSettings(**{key: getattr(self, key) for key in WRITTEN})

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if not is_remote(self.url) and self.settings != StoreSettings():
            key = next(key for key, value in self.settings._asdict().items() if value is not None)
            raise ValueError(tr("{key} is for s3://bucket/prefix and the like", key=key))
        if is_remote(self.url):
            check(self.url, self.settings)
        return self


def directory_of(url: str) -> str:
    """Give the absolute path of a path or file: URL. Raises ValueError for other schemes."""
    path = url.removeprefix("file://") if url.startswith("file://") else url
    if "://" in path:
        scheme = path.partition("://")[0]
        known = ", ".join(SCHEMES)
        raise ValueError(
            tr(
                "{scheme}:// is not read: name a path, or one of file:///path, {known}",
                scheme=scheme,
                known=known,
            )
        )
    if not path.startswith("/"):
        raise ValueError(tr("{path!r} is not an absolute path", path=url))
    return path
