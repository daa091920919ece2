"""The sources of one restore contradict each other: its log, SQL, pg_control, its files.

Why it matters
    A log of another server, or one that was cut, makes every verdict about this restore worthless;
    and a signal file that is gone, or a target that was edited under a running server, makes the
    next start do something else than this one.
How to look
    pitr-watch --pgdata DIRECTORY shows all of them side by side; SELECT pg_is_in_recovery() and
    pg_controldata say what the server itself holds for true.
What to do
    See whether the log is this server's (--log, or log in the agent's configuration). What was
    edited counts from the next start on: restart the server, or take the change back.
"""

from collections.abc import Iterator
from typing import Final

from parsers.files.pg_control import ClusterState
from parsers.sentences import tr
from rules.live.facts import LiveRestore
from rules.live.observation import Observation
from rules.live.phase import Phase
from rules.live.settings import TARGET_SETTINGS
from rules.model.findings import Severity
from rules.verdict.check import Found, check

_RECOVERS: Final = frozenset({
    Phase.FETCHING, Phase.REPLAYING, Phase.CONSISTENT, Phase.READ_ONLY, Phase.WAITING,
    Phase.STOPPING, Phase.PAUSED_AT_TARGET, Phase.PAUSED,
})  # fmt: skip


@check(severity=Severity.WARNING, hold_seconds=60)
def restore_sources_disagree(restore: LiveRestore, look: Observation) -> Iterator[Found]:
    """The log is read with a delay and the others once a second: it counts when it lasts."""
    for source in (_of_settings, _of_the_log_and_sql, _of_the_log_and_files, _of_control_and_sql):
        yield from map(Found, source(restore, look))


def _of_the_log_and_sql(restore: LiveRestore, look: Observation) -> Iterator[str]:
    phase, in_recovery = restore.attempt.phase, look.in_recovery
    if phase is Phase.ENDED and in_recovery:
        yield tr("the log says that recovery ended, SQL that it did not: is it this server's log?")
    if phase in _RECOVERS and in_recovery is False:
        yield tr(
            "the log says {phase}, SQL that recovery is over: the log is another "
            "server's, or was cut",
            phase=phase.value,
        )
    if phase in (Phase.FAILED, Phase.SHUT_DOWN) and in_recovery is not None:
        yield tr(
            "the log says {phase}, and a server answers: is it this server's log?",
            phase=phase.value,
        )
    if phase is Phase.PAUSED_AT_TARGET and look.pause_state == "not paused":
        yield tr("the log says that recovery waits at its target, SQL that it is not paused")


def _of_the_log_and_files(restore: LiveRestore, look: Observation) -> Iterator[str]:
    attempt, signal = restore.attempt, look.recovery_signal or look.standby_signal
    if attempt.phase is Phase.ENDED and attempt.archive_recovery and signal:
        yield tr(
            "the log says that recovery ended, and a signal file is there: the "
            "next start would recover again"
        )
    goes_on = attempt.phase in _RECOVERS and look.in_recovery is not False
    if goes_on and attempt.archive_recovery and signal is False:
        yield tr(
            "the log says that an archive recovery is running, but "
            "recovery.signal is gone: a restart would open what there is, short "
            "of the target"
        )


def _of_control_and_sql(restore: LiveRestore, look: Observation) -> Iterator[str]:
    state = look.control.state if look.control else None
    if state is ClusterState.IN_PRODUCTION and look.in_recovery:
        yield tr("pg_control says in production, SQL that the server recovers")


def _of_settings(restore: LiveRestore, look: Observation) -> Iterator[str]:
    """A target that was edited under a running server: it counts from the next start on."""
    if not look.in_recovery:
        return
    for name in (*TARGET_SETTINGS, "recovery_target_action", "recovery_target_timeline"):
        runs, written = look.settings.get(name), look.configured.get(name)
        if runs is None or (written is None and name not in TARGET_SETTINGS):
            continue
        if runs.lower() != (written or "").lower():
            yield tr(
                "{name} is '{written}' in the files and '{runs}' in the running "
                "server: it needs a restart to count",
                name=name,
                written=written or "",
                runs=runs,
            )
