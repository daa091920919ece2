"""One restore: a fresh data directory, recovery to the target, and what is proven of it.

A restore is judged by the seed's own validation (pg_is_in_recovery(), the log, recovery.signal,
the rows) and by comparing its stop with what the laboratory recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, LiteralString

import psycopg

from agent.lab.cases import PAUSE, PROMOTE, LabCase
from agent.lab.errors import LabFailed
from agent.lab.history import LATE_ROW, SELECT_ROWS
from agent.lab.laboratory import Laboratory, wait_until
from agent.lab.narrator import Narrator
from agent.lab.primary import FOR_SPEED
from agent.lab.programs import watch_once
from agent.lab.stop import LAST_TRANSACTION, RecordedStop, Reported, read_report
from parsers.sentences import joined, message_of, tr
from parsers.values import dataclass
from rules.model.counted import all_of

_WAIT_SECONDS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreResult:
    """What became of one restore."""

    case: LabCase
    reported: Reported
    disagreements: tuple[str, ...]  # between the witnesses; empty when all agree
    failed_proofs: tuple[str, ...]  # of the seed's validation

    @property
    def holds(self) -> bool:
        return not self.disagreements and not self.failed_proofs

    @property
    def witnesses(self) -> dict[str, tuple[str, ...]]:
        """What each witness says about the stop, in lines."""
        said = [line for line in self.reported.lines if not line.startswith(LAST_TRANSACTION)]
        witnesses: dict[str, tuple[str, ...]] = {tr("recorded"): self.case.marked}
        if self.case.predicted is not None:
            witnesses[tr("pitr-check predicted")] = self.case.predicted.lines()
        return witnesses | {"PostgreSQL": tuple(said) or (tr("nothing about a stop"),)}


class LabRestore:
    """One restore under way: a fresh data directory, its server, and the proofs so far."""

    def __init__(self, lab: Laboratory, case: LabCase, narrator: Narrator) -> None:
        self._lab = lab
        self._case = case
        self._narrator = narrator
        self._proofs: list[tuple[str, bool]] = []  # since they were last told
        self._failed: list[str] = []
        self._archive_before = lab.archive_listing()
        self.cluster = lab.new_cluster(f"restored/{case.directory}")

    def run(self) -> RestoreResult:
        """Restore, validate, stop. A server that refuses to come up is an outcome, not an error.

        One that refuses may have answered before, as a hot standby that was still replaying.
        """
        self._prepare()
        try:
            with self._narrator.shell(f"pg_ctl start -D {self._case.directory}"):
                self._lab.start(self.cluster)
            self._validate()
        except (LabFailed, psycopg.OperationalError) as error:
            gone = wait_until(lambda: not self.cluster.is_running(), _WAIT_SECONDS)
            if not gone and isinstance(error, psycopg.OperationalError):
                raise LabFailed(message_of(error), log=self.cluster.log) from error
            self._prove(tr("the server comes up"), holds=False)
            self._tell()
        finally:
            self.cluster.stop()
        return self._outcome()

    def _prepare(self) -> None:
        name = self._case.directory
        settings: dict[str, str | int | bool] = {
            "restore_command": f"cp {self._lab.archive}/%f %p",
            self._case.setting: self._case.value,
            "recovery_target_action": self._case.action,
            "recovery_target_timeline": "1",
            "archive_mode": "off",
        }
        with self._narrator.shell(f"cp -r backup_base/* {name}/ && touch {name}/recovery.signal"):
            self.cluster.restore_from(self._lab.backup, **settings, **FOR_SPEED)
        for setting, value in settings.items():
            self._narrator.note(f"{setting} = '{value}'")

    def _validate(self) -> None:
        if self._case.action == PAUSE:
            self._validate_paused()
        self._prove_query(tr("pg_is_in_recovery() is f"), "SELECT NOT pg_is_in_recovery()")
        self._prove(tr("recovery.signal is gone"), holds=not self._has_signal())
        self._prove_query(
            tr("archive_mode is off"), "SELECT current_setting('archive_mode') = 'off'"
        )
        self._tell()
        self._prove_logged("archive recovery complete")
        self._prove_logged("database system is ready to accept connections")
        self._tell()
        self._prove_rows()
        untouched = self._lab.archive_listing() == self._archive_before
        self._prove(tr("the archive it came from is untouched"), holds=untouched)
        self._tell()
        if self._case.action == PROMOTE:  # pitr-watch saw the others while they waited
            self._prove_watched("promoted")

    def _validate_paused(self) -> None:
        self._prove_query(
            tr("it waits: pg_is_wal_replay_paused() is t"), "SELECT pg_is_wal_replay_paused()"
        )
        self._prove_query(tr("pg_is_in_recovery() is t"), "SELECT pg_is_in_recovery()")
        self._prove(tr("recovery.signal is there"), holds=self._has_signal())
        self._tell()
        self._prove_logged("pausing at the end of recovery")
        self._prove_rows()
        self._tell()
        self._prove_watched("paused")
        with self._narrator.sql("SELECT pg_wal_replay_resume();"):
            self.cluster.sql("SELECT pg_wal_replay_resume()")

    def _has_signal(self) -> bool:
        return (self.cluster.data / "recovery.signal").exists()

    def _prove_query(self, text: str, query: LiteralString) -> None:
        """Ask until the server says yes: promotion and pause take a moment after the start."""
        self._prove(
            text, holds=wait_until(lambda: bool(self.cluster.sql(query)[0][0]), _WAIT_SECONDS)
        )

    def _prove_logged(self, message: str) -> None:
        def logged() -> bool:
            return any(line.endswith(f"LOG:  {message}") for line in self.cluster.log_lines())

        self._prove(tr("log: {message}", message=message), holds=wait_until(logged, _WAIT_SECONDS))

    def _prove_rows(self) -> None:
        rows = self.cluster.sql(SELECT_ROWS)
        expected = self._case.rows
        back = tr("the table is empty: the rows came after the backup")
        if expected:
            names = all_of(name for _, name in expected)
            back = tr("{names} are back, {late} is not", names=names, late=LATE_ROW)
        self._prove(back, holds=tuple(row[:2] for row in rows) == expected)

    def _prove_watched(self, outcome: str) -> None:
        """pitr-watch must say the same of this restore as the log does."""
        with self._narrator.shell(f"pitr-watch --once --pgdata {self._case.directory}"):
            watched = watch_once(self.cluster)
        stated = read_report(self.cluster.log_lines()).stop
        differing = _differing(stated, watched.stop)
        self._prove(
            tr(
                "pitr-watch: {outcome}, reached_target {reached_target}, {stop}",
                outcome=watched.outcome,
                reached_target=watched.reached_target,
                stop=joined("; ", differing) or tr("the stop as in the log"),
            ),
            holds=(watched.outcome, watched.reached_target) == (outcome, self._case.reachable)
            and not differing,
        )
        self._tell()

    def _prove(self, text: str, *, holds: bool) -> None:
        self._proofs.append((text, holds))

    def _tell(self) -> None:
        """Tell the proofs since the last time: in one line while all hold."""
        held = [text for text, holds in self._proofs if holds]
        failed = [text for text, holds in self._proofs if not holds]
        if held:
            self._narrator.proof(joined(" · ", held))
        for text in failed:
            self._narrator.proof(text, holds=False)
        self._failed += failed
        self._proofs.clear()

    def _outcome(self) -> RestoreResult:
        reported = read_report(self.cluster.log_lines())
        return RestoreResult(
            case=self._case,
            reported=reported,
            disagreements=tuple(_disagreements(self._case, reported.stop)),
            failed_proofs=tuple(self._failed),
        )


def _differing(stated: RecordedStop | None, watched: RecordedStop | None) -> list[str]:
    if stated is None or watched is None:
        return [tr("the log's stop {stated}, its own {watched}", stated=stated, watched=watched)]
    return list(stated.disagreements(watched))


def _disagreements(case: LabCase, stop: RecordedStop | None) -> Iterator[str]:
    if stop is None:
        yield tr("PostgreSQL reports no stop")
        return
    yield from case.recorded.disagreements(stop)
    if case.predicted is not None:
        for difference in case.predicted.disagreements(stop):
            yield tr("pitr-check predicted otherwise: {difference}", difference=difference)
    if case.time_between is not None:
        earliest, latest = case.time_between
        if stop.time is None or not earliest <= stop.time <= latest:
            yield tr(
                "time: {time} is not within {earliest} and {latest}",
                time=stop.time, earliest=earliest, latest=latest,
            )  # fmt: skip
