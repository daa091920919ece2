"""The metrics of reading from object stores; of a cluster that has nothing there, none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agent.store.meter import OPERATIONS, StoreUsage

# Name, kind, labels after `cluster`, help.
STORE_METRICS: Final = (
    ("pitr_store_requests", "counter", ("operation",), "Requests to object stores, retries too."),
    ("pitr_store_failures", "counter", ("operation",), "Requests that the store did not answer."),
    (
        "pitr_store_request_duration_seconds",
        "counter",
        ("operation",),
        "Seconds that requests to object stores took, all together.",
    ),
    ("pitr_store_read_bytes", "counter", (), "Bytes of objects that were downloaded."),
)

Row = tuple[str, tuple[str, ...], float | None]


def store_rows(usage: StoreUsage | None) -> Iterator[Row]:
    """What was asked of stores since the agent began."""
    if usage is None:
        return
    for operation in OPERATIONS:
        yield "pitr_store_requests", (operation,), float(usage.requests[operation])
        yield "pitr_store_failures", (operation,), float(usage.failures[operation])
        seconds = usage.seconds.get(operation, 0.0)
        yield "pitr_store_request_duration_seconds", (operation,), seconds
    yield "pitr_store_read_bytes", (), float(usage.read_bytes)
