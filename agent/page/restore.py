"""A restore that goes on, one that waits for a person, and what became of the last one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent.page.look import Look
from agent.watch.lines import verdict_line
from agent.watch.progress import Progress
from agent.watch.words import name_places, phase_words, stop_words
from agent.watched import WatchedCluster
from rules.facts import PositionFacts
from rules.restore_causes import RESUME
from rules.restore_facts import LastRestore, RestoreFacts
from rules.restore_state import Phase
from rules.restore_summary import PAUSED, Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRestore:
    """What templates/restore.html shows of a recovery that goes on. None is not known."""

    phase: str
    paused: bool
    standby: bool
    target: str | None
    progress: Progress
    percent: int | None
    replayed_at: datetime | None  # commit time of the last transaction replayed
    started_at: datetime | None
    restored_count: int | None
    last_restored: str | None
    cause: str | None  # why it waits for a person
    next_command: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRestore:
    """What it shows of the last one, when nothing goes on."""

    verdict: str  # ok, warning, critical, unknown
    words: str
    summary: Summary
    stop: str | None
    at: datetime | None
    next_command: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePanel:
    """One of the two."""

    live: LiveRestore | None = None
    past: PastRestore | None = None


def restore_of(cluster: WatchedCluster, look: Look) -> RestorePanel | None:
    """None for a server that is not in recovery, and of which no restore was seen."""
    facts, positions = cluster.fact(RestoreFacts), cluster.fact(PositionFacts)
    in_recovery = facts.in_progress if facts else positions is not None and positions.in_recovery
    archives = [archive.url for archive in cluster.config.archives]
    if in_recovery:
        progress = cluster.restore_progress
        return RestorePanel(live=_live(facts, positions, progress))
    if facts is not None and facts.last is not None and not facts.last.standby:
        return RestorePanel(past=_past(facts.last, archives))
    return None


def _live(
    facts: RestoreFacts | None, positions: PositionFacts | None, progress: Progress
) -> LiveRestore:
    running = facts.running if facts else None
    paused = facts.paused if facts else bool(positions and positions.replay_paused)
    if progress.replayed_lsn is None and positions is not None:
        progress = Progress(replayed_lsn=positions.replay_lsn)
    fraction = progress.fraction
    cause, next_command = _why_paused(facts) if paused else (None, None)
    return LiveRestore(
        phase=_phase(running.phase if running else None, paused=paused),
        paused=paused,
        standby=bool(facts and facts.standby),
        target=running.target if running else None,
        progress=progress,
        percent=None if fraction is None else int(100 * fraction),
        replayed_at=positions.last_replay_at if positions else None,
        started_at=running.started_at if running else None,
        restored_count=running.restored_count if running else None,
        last_restored=running.last_restored if running else None,
        cause=cause,
        next_command=next_command,
    )


def _phase(phase: Phase | None, *, paused: bool) -> str:
    """By the log; by SQL where it does not tell, or is behind."""
    if phase is None:
        return "paused (by SQL)" if paused else "recovering (by SQL; the log does not tell)"
    if paused and phase not in (Phase.PAUSED, Phase.PAUSED_AT_TARGET):
        return str(Phase.PAUSED.value)
    return phase_words(phase)


def _why_paused(facts: RestoreFacts | None) -> tuple[str | None, str]:
    """The cause and what to type."""
    last = facts.last.summary if facts and facts.last else None
    if last is None or last.outcome != PAUSED:
        return None, RESUME
    return last.cause, last.next_command or RESUME


def _past(last: LastRestore, archives: list[str]) -> PastRestore:
    summary = last.summary
    return PastRestore(
        verdict=summary.verdict.value,
        words=verdict_line(summary)[0].removeprefix("verdict: ").capitalize(),
        summary=summary,
        stop=stop_words(summary.stop) if summary.stop.kind is not None else None,
        at=last.at,
        next_command=name_places(summary.next_command, archives),
    )
