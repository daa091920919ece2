"""What the laboratory's parts tell while they work; whoever listens decides how it looks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence


class Narrator:
    """Listens and says nothing: for tests, and the base of the story on the terminal."""

    @contextlib.contextmanager
    def shell(self, command: str) -> Iterator[None]:
        """A program is being run."""
        yield

    @contextlib.contextmanager
    def sql(self, statement: str) -> Iterator[None]:
        """A statement is being run."""
        yield

    def result(self, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """What a query gave."""

    def note(self, text: str) -> None:
        """Why, or what it means."""

    def proof(self, text: str, *, holds: bool = True) -> None:
        """Something was tried, and held or did not."""

    def server_says(self, line: str) -> None:
        """A line of the server's log."""

    def agent_says(self, text: str, *, holds: bool = True) -> None:
        """What the agent's metrics show at this moment."""
