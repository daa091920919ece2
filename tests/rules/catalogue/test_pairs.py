"""Each check has a pair: facts on which it fires, and facts beside them on which it is silent.

They are made by hand; what real servers and files say is in tests/integration/test_catalogue.py. A
check that is added needs its row here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

import pytest

from parsers.files.timeline_history import HistoryEntry, TimelineHistory
from parsers.log.messages.event import Event
from parsers.wal.facts import Transaction, TransactionKind
from rules.capacity.base_backups import STREAMING, BackupTrail, BaseBackupsFacts
from rules.capacity.forecast import WalFullFacts
from rules.capacity.held_wal import HeldWalFacts, Holder
from rules.case.derived.listing import Listings
from rules.drill.comparison import Inspection
from rules.drill.records import DrillsFacts
from rules.live.attempt import Attempt
from rules.live.observation import Observation
from rules.model.evidence import (
    AbsentFacts,
    AloneFacts,
    Branch,
    CarriedDamage,
    CarriedWalFacts,
    CollectorsFacts,
    CopyAlone,
    ElsewhereFacts,
    EngineCrashFacts,
    Evidence,
    FailedRunFacts,
    OverdueFacts,
    RaisedFacts,
    SignedFacts,
    WalEventsFacts,
    WindowsFacts,
)
from rules.model.facts import (
    ArchivedFile,
    ArchiveFacts,
    BrokenHistory,
    ChangedFile,
    DamagedFork,
    PagesFacts,
    RunningBackup,
    RunningBackupsFacts,
    SegmentCopy,
    StoredBackup,
    Unlabelled,
    UnreadSettings,
)
from rules.model.outcome import Cause, LeftOut, NeededDirectory
from rules.model.repository import RepositoriesRead, RepositoryFacts
from rules.model.restore_inputs import Location
from rules.model.target import Target
from rules.verdict.check import judge, load_catalogue
from tests.rules.catalogue.facts import (
    DAY,
    FULL,
    INCREMENT,
    NOW,
    OBJECTIVES,
    SIZE,
    ago,
    archive,
    archiver,
    backup,
    backups,
    control,
    control_facts,
    drill,
    estimate,
    exposure,
    name,
    parameters,
    predicted,
    probe,
    restore,
    scan,
    sequence,
    settings,
    target,
    trial,
    tried,
    waiting,
    window,
)
from tests.rules.catalogue.fault_pairs import FAULT_PAIRS

CHECKS = load_catalogue()


class Pair(NamedTuple):
    fires: tuple[object, ...]
    silent: tuple[object, ...] = ()  # none: without its fact there is nothing to say


def alone(fires: object, silent: object) -> Pair:
    """One fact, and another of its type."""
    return Pair((fires,), (silent,))


def copies(*restorable: bool) -> AloneFacts:
    """Archives, and whether a backup can be restored from each alone."""
    reached = (
        WindowsFacts(by_backup={"/backup": (window(DAY),) if each else ()}) for each in restorable
    )
    return AloneFacts(
        by_archive=tuple(
            CopyAlone(url="/copy", windows=each, unread_count=0, lacking=(), bad=())
            for each in reached
        )
    )


def taking(phase: str) -> RunningBackupsFacts:
    one = RunningBackup(pid=1, phase=phase, total_bytes=None, streamed_bytes=0)
    return RunningBackupsFacts(backups=(one,), read_at=NOW)


def held(*, active: bool) -> HeldWalFacts:
    slot = Holder(
        what="replication slot s", held_bytes=2 << 30, growth_per_second=1.0, slot="s",
        active=active, inactive_since=None if active else NOW,
    )  # fmt: skip
    return HeldWalFacts(holders=(slot,))


def setting(of: str | None = "/backup", /, **values: tuple[str, str]) -> Pair:
    """A setting's value on which it fires, and one on which it does not."""
    fires, silent = ({key: pair[i] for key, pair in values.items()} for i in (0, 1))
    return alone(settings(of, **fires), settings(of, **silent))


def by_cause(cause: Cause) -> Pair:
    """A target that is missed for this reason, and one for another."""
    other = Cause.OTHER if cause is not Cause.OTHER else Cause.NOT_IN_WAL
    return alone(target(cause), target(other))


