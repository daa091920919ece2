"""An instant picked on the axis: whether it can be restored to, what PostgreSQL will do, settings.

The predictor is asked, over the WAL that the last round of reading left; settings are shown only
for what it proved. That is work for a thread with a deadline: a large archive takes seconds.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from threading import BoundedSemaphore
from typing import Final
from weakref import WeakKeyDictionary

from agent.check.restore_command import restore_command
from agent.deadline import Worker
from agent.explain import explain
from agent.page.asked import Addresses, Instant, read_instant
from agent.page.look import Look
from agent.watched import WatchedCluster
from rules.dated_wal import DatedWalFacts, sane
from rules.evidence import WindowsFacts
from rules.facts import ArchiveFacts, BackupsFacts, ScanFacts
from rules.goal import Goal, has_zone
from rules.prediction import find_restores, is_whole, predict_target
from rules.restore import Restore, RestoresFacts
from rules.settings_block import settings_block
from rules.target import Target, TargetFacts

_DEADLINE_SECONDS: Final = 5.0  # what takes longer is there when the page asks again
_REMEMBERED: Final = 64  # answers of one cluster, for as long as nothing new was read
_AT_ONCE: Final = 2  # questions of all clusters together: each is the work of a processor
_MICROSECOND: Final = timedelta(microseconds=1)

_turns: Final = BoundedSemaphore(_AT_ONCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What templates/instant.html shows."""

    instant: Instant
    at: datetime | None = None  # when that is; None: not known
    without_zone: bool = False  # a time that was read as UTC because it names no zone
    target: TargetFacts | None  # None: `why` says why nothing can be said
    why: str = ""
    settings: str | None = None  # None: it is not proven
    command: str = ""  # that asks the same anew, of the files
    listed_at: datetime | None = None
    read_at: datetime | None = None  # the oldest reading that it rests on
    earlier: str | None = None  # without the last transaction; None: there is none
    later: str | None = None  # with the next one


class Instants:
    """Asks the predictor, one question of a cluster at a time, and keeps what it said."""

    def __init__(self) -> None:
        self._kept: WeakKeyDictionary[WatchedCluster, _Kept] = WeakKeyDictionary()

    async def answer(self, cluster: WatchedCluster, look: Look) -> Answer | None:
        """None where no instant is asked for."""
        instant = read_instant(look.query)
        if instant is None:
            return None
        if instant.goal is None:
            return Answer(instant=instant, target=None, why=instant.error)
        restores, why = _restores_of(cluster)
        if restores is None:
            return Answer(instant=instant, target=None, why=why)
        kept = self._kept.setdefault(cluster, _Kept(cluster.name))
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                target = await kept.ask(restores, instant, partial(_candidates, cluster, instant))
        except TimeoutError:
            why = "the archive is large, and the answer takes long: ask again in a moment"
            return Answer(instant=instant, target=None, why=why)
        except Exception as error:  # whatever it is, it is shown as not known
            why = f"it could not be worked out: {explain(error)}"
            return Answer(instant=instant, target=None, why=why)
        if why := _has_gone(cluster, target):
            return Answer(instant=instant, target=None, why=why)
        return _answer(cluster, look, instant, target, restores.listed_at)


class _Kept:
    """One cluster's thread, and the answers over the last round of readings."""

    def __init__(self, name: str) -> None:
        self._worker = Worker(f"{name}/instant")
        self._turn = asyncio.Lock()
        self._listed_at: datetime | None = None  # which round that is; its WAL is not held here
        self._answers: dict[tuple[Target, Goal], TargetFacts] = {}

    async def ask(
        self, restores: RestoresFacts, instant: Instant, choose: Callable[[], list[Restore]]
    ) -> TargetFacts:
        """Raises TimeoutError while an earlier question still keeps the thread busy."""
        assert instant.goal is not None
        if self._listed_at != restores.listed_at:
            self._listed_at, self._answers = restores.listed_at, {}
        asked, answers = (instant.target, instant.goal), self._answers
        if asked not in answers:
            async with self._turn:  # one after the other; the same question once
                if asked not in answers:
                    ask = partial(_ask, *asked, choose(), answers)
                    return await self._worker.run(_DEADLINE_SECONDS, ask)
        return answers[asked]


def _ask(
    target: Target,
    goal: Goal,
    restores: Sequence[Restore],
    answers: dict[tuple[Target, Goal], TargetFacts],
) -> TargetFacts:
    """In the thread, which keeps the answer also when nobody waits for it any more."""
    with _turns:
        said = predict_target(target, goal, restores)
    if len(answers) >= _REMEMBERED:
        answers.pop(next(iter(answers)))
    answers[target, goal] = said
    return said


def _restores_of(cluster: WatchedCluster) -> tuple[RestoresFacts | None, str]:
    """What the predictor can be asked, or why there is nothing."""
    restores, config = cluster.fact(RestoresFacts), cluster.config
    backups = cluster.fact(BackupsFacts)
    if (
        restores is not None
        and backups is not None
        and find_restores(restores.by_backup, backups.backups)
    ):
        return restores, ""
    if config.backups is None or not config.archives:
        return None, "no backups are configured for this cluster: name them with `backups:`"
    if config.depth != "records":
        return None, f"only {config.depth} are read (`depth:`): what recovery does is not known"
    if backups is not None and not any(map(is_whole, backups.backups)):
        return None, "there is no whole base backup from which to restore"
    return None, "the WAL has not been read yet: ask again in a moment"


