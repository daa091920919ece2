"""What the watcher has to say of a restore, from all that it knows at one instant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agent.backups.settings import find_zone
from agent.watch.lookout import Look
from agent.watch.notices import Notice, of_disagreement, of_forecast, of_foreseen, of_stall
from rules.restore_disagreements import disagreements
from rules.restore_forecast import Forecast, foresee_from
from rules.restore_foresight import DataDirectory, foresee
from rules.restore_stalls import Still, explain_stall
from rules.restore_state import Attempt, Phase

_OVER: Final = (Phase.ENDED, Phase.FAILED, Phase.SHUT_DOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is known at one instant."""

    look: Look
    attempt: Attempt
    forecast: Forecast | None  # None: the predictor has not answered
    archived: Sequence[str] | None  # segments; None: not listed
    still_seconds: float  # since the position of replay last changed


def notices(state: State) -> Iterator[Notice]:
    """The prediction, what lies ahead, why replay stands still, what contradicts what."""
    reading, attempt = state.look.reading, state.attempt
    if attempt.phase not in _OVER:
        if state.forecast is not None:
            yield of_forecast(state.forecast)
        if reading.running is False or (
            reading.running and attempt.phase is not Phase.PAUSED_AT_TARGET
        ):
            yield from _foreseen(state)
        stall = explain_stall(
            Still(
                reading=reading,
                attempt=attempt,
                seconds=state.still_seconds,
                archived=state.archived,
            )
        )
        if stall is not None:
            yield of_stall(stall)
    settings = state.look.sources.settings
    for text in disagreements(attempt, reading, settings):
        yield of_disagreement(text)


def _foreseen(state: State) -> Iterator[Notice]:
    """What the directory shows goes first: the prediction would only say the same again."""
    known = list(foresee(directory_of(state.look)))
    yield from (of_foreseen(each, "settings") for each in known)
    if state.forecast is not None and not any(each.fails for each in known):
        yield from (of_foreseen(each, "prediction") for each in foresee_from(state.forecast))


def directory_of(look: Look) -> DataDirectory:
    """A look as what it says of the data directory."""
    sources, reading = look.sources, look.reading
    return DataDirectory(
        settings=sources.settings,
        recovery_signal=bool(reading.recovery_signal),
        standby_signal=bool(reading.standby_signal),
        backup_label=reading.label is not None,
        control=reading.control,
        complaint=sources.complaint,
        label=reading.label,
        mode=reading.mode,
        recovery_conf=reading.recovery_conf,
        running=bool(reading.running),
        settings_known=sources.settings_known,
        absent_places=sources.absent_places,
        find_zone=find_zone,
    )
