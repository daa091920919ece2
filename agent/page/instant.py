"""An instant picked on the axis: whether it can be restored to, what PostgreSQL will do, settings.

The predictor is asked, over the WAL that the last round of reading left; settings are shown only
for what it proved. That is work for a thread with a deadline: a large archive takes seconds.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from threading import BoundedSemaphore
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from agent.archive.restore_command import restore_command
from agent.config.repositories import words_of
from agent.deadline import Worker
from agent.monitor.explain import explain
from agent.monitor.watched import WatchedCluster
from agent.page.asked import Addresses, Instant, read_instant
from agent.page.visit import Visit
from agent.store.urls import whole
from agent.turns import Crowded, Turns
from parsers.sentences import tr
from parsers.values import dataclass
from rules.archive.dated_wal import DatedWalFacts, sane
from rules.model.facts import ArchiveFacts, BackupsFacts, ScanFacts
from rules.model.goal import Goal, has_zone
from rules.model.repository import RepositoriesRead
from rules.model.restore_inputs import RestoreInputs, RestoreInputsFacts
from rules.model.target import Target, TargetFacts
from rules.recovery.prediction import find_restores, is_whole, predict_target
from rules.recovery.settings_block import settings_block
from rules.repository.command import restore_command_of

_DEADLINE_SECONDS: Final = 5.0  # what takes longer is there when the page asks again
_REMEMBERED: Final = 64  # answers of one cluster, for as long as nothing new was read
_AT_ONCE: Final = 2  # questions of all clusters together: each is the work of a processor
_WAITING_PER_CLIENT: Final = 2  # more than a person asks
_WAITING: Final = 16
_MICROSECOND: Final = timedelta(microseconds=1)

_turns: Final = BoundedSemaphore(_AT_ONCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstantAnswer:
    """What templates/instant.html shows."""

    instant: Instant
    at: datetime | None = None  # when that is; None: not known
    without_zone: bool = False  # a time that was read as UTC because it names no zone
    target: TargetFacts | None  # None: `why` says why nothing can be said
    why: str = ""
    settings: str | None = None  # None: it is not proven
    command: str = ""  # that asks the same again, of the files
    listed_at: datetime | None = None
    read_at: datetime | None = None  # the oldest reading that it rests on
    earlier: str | None = None  # without the last transaction; None: there is none
    later: str | None = None  # with the next one


class Instants:
    """Asks the predictor, one question of a cluster at a time, and keeps what it said.

    Who asks for many waits behind himself; `on_refused` is called when there is no room to wait.
    """

    def __init__(self, on_refused: Callable[[], None] = lambda: None) -> None:
        self._kept: WeakKeyDictionary[WatchedCluster, _Kept] = WeakKeyDictionary()
        self._turns = Turns(
            _AT_ONCE,
            waiting_per_client=_WAITING_PER_CLIENT,
            waiting=_WAITING,
            on_refused=on_refused,
        )

    async def answer(self, cluster: WatchedCluster, look: Visit) -> InstantAnswer | None:
        """None where no instant is asked for."""
        instant = read_instant(look.query)
        if instant is None:
            return None
        if instant.goal is None:
            return InstantAnswer(instant=instant, target=None, why=instant.error)
        restores, why = _restores_of(cluster)
        if restores is None:
            return InstantAnswer(instant=instant, target=None, why=why)
        kept = self._kept.setdefault(cluster, _Kept(cluster.name))
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                target = await self._ask(kept, restores, instant, look.client)
        except Crowded:
            why = tr("too many instants are asked for at once: ask again in a moment")
            return InstantAnswer(instant=instant, target=None, why=why)
        except TimeoutError:
            why = tr("the archive is large, and the answer takes long: ask again in a moment")
            return InstantAnswer(instant=instant, target=None, why=why)
        except Exception as error:  # whatever it is, it is shown as not known
            why = tr("it could not be worked out: {why}", why=explain(error))
            return InstantAnswer(instant=instant, target=None, why=why)
        if why := _has_gone(cluster, target):
            return InstantAnswer(instant=instant, target=None, why=why)
        return _answer(cluster, look, instant, target, restores.listed_at)

    async def _ask(
        self, kept: _Kept, restores: _Asked, instant: Instant, client: str
    ) -> TargetFacts:
        """Raises TimeoutError and Crowded."""
        said = kept.said(restores, instant)
        if said is not None:
            return said
        async with self._turns.turn(client):
            return await kept.ask(restores, instant)


class _Kept:
    """One cluster's thread, and the answers over the last round of readings."""

    def __init__(self, name: str) -> None:
        self._worker = Worker(f"{name}/instant")
        self._turn = asyncio.Lock()
        self._listed_at: datetime | None = None  # which round that is; its WAL is not held here
        self._answers: dict[tuple[Target, Goal], TargetFacts] = {}

    def said(self, restores: _Asked, instant: Instant) -> TargetFacts | None:
        """What was said of it over these readings; None: it was not asked yet."""
        assert instant.goal is not None
        if self._listed_at != restores.listed_at:
            self._listed_at, self._answers = restores.listed_at, {}
        return self._answers.get((instant.target, instant.goal))

    async def ask(self, restores: _Asked, instant: Instant) -> TargetFacts:
        """Raises TimeoutError while an earlier question still keeps the thread busy."""
        assert instant.goal is not None
        if (said := self.said(restores, instant)) is not None:
            return said
        asked, answers = (instant.target, instant.goal), self._answers
        if asked not in answers:
            async with self._turn:  # one after the other; the same question once
                if asked not in answers:
                    ask = partial(_ask, *asked, restores.those, answers)
                    return await self._worker.run(_DEADLINE_SECONDS, ask)
        return answers[asked]


