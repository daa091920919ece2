"""How long a restore would take, in the JSON API, with what that rests on."""

from __future__ import annotations

from pydantic import BaseModel

from rules.capacity.forecast import RestoreEstimateFacts


class EstimateView(BaseModel):
    """A restore to the latest restorable instant. `basis` says what was measured, and when."""

    seconds: float
    copy_seconds: float | None
    replay_seconds: float
    replay_bytes: int
    replay_bytes_per_second: float
    basis: str


def view_estimate(estimate: RestoreEstimateFacts | None) -> EstimateView | None:
    """None where nothing was measured."""
    if estimate is None:
        return None
    return EstimateView(
        seconds=estimate.seconds,
        copy_seconds=estimate.copy.seconds if estimate.copy else None,
        replay_seconds=estimate.replay_seconds,
        replay_bytes=estimate.replay_bytes,
        replay_bytes_per_second=estimate.bytes_per_second,
        basis=estimate.basis,
    )
