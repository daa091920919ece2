"""What the watcher itself has to say, beside the log's events: each thing once.

The names are part of the contract of `pitr-watch --format json`: `prediction`, `foreseen`,
`stalled`, `disagreement`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from agent.watch.words import forecast_words
from rules.outcome import Outcome
from rules.restore_forecast import Forecast
from rules.restore_foresight import Foreseen
from rules.restore_stalls import Stall

_LASTING_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to say. `text` and `next_command` are for a person, all of it for a program."""

    event: str
    source: str  # prediction, settings, process, sources
    text: str
    next_command: str | None = None
    fails: bool = False  # the restore will fail of it
    outcome: Outcome | None = None  # of a prediction
    stall_kind: str | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC), compare=False)


def of_forecast(forecast: Forecast) -> Notice:
    """The prediction itself."""
    return Notice(
        event="prediction",
        source="prediction",
        text=f"predicted: recovery {forecast_words(forecast)}",
        outcome=forecast.outcome,
    )


def of_foreseen(foreseen: Foreseen, source: str) -> Notice:
    """A failure, or a surprise, that lies ahead."""
    return Notice(
        event="foreseen",
        source=source,
        text=foreseen.text,
        next_command=foreseen.next_command,
        fails=foreseen.fails,
    )


def of_stall(stall: Stall) -> Notice:
    """Replay does not move."""
    return Notice(
        event="stalled",
        source="process",
        text=stall.cause,
        next_command=stall.next_command,
        stall_kind=stall.kind,
    )


def of_disagreement(text: str) -> Notice:
    """Two sources say different things."""
    return Notice(event="disagreement", source="sources", text=text)


class Said:
    """Remembers what was said. A stall is one thing while it lasts, whatever its seconds."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str]] = set()

    def new(self, notices: Iterable[Notice]) -> list[Notice]:
        """Those that were not said before; what no longer holds may be said again."""
        now = {_key(notice): notice for notice in notices}
        fresh = [notice for key, notice in now.items() if key not in self._said]
        self._said = set(now)
        return fresh


def _key(notice: Notice) -> tuple[str, str]:
    return notice.event, notice.stall_kind or notice.text


class Lasting:
    """Lets a contradiction through when it has lasted: the sources are not read at one instant."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def of(self, notices: Iterable[Notice], now: float) -> list[Notice]:
        """Those that are no contradictions, and those that have lasted; `now` is monotonic."""
        found = list(notices)
        texts = [notice.text for notice in found if notice.event == "disagreement"]
        self._since = {text: self._since.get(text, now) for text in texts}
        return [
            notice
            for notice in found
            if notice.event != "disagreement" or now - self._since[notice.text] >= _LASTING_SECONDS
        ]
