"""What the watcher itself has to say, beside the log's events: each thing once.

The names are part of the contract of `pitr-watch --format json`: `prediction`, `foreseen`,
`stalled`, `disagreement`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from datetime import UTC, datetime
from typing import Final

from agent.live.words import forecast_words
from parsers.sentences import tr
from parsers.values import dataclass
from rules.live.facts import LiveRestore
from rules.live.forecast import Forecast
from rules.live.observation import Observation
from rules.live.phase import Phase
from rules.model.findings import Severity
from rules.model.outcome import Outcome
from rules.verdict.check import Check, Found, Note
from rules.verdict.live import beside_the_log

_LASTING_SECONDS: Final = 3.0
_OVER: Final = (Phase.ENDED, Phase.FAILED, Phase.SHUT_DOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to say. `text` and `remedy` are for a person, all of it for a program."""

    event: str
    source: str  # prediction, settings, process, sources
    text: str
    remedy: str | None = None
    fails: bool = False  # the restore will fail of it
    outcome: Outcome | None = None  # of a prediction
    stall_kind: str | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC), compare=False)


def notices(restore: LiveRestore, look: Observation, forecast: Forecast | None) -> Iterator[Notice]:
    """The prediction, and what the catalogue finds beside the log."""
    if forecast is not None and restore.attempt.phase not in _OVER:
        yield of_forecast(forecast)
    for check, found in beside_the_log(restore, look, forecast):
        yield of_finding(check, found)


def of_forecast(forecast: Forecast) -> Notice:
    """The prediction itself."""
    return Notice(
        event="prediction",
        source="prediction",
        text=tr("predicted: recovery {forecast}", forecast=forecast_words(forecast)),
        outcome=forecast.outcome,
    )


_EVENTS: Final = {
    "restore_foreseen": "foreseen",
    "restore_stalled": "stalled",
    "restore_sources_disagree": "disagreement",
}
_SOURCES: Final = {"restore_stalled": "process", "restore_sources_disagree": "sources"}


def of_finding(check: Check, found: Found) -> Notice:
    """What a check of the catalogue finds beside the log."""
    source, kind = found.evidence.get("source"), found.evidence.get("kind")
    return Notice(
        event=_EVENTS[check.id],
        source=_SOURCES.get(check.id) or str(source),
        text=found.summary,
        remedy=found.remedy,
        fails=check.severity is Severity.CRITICAL and not isinstance(found, Note),
        stall_kind=None if kind is None else str(kind),
    )


class Deduplicate:
    """Remembers what was said. A stall is one thing while it lasts, whatever its seconds."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str]] = set()

    def new(self, notices: Iterable[Notice]) -> list[Notice]:
        """Those that were not said before; what no longer holds may be said again."""
        now = {(notice.event, notice.stall_kind or notice.text): notice for notice in notices}
        fresh = [notice for key, notice in now.items() if key not in self._said]
        self._said = set(now)
        return fresh


class Debounce:
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
