"""The checks of the catalogue that speak of one running restore, as whoever watches it asks them.

A watcher shows one cause and one command for an end, and what holds beside it line by line; an
agent asks the same checks among all others (`rules.verdict.judgement`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from parsers.sentences import tr
from rules.catalogue.restore_ended_short import restore_ended_short
from rules.catalogue.restore_failed import restore_failed
from rules.catalogue.restore_foreseen import restore_foreseen
from rules.catalogue.restore_paused import restore_paused
from rules.catalogue.restore_sources_disagree import restore_sources_disagree
from rules.catalogue.restore_stalled import restore_stalled
from rules.catalogue.restore_unproven import restore_unproven
from rules.catalogue.restore_without_signal import restore_without_signal
from rules.live.attempt import describe_release
from rules.live.facts import LiveRestore
from rules.live.forecast import Forecast
from rules.live.observation import Observation
from rules.model.evidence import Evidence
from rules.model.facts import Objectives
from rules.verdict.check import Check, Found

# Why a restore is as it is: the first that has something to say.
_CAUSES: Final = (
    restore_unproven, restore_failed, restore_paused, restore_ended_short, restore_without_signal,
    restore_stalled,
)  # fmt: skip
_NAME_THE_RELEASE: Final = frozenset({restore_failed.id, restore_unproven.id})
# What holds beside its log, in the order in which it is shown.
_BESIDE: Final = (restore_foreseen, restore_stalled, restore_sources_disagree)


_NOTHING_SEEN: Final = Observation()
_NEVER: Final = datetime.min.replace(tzinfo=UTC)  # no check here asks how late it is


class Explanation(NamedTuple):
    """Why a restore is as it is, and what to type next; None where there is nothing to say."""

    cause: str | None = None
    remedy: str | None = None


def explain(
    restore: LiveRestore, look: Observation = _NOTHING_SEEN, forecast: Forecast | None = None
) -> Explanation:
    """Why the restore is where it is; a good end needs no cause."""
    facts = {LiveRestore: restore, Observation: look, Forecast: forecast}
    release = None if restore.is_none else describe_release(restore.attempt)
    for check, found in _ask(_CAUSES, facts):
        if found.cause is None:
            continue
        said = release is None or check.id in _NAME_THE_RELEASE
        return Explanation(
            found.cause if said else tr("{cause} ({release})", cause=found.cause, release=release),
            found.remedy,
        )
    return Explanation(release)


def beside_the_log(
    restore: LiveRestore, look: Observation, forecast: Forecast | None
) -> Iterator[tuple[Check, Found]]:
    """What lies ahead, why replay stands still, and what contradicts what."""
    facts = {LiveRestore: restore, Observation: look, Forecast: forecast}
    return _ask(_BESIDE, facts)


def _ask(
    checks: Iterable[Check], facts: Mapping[type, object | None]
) -> Iterator[tuple[Check, Found]]:
    known = {kind: fact for kind, fact in facts.items() if fact is not None}
    evidence = Evidence(now=_NEVER, objectives=Objectives(rpo_seconds=math.inf), facts=known)
    for check in checks:
        yield from ((check, found) for found in check.ask(evidence))