def left_behind(**values: str) -> Pair:
    """What a backup's configuration has and a restore would obey; a server's own is its matter."""
    return alone(settings(**values), settings(None, **values))


HISTORY = TimelineHistory(
    timeline=2, entries=(HistoryEntry(timeline=1, switch_lsn=4 * SIZE, reason="none"),)
)
ORPHAN = TimelineHistory(timeline=2, entries=())
PAGES = PagesFacts(checked=9, damaged=(DamagedFork("base/5/16384", "main", (3,), 1),))
CHANGED = ChangedFile(segment=name(2), url="/archive", verified_at=NOW)
UNSIGNALLED = Attempt(opened=True, seen={Event.BACKUP_RECOVERY_STARTED})
PAUSE = {"in_progress": True, "paused": True}
STANDBY = {"source": "standby"}
EARLIER = Transaction(2 * SIZE, 2 * SIZE + 40, 0, 801, TransactionKind.COMMIT)
CRASH = EngineCrashFacts(crashed_at=ago(DAY), place="SIGSEGV", marker="/ledger-crash.txt")
LEFT_OUT = LeftOut(count=1, first=EARLIER, stop_time_us=9)


def space(found: Location | None) -> object:
    needed = NeededDirectory(16390, "/space", None, found)
    return target(prediction=predicted(directories=(needed,)))


def growing(**changes: object) -> tuple[object, ...]:
    unread = {name(3): "it grows"}
    return scan(unread=unread, growing=frozenset(unread)), target(**changes)


def tools(tool: str = "pgBackRest", **said: object) -> RepositoriesRead:
    """One repository, and what its tool says of it."""
    facts = RepositoryFacts(tool=tool, url="/repo", name="main", number=1, backups=(), **said)
    return RepositoriesRead(repositories=(facts,))


def stored_as(*checksums: str) -> ArchiveFacts:
    """A segment that lies in the repository once for each content."""
    files = [ArchivedFile("/repo", f"{name(2)}-{each * 40}.gz", 9, 0, 0) for each in checksums]
    return archive(name(2), segments={name(2): files[0]}, copies={name(2): tuple(files[1:])})


STORED = backups(backup(stored=StoredBackup(repository=1, label="b", kind="full")))
DROPPED = f"dropped WAL file '{name(3)}' because archive queue exceeded 2MB"
LISTED = {"listed_wal": {name(2): None, name(3): None}}

