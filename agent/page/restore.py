"""A running restore, one that waits for a person, and what became of the last one."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from agent.live.progress import RestoreProgress
from agent.live.words import phase_words, stop_words
from agent.monitor.watched import WatchedCluster
from parsers.sentences import tr
from parsers.values import dataclass
from rules.live.attempt import describe_target
from rules.live.checks import RESUME
from rules.live.facts import LiveRestore
from rules.live.logged import LastRestore
from rules.live.phase import Phase
from rules.live.summary import Summary
from rules.model.facts import PositionFacts
from rules.verdict.live import Explanation, explain

_OUTCOMES: Final = {
    "promoted": tr("Promoted"),
    "paused": tr("Paused"),
    "failed": tr("Failed"),
    "shut_down": tr("Shut down"),
    "in_progress": tr("Not finished"),
    "none": tr("No restore here"),
    None: tr("Unreadable"),
}
_REACHED: Final = {
    True: tr(", the target was reached"),
    False: tr(", the target was not reached"),
    None: "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningPanel:
    """What templates/restore.html shows of a running recovery. None is not known."""

    phase: str
    paused: bool
    standby: bool
    target: str | None
    progress: RestoreProgress
    percent: int | None
    replayed_at: datetime | None  # commit time of the last transaction replayed
    started_at: datetime | None
    restored_count: int | None
    last_restored: str | None
    cause: str | None  # why it waits for a person
    remedy: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRestore:
    """What it shows of the last one, when none is running."""

    verdict: str  # ok, warning, critical, unknown
    words: str
    summary: Summary
    stop: str | None
    at: datetime | None
    cause: str | None
    remedy: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePanel:
    """One of the two."""

    live: RunningPanel | None = None
    past: PastRestore | None = None


def restore_of(cluster: WatchedCluster) -> RestorePanel | None:
    """None for a server that is not in recovery, and of which no restore was seen."""
    facts, positions = cluster.fact(LiveRestore), cluster.fact(PositionFacts)
    in_recovery = facts.in_progress if facts else positions is not None and positions.in_recovery
    if in_recovery:
        progress = cluster.over_time.progress(cluster.case)
        return RestorePanel(live=_live(facts, positions, progress))
    if facts is not None and facts.last is not None and not facts.last.standby:
        return RestorePanel(past=_past(facts, facts.last))
    return None


def _live(
    facts: LiveRestore | None, positions: PositionFacts | None, progress: RestoreProgress
) -> RunningPanel:
    running = facts.running if facts else None
    paused = facts.paused if facts else bool(positions and positions.replay_paused)
    if progress.replayed_lsn is None and positions is not None:
        progress = RestoreProgress(replayed_lsn=positions.replay_lsn)
    fraction = progress.fraction
    why = explain(facts) if paused and facts else Explanation()
    return RunningPanel(
        phase=_phase(running.phase if running else None, paused=paused),
        paused=paused,
        standby=bool(facts and facts.standby),
        target=describe_target(running) if running and running.target_type is not None else None,
        progress=progress,
        percent=None if fraction is None else int(100 * fraction),
        replayed_at=positions.last_replay_at if positions else None,
        started_at=running.started_at if running else None,
        restored_count=len(running.restored_segments) if running else None,
        last_restored=running.restored_segments[-1]
        if running and running.restored_segments
        else None,
        cause=why.cause,
        remedy=(why.remedy or RESUME) if paused else None,
    )


def _phase(phase: Phase | None, *, paused: bool) -> str:
    """By the log; by SQL where it does not tell, or is behind."""
    if phase is None:
        by_sql = tr("recovering (by SQL; the log does not tell)")
        return tr("paused (by SQL)") if paused else by_sql
    if paused and phase not in (Phase.PAUSED, Phase.PAUSED_AT_TARGET):
        return phase_words(Phase.PAUSED)
    return phase_words(phase)


def _past(facts: LiveRestore, last: LastRestore) -> PastRestore:
    summary, (cause, remedy) = last.summary, explain(facts)
    return PastRestore(
        verdict=summary.verdict.value,
        words=tr(
            "{outcome}{reached}",
            outcome=_OUTCOMES[summary.outcome],
            reached=_REACHED[summary.reached_target],
        ),
        summary=summary,
        stop=stop_words(summary.stop) if summary.stop.kind is not None else None,
        at=last.at,
        cause=cause,
        remedy=remedy,
    )
