"""Which minor release wrote what is read, by whoever tells it."""

from __future__ import annotations

from rules.case.context import Context
from rules.case.engine import derived
from rules.live.logged import LoggedRecovery
from rules.model.facts import PositionFacts
from rules.model.releases import ReleasesFacts


@derived()
def releases(
    context: Context, position: PositionFacts | None, logged: LoggedRecovery | None
) -> ReleasesFacts | None:
    starts = logged.starts if logged else ()
    if context.server_version is None and position is None and not starts:
        return None
    return ReleasesFacts(told=context.server_version, position=position, starts=starts)