def _ask(
    target: Target,
    goal: Goal,
    restores: Sequence[RestoreInputs],
    answers: dict[tuple[Target, Goal], TargetFacts],
) -> TargetFacts:
    """In the thread, which keeps the answer also when no request waits for it any more."""
    with _turns:
        said = predict_target(target, goal, restores)
    if len(answers) >= _REMEMBERED:
        answers.pop(next(iter(answers)))
    answers[target, goal] = said
    return said


class _Asked(NamedTuple):
    """The restores that the predictor is asked about: as `pitr-check`, of every backup that counts.

    The newest may be damaged, or lie on another timeline.
    """

    listed_at: datetime
    those: Sequence[RestoreInputs]


def _restores_of(cluster: WatchedCluster) -> tuple[_Asked | None, str]:
    """What the predictor can be asked, or why there is nothing."""
    restores, config = cluster.fact(RestoreInputsFacts), cluster.config
    backups = cluster.fact(BackupsFacts)
    if restores is not None and backups is not None:
        those = find_restores(restores.by_backup, backups.backups)
        if those:
            return _Asked(restores.listed_at, those), ""
    if not config.has_backups or not config.has_archives:
        why = tr("no backups are configured for this cluster: name them with `backups:`")
        return None, why
    if config.depth != "records":
        why = tr(
            "only {depth} are read (`depth:`): what recovery does is not known", depth=config.depth
        )
        return None, why
    if backups is not None and not any(map(is_whole, backups.backups)):
        return None, tr("there is no whole base backup from which to restore")
    return None, tr("the WAL has not been read yet: ask again in a moment")


def _has_gone(cluster: WatchedCluster, target: TargetFacts) -> str:
    """What was listed since says otherwise: then nothing is said until that was read."""
    archive, backups = cluster.fact(ArchiveFacts), cluster.fact(BackupsFacts)
    if archive is None or backups is None or target.backup is None or target.prediction is None:
        return ""
    again = tr("the archive has changed since it was read: ask again in a moment")
    backup = next((each for each in backups.backups if each.url == target.backup.url), None)
    needed = set(target.prediction.segments_needed)
    if backup is None or needed - archive.segments.keys() - backup.wal:
        return again
    return ""


# -- what is shown -------------------------------------------------------------------------------


def _answer(
    cluster: WatchedCluster,
    look: Visit,
    instant: Instant,
    target: TargetFacts,
    listed_at: datetime,
) -> InstantAnswer:
    archive, scan = cluster.fact(ArchiveFacts), cluster.fact(ScanFacts)
    assert instant.goal is not None
    earlier, later = _neighbours(look, target)
    return InstantAnswer(
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
    outcome, backup = target.prediction, target.backup
    if target.reachable is not True or outcome is None or archive is None or backup is None:
        return None
    urls = [each.url for each in cluster.config.archives]
    archives = [replace(archive, url=url) for url in urls] if len(urls) > 1 else [archive]
    tools = cluster.fact(RepositoriesRead)
    command = restore_command_of(tools) if tools else None
    command = command or restore_command(archives, outcome.segments_needed)
    return settings_block(goal, command, outcome.needs, backup)


def _command(cluster: WatchedCluster, asked: Target, target: TargetFacts) -> str:
    """`pitr-check` for the same question, which reads everything again."""
    words = ["pitr-check"]
    for archive in cluster.config.archives:
        words += ["--archive", whole(archive.url)]
    words += words_of(cluster.config.repositories)
    if target.backup is not None:
        stored = target.backup.stored
        words += ["--backup", stored.label if stored else target.backup.url]
    value = f"{asked.value or ''}{'+00' if _lacks_zone(asked) else ''}"
    words += [f"--target-{asked.type}", value, "--timeline", asked.timeline]
    words += [] if asked.inclusive else ["--exclusive"]
    words += [] if asked.action == "promote" else ["--action", asked.action]
    words += ["--via", "restore_command"] if cluster.config.repositories else []
    return shlex.join(words)


def _lacks_zone(asked: Target) -> bool:
    return asked.type == "time" and not has_zone(asked.value or "")


def _read_at(target: TargetFacts, read_at: Mapping[str, datetime]) -> datetime | None:
    needed = target.prediction.segments_needed if target.prediction else ()
    return min((read_at[name] for name in needed if name in read_at), default=None)


def _neighbours(look: Visit, target: TargetFacts) -> tuple[str | None, str | None]:
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