PAIRS = {
    # -- what other tools believe -----------------------------------------------------------------
    "repository_backup_gone": alone(tools(gone={"20261129F": "/repo/backup/20261129F"}), tools()),
    "repository_backup_unlisted": alone(
        tools(unlisted={"20261129F": ago(3600)}), tools(unlisted={"20261129F": ago(3599)})
    ),
    "repository_wal_gone": Pair(
        (tools("Barman", **LISTED), archive(name(2)), STORED),
        (tools("Barman", **LISTED), archive(name(1), name(2), name(3)), STORED),
    ),
    "repository_wal_dropped": Pair(
        (tools(acknowledged={name(3): DROPPED}), archive(name(2)), STORED),
        (tools(acknowledged={name(2): DROPPED, name(1): None}), archive(name(2)), STORED),
    ),
    "repository_info_copy": alone(tools(copies_used=("/repo/backup.info: cut short",)), tools()),
    "repository_copies_differ": Pair((tools(), stored_as("a", "b")), (tools(), stored_as("a"))),
    "repository_page_errors": alone(tools(page_errors=("20261129F",)), tools()),
    # -- settings ---------------------------------------------------------------------------------
    "archive_cleanup_command_left": left_behind(archive_cleanup_command="pg_archivecleanup /a %r"),
    "archive_command_aborts": setting(
        archive_command=("scp %p there:/a/%f", "scp %p there:/a/%f || exit 1")
    ),
    "archive_command_not_atomic": setting(
        archive_command=("cp %p /a/%f", "cp %p /a/%f.part && mv /a/%f.part /a/%f")
    ),
    "archive_command_overwrites": setting(
        archive_command=("cp %p /a/%f", "test ! -f /a/%f && cp %p /a/%f")
    ),
    "archive_command_swallows_errors": setting(
        archive_command=("cp %p /a/%f || true", "cp %p /a/%f")
    ),
    "archive_timeout_unset": setting(archive_mode=("on", "on"), archive_timeout=("0", "60")),
    "archiving_off": setting(archive_mode=("off", "on")),
    "full_page_writes_off": setting(None, full_page_writes=("off", "on")),
    "hot_standby_off": left_behind(hot_standby="off"),
    "primary_conninfo_left": left_behind(primary_conninfo="host=there"),
    "recovery_end_command_left": left_behind(recovery_end_command="rm /tmp/x"),
    "recovery_min_apply_delay_left": setting(recovery_min_apply_delay=("60000", "0")),
    "recovery_target_left": setting(recovery_target_xid=("7", "")),
    "recovery_target_timeline_odd": setting(recovery_target_timeline=("0000001A", "26")),
    "recovery_targets_contradict": setting(
        recovery_target_xid=("7", "7"), recovery_target_name=("a", "")
    )._replace(silent=(settings(recovery_target_xid="7"),)),
    "restore_archives_into_source": Pair(
        (settings(archive_mode="on", archive_command="cp %p /archive/%f"), archive()),
        (settings(archive_mode="on", archive_command="cp %p /other/%f"), archive()),
    ),
    "restore_command_elsewhere": Pair(
        (settings(restore_command="cp /other/%f %p"), archive()),
        (settings(restore_command="cp /archive/%f %p"), archive()),
    ),
    "restore_command_swallows_errors": setting(
        restore_command=("cp /archive/%f %p || true", "cp /archive/%f %p")
    ),
    "restore_command_wrong_content": setting(
        restore_command=("cp /archive/%f.gz %p", "gunzip < /archive/%f.gz > %p")
    ),
    "base_backup_running": alone(
        BackupTrail(seen=(taking(STREAMING),)).progress(), BaseBackupsFacts(running=())
    ),
    "slot_keeps_wal": Pair(
        (held(active=False), settings(None, max_wal_size="1024")),
        (held(active=True), settings(None, max_wal_size="1024")),
    ),
    "slot_wal_unbounded": setting(None, max_slot_wal_keep_size=("-1", "1024")),
    "wal_level_minimal": setting(None, wal_level=("minimal", "replica")),
    # -- restore_command, as it was tried ---------------------------------------------------------
    "restore_command_aborts": alone(
        trial(tried(126, None, archived=False)), trial(tried(125, None, archived=False))
    ),
    "restore_command_brings_nothing": alone(trial(tried(0, None)), trial(tried(0, SIZE))),
    "restore_command_fails": alone(trial(tried(1, None)), trial(tried(1, None, archived=False))),
    "restore_command_hangs": alone(trial(tried(None, None)), trial(tried(1, None))),
    "restore_command_invents_files": alone(
        trial(tried(0, 8, archived=False)), trial(tried(0, None, archived=False))
    ),
    "restore_command_tried": alone(
        trial(tried(0, SIZE, same=True), tried(1, None, archived=False)),
        trial(tried(0, SIZE, same=True), tried(0, None, archived=False)),
    ),
    "restore_command_wrong_file": alone(
        trial(tried(0, 10, same=False)), trial(tried(0, SIZE, same=True))
    ),
    # -- the server -------------------------------------------------------------------------------
    "archiver_failing": alone(
        archiver(last_failed_at=ago(10), last_failed_wal=name(3)),
        archiver(last_failed_at=ago(700), last_failed_wal=name(3)),
    ),
    "archiver_falling_behind": Pair(
        (exposure(1, written=2e6, archived=1e6), waiting(5, count=5), control_facts()),
        (exposure(1, written=2e6, archived=1e6), waiting(5, count=4), control_facts()),
    ),
    "archiver_hung": Pair((waiting(61), archiver()), (waiting(59), archiver())),
    "archiver_never_succeeded": Pair(
        (archiver(archived_count=0), waiting(61), settings(None, archive_mode="on")),
        (archiver(archived_count=1), waiting(61), settings(None, archive_mode="on")),
    ),
    "checksums_off": alone(control_facts(data_checksums=False), control_facts()),
    "exposure_over_objective": alone(exposure(61), exposure(60)),
    "wal_directory_filling": alone(
        *(
            WalFullFacts(
                full_at=NOW + timedelta(hours=hours), free_bytes=1 << 30, growth_per_second=1e6
            )
            for hours in (11, 12)
        )
    ),
    # -- the archive ------------------------------------------------------------------------------
    "archive_shared_by_clone": alone(
        WalEventsFacts(at_once=(Branch(1, 2, 0, 1),)), WalEventsFacts()
    ),
    "archived_but_absent": alone(
        AbsentFacts(segments=(name(2),), witness="pg_stat_archiver"),
        AbsentFacts(segments=(), witness="pg_stat_archiver"),
    ),
    "foreign_system": alone(scan("foreign_system"), scan("bad_crc")),
    "fork_segment_missing": alone(
        sequence(at_fork=True), sequence(at_fork=True, cause="acknowledged")
    ),
    "history_broken": alone(
        archive(broken_histories={2: BrokenHistory("it is odd", "syntax error")}),
        archive(broken_histories={2: BrokenHistory("denied", None, unread=True)}),
    ),
    "history_empty": alone(archive(histories={2: ORPHAN}), archive(histories={2: HISTORY})),
    "history_missing": alone(
        archive(name(2, timeline=2)), archive(name(2, timeline=2), histories={2: HISTORY})
    ),
    "history_unread": alone(
        archive(broken_histories={2: BrokenHistory("denied", None, unread=True)}),
        archive(broken_histories={2: BrokenHistory("it is odd", "syntax error")}),
    ),
    "archive_copy_behind": alone(
        *(
            AloneFacts(
                by_archive=(
                    CopyAlone(
                        url="/b", windows=WindowsFacts(by_backup={}), unread_count=0,
                        lacking=lacking, bad=(),
                    ),
                )
            )
            for lacking in ((name(3),), ())
        )
    ),
    "segment_name_impossible": alone(archive(impossible=("0" * 24,)), archive()),
    "archive_emptied": alone(archive(emptied={"/archive": 9}), archive()),
    "segment_not_a_file": alone(archive(strays={name(9): "it is a directory"}), archive()),
    "timeline_reused": alone(archive(disputed_histories=frozenset({2})), archive()),
    "wal_arriving": Pair(growing(), growing(reachable=None)),
    "wal_changed": alone(scan(changed=(CHANGED,)), scan()),
    "wal_copies_differ": alone(
        scan(copies=(SegmentCopy(segment=name(2), url="/b", differs=True, kind=None),)),
        scan(
            "conflicting_copies",
            copies=(SegmentCopy(segment=name(2), url="/b", differs=True, kind=None),),
        ),
    ),
    "wal_damaged": alone(scan("bad_crc"), scan("foreign_system")),
    "wal_elsewhere": alone(
        ElsewhereFacts(urls=("/pg_wal",), segments=(name(5),), gains=()),
        ElsewhereFacts(urls=("/pg_wal",), segments=(), gains=()),
    ),
    "wal_gap": alone(sequence(cause="lost"), sequence(at_fork=True)),
    "wal_gap_harmless": alone(sequence(harmless=True), sequence(harmless=False)),
    "wal_minimal_stretch": Pair(
        (WalEventsFacts(parameter_changes=((1, parameters(3 * SIZE, 0)),)), backups(backup())),
        (WalEventsFacts(parameter_changes=((1, parameters(SIZE, 0)),)), backups(backup())),
    ),
    "wal_in_cold_storage": alone(
        scan(unread={name(3): "it is in cold storage"}, cold=frozenset({name(3)})), scan()
    ),
    "wal_unread": Pair((scan(unread={name(3): "denied"}),), growing()),
    # -- backups ----------------------------------------------------------------------------------
    "backup_chain_missing": alone(
        backups(backup(INCREMENT)), backups(FULL, backup(INCREMENT))
    ),
    "backup_control_stale": alone(
        *(
            backups(backup(STANDBY, control=replace(control(), min_recovery_lsn=lsn)))
            for lsn in (3 * SIZE, 4 * SIZE + 80)
        )
    ),
    "backup_files_bad": alone(backups(backup(bad_files=("base/1: absent",))), backups(backup())),
    "backup_from_standby": alone(backups(backup(STANDBY)), backups(backup())),
    "backup_full_pages_off": Pair(
        (backups(backup(STANDBY)), WalEventsFacts(full_pages_off=((1, 3 * SIZE),))),
        (backups(backup(STANDBY)), WalEventsFacts(full_pages_off=((1, 4 * SIZE + 80),))),
    ),
    "backup_in_progress": alone(backups(changing={"/new": NOW}), backups(backup())),
    "backup_incremental": alone(backups(FULL, backup(INCREMENT)), backups(backup(INCREMENT))),
    "backup_manifest_broken": alone(
        backups(backup(manifest_error="it is cut")), backups(backup(manifest_error=""))
    ),
    "backup_pages_damaged": alone(
        backups(backup(pages=PAGES)), backups(backup(pages=PAGES, manifest_error=""))
    ),
    "backup_pages_unproven": alone(
        backups(backup(pages=PAGES, manifest_error="")), backups(backup(pages=PAGES))
    ),
    "backup_settings_unread": alone(
        backups(backup(unread_settings=(UnreadSettings("postgresql.conf", "denied"),))),
        backups(backup()),
    ),
    "backup_stale": alone(
        backups(backup(finished_at=ago(DAY + 1))), backups(backup(finished_at=ago(DAY)))
    ),
    "backup_stop_not_archived": Pair(
        (backups(backup()), archive(name(2), name(3)), sequence()),
        (backups(backup()), archive(name(2), name(4)), sequence()),
    ),
    "backup_stop_unknown": alone(backups(backup(stop_lsn=None)), backups(backup())),
    "backup_unreadable": alone(backups(unreadable={"/backup": "denied"}), backups(backup())),
    "backup_wal_damaged": alone(
        CarriedWalFacts(damaged=(CarriedDamage("/backup", scan("bad_crc").damaged[0], True),)),
        CarriedWalFacts(damaged=()),
    ),
    "backup_wal_missing": Pair(
        (backups(backup()), archive(name(2), name(4)), sequence()),
        (backups(backup()), archive(name(2), name(3)), sequence()),
    ),
    "backup_without_label": alone(
        backups(backup(unlabelled=Unlabelled(started=True, cold=False))),
        backups(backup(unlabelled=Unlabelled(started=False, cold=True))),
    ),
    "backup_without_manifest": alone(backups(backup(manifest_error="")), backups(backup())),
    "no_restorable_backup": Pair(
        (backups(backup()), WindowsFacts(by_backup={"/backup": ()})),
        (backups(backup()), WindowsFacts(by_backup={"/backup": None})),
    ),
    "standby_signal_left": alone(
        *(backups(backup(signal_files=frozenset({each}))) for each in
          ("standby.signal", "recovery.signal"))
    ),
    "unlogged_tables_lost": alone(
        backups(backup(unlogged=("base/5/16390",))), backups(backup(unlogged=()))
    ),
    "copies_below_objective": Pair(
        (Listings(archives=(archive(), archive())), copies(True, False)),
        (Listings(archives=(archive(), archive())), copies(True, True)),
    ),
    "window_too_short": alone(
        *(WindowsFacts(by_backup={"/backup": (window(age),)}) for age in (7 * DAY - 1, 7 * DAY))
    ),
    # -- a question -------------------------------------------------------------------------------
    "archive_not_given": Pair((target(),), (target(), archive())),
    "backup_not_given": Pair(
        (target(backup=None, reachable=None),),
        (target(backup=None, reachable=None), backups(unreadable={"/backup": "denied"})),
    ),
    "backup_wal_unusable": Pair(
        (target(Cause.BACKUP_WAL), archive(name(2), name(3), name(4)), sequence()),
        (target(Cause.BACKUP_WAL), archive(name(2), name(4)), sequence()),
    ),
    "cannot_check": Pair((FailedRunFacts(message="nothing can be read"),)),
    "clock_stepped_back": alone(target(left_out=LEFT_OUT), target()),
    "fork_before_backup": by_cause(Cause.FORK_BEFORE_BACKUP),
    "recovery_ends_short": by_cause(Cause.ENDS_SHORT),
    "recovery_needs_settings": alone(
        target(prediction=predicted(needs={"hot_standby": "on"})), target()
    ),
    "tablespace_directory_in_use": alone(space(Location.IN_USE), space(Location.USABLE)),
    "tablespace_directory_needed": alone(space(None), space(Location.USABLE)),
    "target_after_last_commit": by_cause(Cause.AFTER_LAST_COMMIT),
    "target_before_backup_end": by_cause(Cause.BEFORE_BACKUP_END),
    "target_behind_gap": by_cause(Cause.BEYOND_GAP),
    "target_not_a_setting": alone(
        target(target=Target(type="time", value="2026-07-08T11:00:00Z", is_refused=True)), target()
    ),
    "target_not_in_wal": by_cause(Cause.NOT_IN_WAL),
    "target_on_other_timeline": by_cause(Cause.OTHER_TIMELINE),
    "target_timeline_missing": by_cause(Cause.TIMELINE_MISSING),
    "target_unproven": alone(
        target(reachable=None), target(reachable=None, target=Target(type="none"))
    ),
    "target_unreachable": by_cause(Cause.OTHER),
    # -- restores and drills ----------------------------------------------------------------------
    "drill_damage": alone(
        *(
            drill(inspections=(Inspection(name="amcheck", result=result, detail="t"),))
            for result in ("failed", "passed")
        )
    ),
    "drill_disagreed": alone(drill(agrees=False, disagreements=("the stop",)), drill(agrees=None)),
    "drill_failed": alone(drill(outcome="failed", reason="it died"), drill(outcome="not_run")),
    "drill_incomplete": alone(drill(timed_out="copying"), drill()),
    "drill_left_out": alone(drill(notes=("no archiving",)), drill()),
    "drill_not_run": alone(drill(outcome="not_run", reason="no space"), drill(outcome="failed")),
    "drill_overdue": alone(DrillsFacts(since=ago(8 * DAY)), drill()),
    "drill_probe_failed": alone(drill(probes=(probe("2"),)), drill(probes=(probe("1"),))),
    "restore_ended_short": alone(restore("promoted", ended_short=True), restore("promoted")),
    "restore_failed": alone(restore("failed"), restore("failed", in_progress=True)),
    "restore_over_objective": alone(estimate(601), estimate(600)),
    "restore_foreseen": Pair(
        (restore(), Observation(running=False, mode=0o755)),
        (restore(), Observation(running=False, mode=0o700)),
    ),
    "restore_paused": alone(restore(**PAUSE), restore()),
    "restore_sources_disagree": Pair(
        (restore(), Observation(in_recovery=False)), (restore(), Observation(in_recovery=True))
    ),
    "restore_stalled": alone(restore(moved_at=ago(61)), restore(moved_at=ago(60))),
    "restore_unproven": alone(
        restore("promoted", Attempt(major=99, target_type="name")), restore("promoted", Attempt())
    ),
    "restore_without_signal": Pair(
        (restore(attempt=UNSIGNALLED), Observation()),
        (restore(), Observation()),
    ),
    # -- ourselves --------------------------------------------------------------------------------
    "engine_crashed": Pair((CRASH,)),
    "evidence_not_written": alone(
        SignedFacts(directory="/evidence", failure="No space left on device"),
        SignedFacts(directory="/evidence", failure=None),
    ),
    "check_raised": alone(
        RaisedFacts(errors={}, jobs={"scan": "KeyError: 1"}), RaisedFacts(errors={})
    ),
    "collector_failing": alone(
        CollectorsFacts(failing={"archiver": "refused"}),
        CollectorsFacts(failing={}),
    ),
    "verdict_overdue": alone(OverdueFacts(jobs={"scan": ago(DAY)}), OverdueFacts(jobs={})),
}  # fmt: skip


def findings(check: str, facts: tuple[object, ...]) -> list[str]:
    """The severities with which a check speaks of these facts; it must be able to be asked."""
    evidence = Evidence(now=NOW, objectives=OBJECTIVES, facts={type(fact): fact for fact in facts})
    judgement = judge(evidence, {check: CHECKS[check]})
    assert judgement.known.get(check, not facts)
    return [finding.severity.value for finding in judgement.findings if finding.id == check]


PAIRS |= {fault: Pair(*pair) for fault, pair in FAULT_PAIRS.items()}


def test_every_check_has_its_pair() -> None:
    assert PAIRS.keys() == CHECKS.keys()


@pytest.mark.parametrize("check", sorted(PAIRS))
def test_it_fires(check: str) -> None:
    assert findings(check, PAIRS[check].fires) == [CHECKS[check].severity.value]


@pytest.mark.parametrize("check", sorted(PAIRS))
def test_it_stays_silent(check: str) -> None:
    assert findings(check, PAIRS[check].silent) == []