def _has_gone(cluster: WatchedCluster, target: TargetFacts) -> str:
    """What was listed since says otherwise: then nothing is said until that was read."""
    archive, backups = cluster.fact(ArchiveFacts), cluster.fact(BackupsFacts)
    if archive is None or backups is None or target.backup is None or target.prediction is None:
        return ""
    again = "the archive has changed since it was read: ask again in a moment"
    backup = next((each for each in backups.backups if each.url == target.backup.url), None)
    needed = set(target.prediction.segments_needed)
    if backup is None or needed - archive.segments.keys() - backup.wal:
        return again
    return ""


# -- which backups are asked ---------------------------------------------------------------------


def _candidates(cluster: WatchedCluster, instant: Instant) -> list[Restore]:
    """The backups whose window begins before the instant, or else the oldest of all.

    None of them may be left out: the newest may be damaged, or lie on another timeline.
    """
    restores, backups = cluster.fact(RestoresFacts), cluster.fact(BackupsFacts)
    assert restores is not None and instant.goal is not None
    whole = find_restores(restores.by_backup, backups.backups if backups else ())
    ordered = sorted(whole, key=lambda each: each.backup.label.start_lsn)
    at = instant.at(cluster.fact(DatedWalFacts))
    if at is None:
        return ordered
    windows = cluster.fact(WindowsFacts)
    before = [each for each in ordered if (begin := _begin(each, windows)) is None or begin <= at]
    return before or ordered[:1]


def _begin(restore: Restore, windows: WindowsFacts | None) -> datetime | None:
    """When a backup's windows begin; None: not known."""
    found = windows.by_backup.get(restore.backup.url) if windows else None
    times = [window.from_time for window in found or () if window.from_time]
    return min(times, default=restore.backup.finished_at)


# -- what is shown -------------------------------------------------------------------------------


def _answer(
    cluster: WatchedCluster,
    look: Look,
    instant: Instant,
    target: TargetFacts,
    listed_at: datetime,
) -> Answer:
    archive, scan = cluster.fact(ArchiveFacts), cluster.fact(ScanFacts)
    assert instant.goal is not None
    earlier, later = _neighbours(look, target)
    return Answer(
        instant=instant,
        at=instant.at(cluster.fact(DatedWalFacts)),
        without_zone=_lacks_zone(instant.target),
        target=target,
        settings=_settings(cluster, instant.goal, target, archive),
        command=_command(cluster, instant.target, target),
        listed_at=listed_at,
        read_at=_read_at(target, scan.read_at if scan else {}),
        earlier=earlier,
        later=later,
    )


def _settings(
    cluster: WatchedCluster, goal: Goal, target: TargetFacts, archive: ArchiveFacts | None
) -> str | None:
    """Only for what is proven."""
    outcome = target.prediction
    if target.reachable is not True or outcome is None or archive is None:
        return None
    urls = [each.url for each in cluster.config.archives]
    archives = [replace(archive, url=url) for url in urls] if len(urls) > 1 else [archive]
    command = restore_command(archives, outcome.segments_needed)
    return settings_block(goal, command, outcome.needs)


def _command(cluster: WatchedCluster, asked: Target, target: TargetFacts) -> str:
    """`pitr-check` for the same question, which reads everything again."""
    words = ["pitr-check"]
    for archive in cluster.config.archives:
        words += ["--archive", archive.url]
    if target.backup is not None:
        words += ["--backup", target.backup.url]
    value = f"{asked.value or ''}{'+00' if _lacks_zone(asked) else ''}"
    words += [f"--target-{asked.type}", value, "--timeline", asked.timeline]
    words += [] if asked.inclusive else ["--exclusive"]
    words += [] if asked.action == "promote" else ["--action", asked.action]
    return shlex.join(words)


def _lacks_zone(asked: Target) -> bool:
    return asked.type == "time" and not has_zone(asked.value or "")


def _read_at(target: TargetFacts, read_at: Mapping[str, datetime]) -> datetime | None:
    needed = target.prediction.segments_needed if target.prediction else ()
    return min((read_at[name] for name in needed if name in read_at), default=None)


def _neighbours(look: Look, target: TargetFacts) -> tuple[str | None, str | None]:
    """Where one transaction less leads, and one more."""
    outcome, timeline = target.prediction, target.timeline
    if outcome is None or timeline is None:
        return None, None
    addresses, last, stop = Addresses(look.query), outcome.last_transaction, outcome.stop
    earlier = addresses.to_instant(sane(last.time) - _MICROSECOND, timeline) if last else None
    later = None
    if stop is not None and stop.position == "before" and stop.time is not None:
        later = addresses.to_instant(stop.time, timeline)
    return earlier, later
