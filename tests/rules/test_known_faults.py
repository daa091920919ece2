"""Known faults of PostgreSQL: how sure it is that one reached something, and what is then said.

Real chains: tests/integration/test_known_faults.py.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from agent.monitor.exporter import METRICS
from parsers.log.messages.event import Event
from parsers.log.recovery_events import RecoveryEvent
from rules.alerting.known_faults_page import load_faults
from rules.alerting.state import advance
from rules.case.case import Case
from rules.case.context import Context
from rules.live.facts import RestoreRecord
from rules.live.logged import LoggedRecovery
from rules.model.evidence import Evidence, WalEventsFacts
from rules.model.facts import BackupsFacts, PositionFacts, UnreadSettings
from rules.model.findings import Finding, Severity, verdict_of
from rules.model.releases import ReleasesFacts
from rules.verdict.check import judge, load_catalogue
from tests.rules.catalogue.facts import INCREMENT, OBJECTIVES, SIZE, backup, backups, server
from tests.rules.catalogue.fault_pairs import (
    LATER,
    made_later,
    replaying,
    told,
    truncated,
    without_checksums,
    writing,
)

CHECKS = load_catalogue()
ID = "known_fault_incremental_backup"
TORN: Final = "global/pg_control (offset 0x120: checksum does not match)"
HOUR: Final = timedelta(hours=1)
DAY_OF_18_7: Final = datetime(2026, 11, 12, tzinfo=UTC)


def found(fault: str, *facts: object) -> list[Finding]:
    known = {type(fact): fact for fact in facts}
    evidence = Evidence(now=LATER, objectives=OBJECTIVES, facts=known)
    return list(judge(evidence, {fault: CHECKS[fault]}).findings)


def severities(fault: str, *facts: object) -> list[Severity]:
    return [finding.severity for finding in found(fault, *facts)]


def increment(major: int, source: str = "primary", **changes: Any) -> BackupsFacts:
    return backups(made_later({**INCREMENT, "source": source}, major=major, **changes))


def of_server(
    version: int, started_before: timedelta, *, in_recovery: bool = False
) -> PositionFacts:
    return server(version, started_at=LATER - started_before, in_recovery=in_recovery)


def logged(*starts: tuple[datetime, str]) -> LoggedRecovery:
    """What a log with these starts comes to."""
    record = RestoreRecord()
    record.apply_all(
        RecoveryEvent(name=Event.SERVER_STARTING, at=at, fields={"version": version})
        for at, version in starts
    )
    return record.snapshot()


# -- by whom the release is told -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("increment", "position", "severity"),
    [
        (increment(18), of_server(180007, HOUR), None),
        (increment(18), of_server(180007, -HOUR), Severity.INFO),
        (increment(18), of_server(180006, HOUR), Severity.WARNING),
        (increment(18), of_server(180006, -HOUR), Severity.WARNING),
        (increment(18), of_server(180006, HOUR, in_recovery=True), Severity.INFO),
        (increment(18, "standby"), of_server(180006, HOUR), Severity.INFO),
        (increment(18), of_server(170012, HOUR), Severity.INFO),
        (increment(18), None, Severity.INFO),
        (increment(17), of_server(170012, HOUR), None),
        (increment(17), of_server(170011, HOUR), Severity.WARNING),
        (increment(19), None, None),
    ],
)
def test_the_server_that_runs_tells_what_made_it(
    increment: BackupsFacts, position: PositionFacts | None, severity: Severity | None
) -> None:
    facts: dict[type, object] = {BackupsFacts: increment}
    if position is not None:
        facts[ReleasesFacts] = ReleasesFacts(position=position)
    evidence = Evidence(now=LATER, objectives=OBJECTIVES, facts=facts)
    judged = judge(evidence, {ID: CHECKS[ID]})
    assert [finding.severity for finding in judged.findings] == ([severity] if severity else [])
    alerts = advance({}, judged, {ID: CHECKS[ID]}, LATER)
    assert set(alerts) == ({ID} if severity is Severity.WARNING else set()), "a note alerts nobody"
    assert verdict_of(judged.findings).status == (severity is Severity.WARNING)


@pytest.mark.parametrize(
    ("version", "source", "severities_"),
    [
        (180006, "primary", [Severity.WARNING]),
        (180007, "primary", []),
        (180006, "standby", [Severity.WARNING]),
        (170012, "primary", [Severity.INFO]),
    ],
)
def test_a_person_tells_it(version: int, source: str, severities_: list[Severity]) -> None:
    assert severities(ID, increment(18, source), told(version)) == severities_


def test_a_date_says_more_than_a_person() -> None:
    """The release that is told may be today's."""
    old = backups(backup(INCREMENT, finished_at=DAY_OF_18_7 - timedelta(seconds=1)))
    assert severities(ID, old, told(180007)) == [Severity.WARNING]
    that_day = backups(backup(INCREMENT, finished_at=DAY_OF_18_7))
    assert severities(ID, that_day, told(180007)) == []


