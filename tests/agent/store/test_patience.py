# ruff: noqa: E501 - one failure and its words a line
"""How long a store is asked again, and that its failures are told in words of ours."""

from __future__ import annotations

import pickle
from itertools import count

import pytest

from agent.store.patience import Patience, StoreError, in_words

SIGNED = "https://h/b?X-Amz-Signature=secret"


def said(status: str, body: str = "") -> Exception:
    where = f"Error performing GET {SIGNED} in 1ms"
    return ValueError(f"{where} - Server returned non-2xx status code: {status}: {body}")


def attempts(error: Exception, deadline_seconds: float = 20) -> tuple[int, float]:
    """How often it is put, and how long that takes."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    patience = Patience(lambda: now[0], sleep, deadline_seconds)
    for attempt in count(1):
        try:
            patience.wait(error)
        except StoreError:
            return attempt, now[0]
    raise AssertionError


def test_an_overloaded_store_is_asked_until_the_deadline() -> None:
    number, seconds = attempts(said("503 Service Unavailable", "<Code>SlowDown</Code>"))
    assert 8 <= number <= 12
    assert 15 < seconds <= 20


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "403 Forbidden"])
def test_a_refusal_is_believed_sooner(status: str) -> None:
    number, seconds = attempts(said(status))
    assert number == 3
    assert seconds < 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (said("503 Service Unavailable", "<Code>SlowDown</Code>"), "the store asks for fewer requests (HTTP 503, SlowDown)"),
        (said("403 Forbidden", "<Code>AccessDenied</Code>"), "the store refuses access (HTTP 403, AccessDenied)"),
        (said("403 Forbidden"), "the store refuses access (HTTP 403)"),
        (said("404 Not Found", "<Code>NoSuchBucket</Code>"), "there is no such bucket (HTTP 404, NoSuchBucket)"),
        (said("418 I'm a teapot", "<Code>Brewing</Code>"), "the store answers with an error (HTTP 418, Brewing)"),
        (ValueError(f"HTTP error: error sending request {SIGNED} kind: Timeout,"), "the store does not answer in time"),
        (ValueError(f"HTTP error: error sending request {SIGNED} kind: Connect,"), "no connection to the store"),
        (ValueError(f"Received redirect without LOCATION {SIGNED}"), "the store sends elsewhere: set the bucket's region (AWS_REGION)"),
        (ValueError(f'Encountered object with invalid path: Path "{SIGNED}"'), "a key has an empty, . or unprintable part, as in a//b: move it elsewhere"),
        (ValueError(SIGNED), "the store's answer cannot be understood"),
    ],
)  # fmt: skip
def test_failures_are_told_without_what_the_store_said(error: Exception, words: str) -> None:
    assert in_words(error) == words


def test_a_failure_comes_whole_out_of_a_worker_process() -> None:
    error = pickle.loads(pickle.dumps(StoreError("the store is overloaded")))
    assert (type(error), error.strerror) == (StoreError, "the store is overloaded")
