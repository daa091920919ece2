"""What HTTP refused, counted: by whoever refuses, for whoever serves the metrics."""

from __future__ import annotations

from collections import Counter
from typing import Final

# Reason -> what it says, in the order of the documentation.
REASONS: Final = {
    "limit": "no connection could give way to a new one",
    "displaced": "a connection that asked for nothing gave way to a new one",
    "descriptors": "the file descriptors that are left belong to the agent's own readings",
    "head": "the head of a request was not whole in time",
    "body": "the body of a request was not whole in time",
    "answer": "an answer was not taken in time",
    "malformed": "it was no HTTP",
    "passwords": "too many passwords waited to be checked",
    "instants": "too many instants waited to be predicted",
}


class Refusals:
    """Counts since the start. Belongs to the event loop."""

    def __init__(self) -> None:
        self.by_reason: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self.accept_error_count = 0
        self.connection_count = 0  # open now

    def note(self, reason: str) -> None:
        assert reason in REASONS
        self.by_reason[reason] += 1
