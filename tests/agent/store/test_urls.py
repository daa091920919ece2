"""Addresses in object stores: taken apart, remembered with their settings, handed on whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.store.urls import (
    StorePlace,
    StoreSettings,
    adopt,
    place_of,
    remembered,
    settings_of,
    take,
    whole,
)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    adopt({})
    yield
    adopt({})


@pytest.mark.parametrize(
    ("text", "url", "place"),
    [
        ("s3://wal", "s3://wal", StorePlace("s3", "wal", "")),
        ("s3://wal/", "s3://wal", StorePlace("s3", "wal", "")),
        ("gs://wal//a/b/", "gs://wal/a/b", StorePlace("gs", "wal", "a/b")),
        ("az://wal/a b", "az://wal/a b", StorePlace("az", "wal", "a b")),
    ],
)
def test_an_address_has_one_form(text: str, url: str, place: StorePlace) -> None:
    assert take(text) == url
    assert place_of(url) == place


@pytest.mark.parametrize(
    "text",
    ["s3://", "s3:///wal", "s3://b ucket", "s3://key:secret@wal", "s3://wal/../x", "s3://wal/./x",
     "s3://wal?x=1", "s3://wal?region=", "s3://wal?endpoint=ftp://h", "s3://wal?endpoint=https://",
     "s3://wal?endpoint=https://key:secret@h", "s3://wal#secret@x"],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(ValueError, match=r":") as refused:
        take(text)
    assert "secret" not in str(refused.value)
    assert not remembered()


def test_settings_hold_for_what_lies_below_and_nowhere_else() -> None:
    take("s3://wal/a?endpoint=http://127.0.0.1:1&region=x")
    take("s3://wal/a/b?region=y")
    assert settings_of("s3://wal/a/c") == StoreSettings("http://127.0.0.1:1", "x")
    assert settings_of("s3://wal/a/b/c") == StoreSettings(None, "y")
    assert settings_of("s3://wal/ab") == settings_of("s3://wal") == StoreSettings()


def test_one_address_has_one_endpoint() -> None:
    take("s3://wal?region=x")
    with pytest.raises(ValueError, match="two endpoints, regions"):
        take("s3://wal/?region=y")


@given(
    endpoint=st.none() | st.from_regex(r"\Ahttps?://[a-z0-9.:\[\]%&?=/-]+\Z"),
    region=st.none() | st.text(min_size=1),
)
def test_what_is_handed_on_is_understood(endpoint: str | None, region: str | None) -> None:
    adopt({"s3://wal/a": StoreSettings(endpoint, region)})
    text = whole("s3://wal/a")
    adopt({})
    assert take(text) == "s3://wal/a"
    assert settings_of("s3://wal/a") == StoreSettings(endpoint, region)
