"""Where the sources of one restore contradict each other: log, SQL, pg_control, files.

The log is read with a delay and the others once a second, so a contradiction counts when it lasts
for some seconds: the caller sees to that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from parsers.pg_control import ClusterState
from rules.restore_reading import Reading
from rules.restore_settings import TARGET_SETTINGS
from rules.restore_state import Attempt, Phase
from rules.restore_summary import IN_PROGRESS, NONE, Summary, Target

_RECOVERS: Final = frozenset({
    Phase.FETCHING, Phase.REPLAYING, Phase.CONSISTENT, Phase.READ_ONLY, Phase.WAITING,
    Phase.STOPPING, Phase.PAUSED_AT_TARGET, Phase.PAUSED,
})  # fmt: skip


def disagreements(
    attempt: Attempt, reading: Reading, configured: Mapping[str, str]
) -> Iterator[str]:
    """Say each in one line. `configured`: the settings as the files have them now."""
    yield from _of_settings(reading, configured)
    yield from _of_the_log_and_sql(attempt, reading)
    yield from _of_the_log_and_files(attempt, reading)
    yield from _of_control_and_sql(reading)


def hold_to_sql(summary: Summary, reading: Reading) -> Summary:
    """A log without a restore in it proves nothing where SQL says that the server recovers."""
    if summary.outcome != NONE or not reading.in_recovery:
        return summary
    return replace(
        summary,
        outcome=IN_PROGRESS,
        reached_target=None,
        target=Target(type=None, value=None),
        cause="the log does not tell of a recovery, SQL does: the log is cut, or another server's",
        next_command="pitr-watch --log FILE  (the server's own, from its start on)",
    )


def _of_the_log_and_sql(attempt: Attempt, reading: Reading) -> Iterator[str]:
    phase, in_recovery = attempt.phase, reading.in_recovery
    if phase is Phase.ENDED and in_recovery:
        yield "the log says that recovery ended, SQL that it did not: is it this server's log?"
    if phase in _RECOVERS and in_recovery is False:
        yield (
            f"the log says {phase.value}, SQL that recovery is over: the log is another server's,"
            " or was cut"
        )
    if phase in (Phase.FAILED, Phase.SHUT_DOWN) and in_recovery is not None:
        yield f"the log says {phase.value}, and a server answers: is it this server's log?"
    if phase is Phase.PAUSED_AT_TARGET and reading.pause_state == "not paused":
        yield "the log says that recovery waits at its target, SQL that it is not paused"


def _of_the_log_and_files(attempt: Attempt, reading: Reading) -> Iterator[str]:
    signal = reading.recovery_signal or reading.standby_signal
    if attempt.phase is Phase.ENDED and attempt.archive_recovery and signal:
        yield (
            "the log says that recovery ended, and a signal file is there: the next start would"
            " recover again"
        )
    goes_on = attempt.phase in _RECOVERS and reading.in_recovery is not False
    if goes_on and attempt.archive_recovery and signal is False:
        yield (
            "the log says that an archive recovery goes on, and recovery.signal is gone: a"
            " restart would open what there is, short of the target"
        )


def _of_control_and_sql(reading: Reading) -> Iterator[str]:
    state = reading.control.state if reading.control else None
    if state is ClusterState.IN_PRODUCTION and reading.in_recovery:
        yield "pg_control says in production, SQL that the server recovers"


def _of_settings(reading: Reading, configured: Mapping[str, str]) -> Iterator[str]:
    """A target that was edited under a running server: it counts from the next start on."""
    if not reading.in_recovery:
        return
    for name in (*TARGET_SETTINGS, "recovery_target_action", "recovery_target_timeline"):
        runs, written = reading.settings.get(name), configured.get(name)
        if runs is None or (written is None and name not in TARGET_SETTINGS):
            continue
        if runs.lower() != (written or "").lower():
            yield (
                f"{name} is '{written or ''}' in the files and '{runs}' in the running server: it"
                " needs a restart to count"
            )