def test_a_note_says_how_to_tell() -> None:
    (note,) = found(ID, increment(18))
    for words in ("--server-version 18.7", "server_version: '18.7'", "dsn or log"):
        assert words in note.remedy
    assert "18.7" in note.summary


def test_the_log_tells_the_release_of_each_backup() -> None:
    log = logged(
        (
            LATER - 2 * HOUR,
            "PostgreSQL 18.6 (Debian 18.6-1.pgdg13+1) on x86_64-pc-linux-gnu, 64-bit",
        ),
        (LATER + HOUR, "PostgreSQL 18.7 on x86_64-pc-linux-gnu, compiled by gcc, 64-bit"),
    )
    case = Case(context=Context(depth="records")).having(log)
    releases = case.get(ReleasesFacts)
    assert releases is not None
    assert severities(ID, increment(18), releases) == [Severity.WARNING]
    later = increment(18, started_at=LATER + 2 * HOUR, finished_at=LATER + 3 * HOUR)
    assert severities(ID, later, releases) == []
    before = increment(18, started_at=LATER - 3 * HOUR)
    assert severities(ID, before, releases) == [Severity.WARNING], "older than the first start"


def test_a_log_that_begins_with_the_mended_release_leaves_older_backups_open() -> None:
    case = Case(context=Context(depth="records")).having(logged((LATER + HOUR, "PostgreSQL 18.7")))
    assert severities(ID, increment(18), case.get(ReleasesFacts)) == [Severity.INFO]


def test_a_standbys_log_does_not_tell_what_made_a_backup_elsewhere() -> None:
    log = logged((LATER - HOUR, "PostgreSQL 18.7 on x86_64-pc-linux-gnu"))
    standby = of_server(180007, HOUR, in_recovery=True)
    case = Case(context=Context(depth="records")).having(log, standby)
    assert severities(ID, increment(18), case.get(ReleasesFacts)) == [Severity.INFO]


def test_what_nobody_told_is_no_fact() -> None:
    assert Case(context=Context(depth="records")).get(ReleasesFacts) is None
    context = Context(depth="records", server_version=180007)
    case = Case(context=context).having(logged((LATER, "PostgreSQL 19beta1 on x86_64")))
    assert case.get(ReleasesFacts) == ReleasesFacts(told=180007)


# -- chains ----------------------------------------------------------------------------------------


def test_a_promotion_between_the_backups_is_told_of() -> None:
    fault = "known_fault_incremental_timeline"
    switched = {**INCREMENT, "timeline": 3}
    assert severities(fault, backups(made_later(switched))) == [Severity.INFO]
    assert severities(fault, backups(made_later(switched)), told(180007)) == []
    (proven,) = found(fault, backups(made_later(switched)), told(180006))
    assert proven.severity is Severity.WARNING
    assert "from timeline 1 to 3" in proven.summary
    assert "by PostgreSQL 18.6" in proven.summary


