"""The seed's laboratory from start to end, told step by step, and what it proved.

Follows "Recovering Using a Continuous Archive Backup" of the manual, in the seed's order.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from typing import Final

from agent.errors import CRITICAL, OK, WARNING
from agent.lab.cases import LabCase, plan_cases
from agent.lab.errors import LabFailed
from agent.lab.history import (
    CREATE_TABLE,
    Marks,
    Noted,
    Notes,
    establish_marks,
    switch_wal,
    write_history,
    write_late_row,
)
from agent.lab.laboratory import Laboratory
from agent.lab.metrics_page import MetricsPage
from agent.lab.primary import back_up, make_agent_role, make_primary
from agent.lab.programs import predict
from agent.lab.restore import LabRestore, RestoreResult
from agent.lab.stop import RecordedStop
from agent.lab.story import ComparisonRow, TerminalStory
from agent.lab.watching import (
    agent_config,
    describe_page,
    has_all_archived,
    is_dead_and_whole,
    is_up,
    wait_for,
)
from parsers.lsn import format_lsn
from parsers.sentences import joined, tr

_OBJECTIVES: Final = {"rpo": "5m"}
_RESTORE_TO: Final = {
    "time": tr("Restore to the time{attempt}, then {action}"),
    "lsn": tr("Restore to the LSN{attempt}, then {action}"),
    "name": tr("Restore to the restore point{attempt}, then {action}"),
}


class Demonstration:
    """One run: the laboratory, the story it tells, and what the agent failed to see."""

    def __init__(self, lab: Laboratory, story: TerminalStory) -> None:
        self._lab = lab
        self._story = story
        self._started = time.monotonic()
        self._unseen: list[str] = []  # what the agent should have shown, and did not in time

    def run(self) -> int:
        """Do it all: 0 if all agree, 1 if the agent missed something, 2 if a restore differs."""
        with self._story.step(tr("A primary that archives its WAL")):
            self._make_primary()
        with self._story.step(tr("The agent, watching from now on")):
            self._start_agent()
        with self._story.step(tr("The table, and a base backup")):
            self._back_up()
        with self._story.step(tr("Two rows, the moment to come back to, a restore point")):
            notes = self._write_history()
        with self._story.step(tr("A late row, which no restore may bring back")):
            late = write_late_row(self._lab.primary, self._story)
        with self._story.step(tr("The disaster")):
            self._lose_primary()
        with self._story.step(tr("What pg_waldump finds in the archive, the primary being gone")):
            marks = self._establish_marks(notes, late)
        with self._story.step(tr("What pitr-check predicts, before anything is restored")):
            cases = self._predict(list(plan_cases(marks)))
        outcomes = [self._restore(case) for case in cases]
        return self._conclude(outcomes)

    def _make_primary(self) -> None:
        make_primary(self._lab, self._story)
        identifier, checksums = self._lab.primary.sql(
            "SELECT system_identifier, current_setting('data_checksums') FROM pg_control_system()"
        )[0]
        self._story.proof(
            tr(
                "it is up: system identifier {identifier}, data checksums {checksums}",
                identifier=identifier,
                checksums=checksums,
            )
        )

    def _start_agent(self) -> None:
        make_agent_role(self._lab, self._story)
        config = agent_config(self._lab, poll="1s", scan="1s", objectives=_OBJECTIVES)
        with self._story.shell("pitr-agent run --config pitr.yaml"):
            self._lab.agent.start(config)
        self._story.note(tr("its metrics: {url}", url=f"{self._lab.agent.url}/metrics"))
        self._ask_agent(tr("the server"), is_up)

    def _back_up(self) -> None:
        primary = self._lab.primary
        with self._story.sql(CREATE_TABLE):
            primary.sql(CREATE_TABLE)
        switch_wal(primary, self._story)
        back_up(self._lab, self._story)
        label = (self._lab.backup / "backup_label").read_text()
        self._story.note(label.splitlines()[0])

    def _write_history(self) -> Notes:
        lab = self._lab
        notes = write_history(lab.primary, self._story)
        segment = lab.primary.sql(
            "SELECT pg_walfile_name(%s::pg_lsn)", format_lsn(notes.restore_point_end_lsn - 1)
        )
        lab.wait_archived(segment[0][0])
        archived_count = len(lab.archive_listing())
        self._ask_agent(
            tr("all segments archived"), lambda page: has_all_archived(page, archived_count)
        )
        return notes

    def _lose_primary(self) -> None:
        with self._story.shell("pg_ctl stop -D PITR"):
            self._lab.primary.stop()
        with self._story.shell("rm -r PITR/*"):
            shutil.rmtree(self._lab.primary.data)
        self._story.note(tr("all that is left: backup_base, and in backup_wal"))
        for name in sorted(self._lab.archive_listing()):
            self._story.note(f"  {name}")
        self._ask_agent(tr("the server gone, the archive judged nevertheless"), is_dead_and_whole)

    def _establish_marks(self, notes: Notes, late: Noted) -> Marks:
        marks = establish_marks(self._lab, notes, late)
        for what, commit in (("registro_1, registro_2", marks.rows), ("registro_3", marks.late)):
            self._story.proof(
                tr(
                    "{what}: COMMIT of {xid} at {lsn}, {at}, as the server had said",
                    what=what,
                    xid=commit.xid,
                    lsn=format_lsn(commit.lsn),
                    at=commit.at.isoformat(" "),
                )
            )
        lsn = format_lsn(marks.restore_point_lsn)
        self._story.proof(tr("punto_laboratorio: RESTORE_POINT at {lsn}", lsn=lsn))
        return marks

    def _predict(self, cases: list[LabCase]) -> list[LabCase]:
        """Have pitr-check say where each target will stop. What it cannot tell is a failure."""
        predicted: dict[str, RecordedStop] = {}
        for case in cases:
            if case.value not in predicted:
                predicted[case.value] = self._predict_stop(case)
        return [replace(case, predicted=predicted[case.value]) for case in cases]

    def _predict_stop(self, case: LabCase) -> RecordedStop:
        lab = self._lab
        with self._story.shell(f"pitr-check --target-{case.target} '{case.value}'"):
            prediction = predict(lab.archive, lab.backup, target=case.target, value=case.value)
        if prediction.stop is None or prediction.reachable is not case.reachable:
            raise LabFailed(
                tr(
                    "pitr-check is wrong about {value}: {reason}",
                    value=case.value,
                    reason=prediction.reason,
                )
            )
        self._story.proof(tr("it will stop: {stop}", stop=joined(" · ", prediction.stop.lines())))
        if not case.reachable:
            self._story.note(tr("and it warns: {reason}", reason=prediction.reason))
        return prediction.stop

    def _restore(self, case: LabCase) -> RestoreResult:
        attempt = "" if case.reachable else tr(" of the first attempt, before the backup")
        title = tr(_RESTORE_TO[case.target], attempt=attempt, action=case.action)
        with self._story.step(title):
            restore = LabRestore(self._lab, case, self._story)
            outcome = restore.run()
            for line in outcome.reported.lines:
                self._story.server_says(line)
            for difference in outcome.disagreements:
                self._story.proof(
                    tr("recorded and reported differ: {difference}", difference=difference),
                    holds=False,
                )
            return outcome

    def _ask_agent(self, what: str, condition: Callable[[MetricsPage], bool]) -> None:
        """Wait until the agent shows it, and tell what it shows."""
        with self._story.waiting(tr("the agent polls")):
            page, seen = wait_for(self._lab.agent, condition)
        self._story.agent_says(describe_page(page), holds=seen)
        if not seen:
            self._unseen.append(what)

    def _conclude(self, outcomes: list[RestoreResult]) -> int:
        title = tr("What the laboratory recorded, and where PostgreSQL says that it stopped")
        self._story.comparison(title, list(_comparison_rows(outcomes)))
        failed = [outcome for outcome in outcomes if not outcome.holds]
        if failed:
            self._story.verdict(
                tr(
                    "{failed} of {all} restores did not go as recorded",
                    failed=len(failed),
                    all=len(outcomes),
                ),
                holds=False,
            )
            return CRITICAL
        if self._unseen:
            unseen = joined("; ", self._unseen)
            self._story.verdict(tr("the agent did not see: {unseen}", unseen=unseen), holds=False)
            return WARNING
        self._story.verdict(
            tr(
                "{n} of {n} restores stopped exactly where recorded; all in {time:.0f} s",
                n=len(outcomes),
                time=time.monotonic() - self._started,
            ),
            holds=True,
        )
        return OK


def _comparison_rows(outcomes: list[RestoreResult]) -> Iterator[ComparisonRow]:
    """A row a target; its restores share one where every witness says the same."""
    actions: dict[tuple[Hashable, ...], list[RestoreResult]] = {}
    for outcome in outcomes:
        case = outcome.case
        said = tuple(outcome.witnesses.items())
        actions.setdefault((case.setting, case.value, said, outcome.holds), []).append(outcome)
    for alike in actions.values():
        case = alike[0].case
        yield ComparisonRow(
            target=(case.setting, case.value, ", ".join(each.case.action for each in alike)),
            witnesses=alike[0].witnesses,
            agree=alike[0].holds,
        )
