"""Why replay stands still, by what the sources say; on real servers: test_watch_stalls.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.live.attempt import Attempt
from rules.live.facts import RestoreRecord, watch_restore
from rules.live.observation import ChildCommand, Observation, WalReceiver
from rules.live.phase import Phase
from rules.live.summary import summarize
from rules.verdict.check import Found
from rules.verdict.live import beside_the_log

SEGMENT = "000000010000000000000005"
STALLED = "restore_stalled"
LATER = "000000010000000000000007"
REPLAYING = Observation(running=True, doing="recovering", segment=SEGMENT, replay_lsn=0x5000100)
STANDBY = replace(REPLAYING, doing="waiting for", wait_event="RecoveryRetrieveRetryInterval")


def attempt(phase: Phase = Phase.READ_ONLY, *, standby: bool = False) -> Attempt:
    return Attempt(phase=phase, standby=standby, missing_files=[SEGMENT] if standby else [])


def why(
    reading: Observation,
    *,
    seconds: float = 120,
    archived: tuple[str, ...] | None = None,
    of: Attempt | None = None,
) -> Found | None:
    record = RestoreRecord()
    record.current = of or attempt()
    live = watch_restore(record, summarize(record), archived)
    look = replace(reading, still_seconds=seconds)
    found = [found for check, found in beside_the_log(live, look, None) if check.id == STALLED]
    return found[0] if found else None


def kind(stall: Found | None) -> object:
    return stall.evidence["kind"] if stall is not None else None


def test_replay_that_moves_is_no_stall() -> None:
    assert why(REPLAYING, seconds=1) is None


def test_one_long_record_and_the_disk() -> None:
    assert kind(why(REPLAYING)) == "slow"
    stall = why(replace(REPLAYING, resting="disk-sleep"))
    assert (kind(stall), stall and stall.remedy) == ("disk", "iostat -x 1")


def test_by_the_title_alone_a_segment_may_take_longer() -> None:
    by_title = replace(REPLAYING, replay_lsn=None)
    assert why(by_title, seconds=30) is None
    assert kind(why(by_title, seconds=90)) == "slow"


def test_a_command_that_runs_a_while_is_fetching_and_then_hangs() -> None:
    command = ChildCommand(pid=7, seconds=5, words="cp x y")
    assert why(replace(REPLAYING, command=command), seconds=5) is None
    stall = why(replace(REPLAYING, command=replace(command, seconds=11)), seconds=11)
    assert kind(stall) == "restore_command"
    assert stall is not None and "SIGTERM would stop the server" in stall.summary


def test_a_delay_on_purpose() -> None:
    stall = why(replace(REPLAYING, wait_event="RecoveryApplyDelay"))
    assert kind(stall) == "apply_delay"


@pytest.mark.parametrize(
    "event", ["RecoveryConflictSnapshot", "RecoveryConflictTablespace", "BufferPin"]
)
def test_a_conflict_by_its_wait_event(event: str) -> None:
    assert kind(why(replace(REPLAYING, wait_event=event))) == "conflict"


def test_a_standby_that_has_all_there_is_and_one_before_a_gap() -> None:
    of = attempt(standby=True)
    assert kind(why(STANDBY, of=of)) == "no_wal"
    assert kind(why(STANDBY, of=of, archived=("000000010000000000000004",))) == "no_wal"
    gap = why(STANDBY, of=of, archived=("000000010000000000000004", LATER))
    assert kind(gap) == "gap"
    assert gap is not None and LATER in gap.summary
    there = why(STANDBY, of=of, archived=(SEGMENT, LATER))
    assert there is not None and "restore_command does not bring it" in there.summary


def test_a_standby_that_streams_has_nothing_to_complain_of() -> None:
    receiver = WalReceiver(
        status="streaming", sender="db1:5432", received_lsn=0x5000100, sent_lsn=0x5000100
    )
    streaming = replace(REPLAYING, receiver=receiver, wait_event="RecoveryWalStream")
    assert why(streaming, of=attempt(standby=True)) is None


@pytest.mark.parametrize("phase", [Phase.ENDED, Phase.FAILED, Phase.SHUT_DOWN])
def test_what_is_over_does_not_stall(phase: Phase) -> None:
    assert why(REPLAYING, of=attempt(phase)) is None


def test_a_server_that_is_down_does_not_stall() -> None:
    assert why(replace(REPLAYING, running=False)) is None
