"""The recovery target just before something that happened, proven by the predictor.

A commit takes effect with its own record, so the target is that record, exclusive: by xid where the
server stops at it and nowhere before, else by LSN, else by time. DROP DATABASE is another matter:
the files go with a record of their own before the commit, and before that the database is marked as
invalid, in place (dropdb in src/backend/commands/dbcommands.c). A restore to just before the commit
would open without it; the target is the LSN of that first record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.facts import TransactionKind
from rules.events.path_event import PathEvent
from rules.events.transactions import PathTransactions
from rules.model.goal import Goal
from rules.model.outcome import Outcome
from rules.model.restore_inputs import RestoreInputs
from rules.recovery.restorable import best_restore

_COMMITS: Final = (TransactionKind.COMMIT, TransactionKind.COMMIT_PREPARED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A target before a happening, and what recovery to it does."""

    goal: Goal
    lsn: int  # of the record that must not be replayed
    restore: RestoreInputs | None  # from which backup; None: none was given
    outcome: Outcome | None
    reachable: bool | None  # True: proven to stop right before; None: cannot be said
    reason: str
    commits_after: int  # commits of the path from there on, as far as it is known
    last_time_us: int | None  # of the last of them


def find_moment(
    happening: PathEvent, restores: Sequence[RestoreInputs], timeline: int, story: PathTransactions
) -> Moment:
    """The target just before `happening`, from the backup that has the least to replay."""
    lsn = happening.database_lsn or happening.lsn
    after, last = _commits_after(story, lsn)
    answers: list[Moment] = []
    for goal in _goals(happening, lsn, timeline):
        best = best_restore(restores, goal)
        moment = Moment(
            goal=goal,
            lsn=lsn,
            restore=best[0] if best else None,
            outcome=best[1] if best else None,
            reachable=_stops_before(best[1], lsn) if best else None,
            reason=best[1].reason if best else tr("no base backup was given to prove it with"),
            commits_after=after,
            last_time_us=last,
        )
        if moment.reachable:
            return moment
        answers.append(moment)
    order = (None, False)
    return min(answers, key=lambda each: order.index(each.reachable))


def _goals(happening: PathEvent, lsn: int, timeline: int) -> Iterator[Goal]:
    """Ways to say it, the one that a person reads best first."""
    if happening.xid and happening.database is None:
        yield Goal(type="xid", xid=happening.xid, timeline=timeline, inclusive=False)
    yield Goal(type="lsn", lsn=lsn, timeline=timeline, inclusive=False)
    if happening.time_us is not None and happening.database is None:
        yield Goal(type="time", time_us=happening.time_us, timeline=timeline, inclusive=False)


def _stops_before(outcome: Outcome, lsn: int) -> bool | None:
    if not outcome.reachable:
        return outcome.reachable
    stop = outcome.stop
    return bool(stop and stop.position == "before" and stop.lsn == lsn)


def _commits_after(story: PathTransactions, lsn: int) -> tuple[int, int | None]:
    """Commits that such a restore leaves out: how many, and the time of the last."""
    count, last = 0, None
    for chapter in story.chapters:
        for facts in (chapter.crossing, chapter.inside):
            transactions = facts.transactions.from_lsn(lsn)
            kinds = transactions.kinds.tobytes()
            commits = sum(map(kinds.count, _COMMITS))
            if commits:
                count += commits
                last = transactions[max(map(kinds.rfind, _COMMITS))].time_us
    return count, last
