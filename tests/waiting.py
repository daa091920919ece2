"""Waiting for what happens in another process, as long as a machine under load needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.fix_tools import PATIENCE_SECONDS


def wait_until(what: Callable[[], Any], why: str = "it did not happen") -> Any:
    """The first true value of `what`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if value := what():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {PATIENCE_SECONDS} s: {why}")