@pytest.mark.parametrize(
    ("events", "severities_"),
    [
        (truncated(SIZE + 80), [Severity.WARNING]),
        (truncated(SIZE), []),  # the backup below has the map as it was then
        (truncated(3 * SIZE), []),
        (truncated(SIZE + 80, blocks=0), []),
        (truncated(SIZE + 80, blocks=32672 * 2), []),  # no page of the map is in part about it
        (truncated(SIZE + 80, timeline=2), []),  # not the chain's
    ],
)
def test_what_vacuum_cut_short_before_an_increment_is_named(
    events: WalEventsFacts, severities_: list[Severity]
) -> None:
    fault = "known_fault_incremental_truncation"
    assert severities(fault, backups(without_checksums()), events) == severities_
    for finding in found(fault, backups(without_checksums()), events):
        assert "1663/5/16384" in finding.summary
    assert severities(fault, backups(backup(INCREMENT)), events) == [], "with checksums"
    assert severities(fault, backups(without_checksums(major=19)), events) == []


def test_a_table_that_was_cut_twice_is_named_once() -> None:
    events = truncated(SIZE + 80)
    twice = replace(events, vacuum_truncations=events.vacuum_truncations * 2)
    fault = "known_fault_incremental_truncation"
    (finding,) = found(fault, backups(without_checksums()), twice)
    assert finding.evidence["relations"] == "1663/5/16384"


# -- files, standbys, indexes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "file"),
    [
        ({"bad_files": (TORN,)}, "global/pg_control"),
        (
            {"bad_files": (TORN,
                           "global/pg_control (SHA256 …)")},
            None,
        ),  # not what was copied either: it was damaged later
        ({"bad_files": ("base/1/2 (absent)",)}, None),
        (
            {"unread_settings": (UnreadSettings("postgresql.auto.conf",
                                                "PostgreSQL refuses it: line 3: syntax error"),)},
            "postgresql.auto.conf",
        ),
        ({"unread_settings": (UnreadSettings("postgresql.conf", "syntax error"),)}, None),
    ],
)  # fmt: skip
def test_a_torn_copy_is_told_from_other_damage(changes: dict[str, Any], file: str | None) -> None:
    fault = "known_fault_torn_copies"
    assert [finding.evidence["file"] for finding in found(fault, backups(backup(**changes)))] == (
        [file] if file else []
    )
    assert severities(fault, backups(made_later(**changes))) == ([Severity.INFO] if file else [])


@pytest.mark.parametrize(
    ("version", "writer", "kinds", "severities_"),
    [
        (150016, 150015, 6, [Severity.WARNING]),
        (150016, 150016, 6, []),
        (150016, None, 6, [Severity.INFO]),
        (150017, 150015, 6, []),
        (150017, None, 6, []),
        (150018, 150017, 6, [Severity.WARNING]),
        (150019, 150017, 6, []),
        (180004, 180003, 6, [Severity.WARNING]),
        (180004, 180004, 6, []),  # as every pair that was updated is
        (180004, 180003, 10, []),  # no row locks of several transactions
    ],
)
def test_a_standby_that_fails_at_row_locks(
    version: int, writer: int | None, kinds: int, severities_: list[Severity]
) -> None:
    fault = "known_fault_multixact_replay"
    assert severities(fault, replaying(version, writer), writing(kinds)) == severities_
    primary = ReleasesFacts(position=server(version))
    assert severities(fault, primary, writing(kinds)) == []


def test_indexes_of_a_cluster_that_is_older_than_the_update_are_told_of() -> None:
    fault, gin = "known_fault_gin_vacuum", writing(13)
    old = backups(made_later(system_identifier=int(DAY_OF_18_7.timestamp() - 86400) << 32))
    assert severities(fault, old, gin, told(180007)) == [Severity.INFO], "no update mends one"
    young = backups(made_later())
    assert severities(fault, young, gin, told(180007)) == []
    assert severities(fault, young, writing(14), told(180006)) == [], "another kind of index"
    (open_,) = found(fault, young, gin)
    assert "--server-version 18.7" in open_.summary


# -- all of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(load_faults()))
def test_every_fault_names_its_source_and_is_silent_on_other_majors(name: str) -> None:
    fault = load_faults()[name]
    assert ":" in fault.notes
    assert fault.mended
    assert CHECKS[name].remedy
    nobody = backups(backup(INCREMENT, major=12))
    everything = WalEventsFacts(resource_managers=frozenset(range(23)))
    assert severities(name, nobody, everything, told(120022)) == []


def test_the_metrics_page_says_that_notes_are_not_counted() -> None:
    assert "notes apart" in next(row[3] for row in METRICS if row[0] == "pitr_finding")
