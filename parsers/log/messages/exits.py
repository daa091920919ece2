"""Processes that end, and the server's shutdown."""

from __future__ import annotations

from typing import Final

from parsers.log.messages.event import Event
from parsers.log.messages.message import BACKGROUND, POSTMASTER, Message

# fmt: off
MESSAGES: Final = (
    Message("%s (PID %d) exited with exit code %d", Event.PROCESS_EXITED, ("process", "pid", "exit_code"), process=POSTMASTER, sample="startup process (PID 455019) exited with exit code 1"),
    Message("%s (PID %d) was terminated by signal %d: %s", Event.PROCESS_KILLED, ("process", "pid", "signal", "signal_name"), process=POSTMASTER, sample="startup process (PID 455019) was terminated by signal 9: Killed"),
    Message("aborting startup due to startup process failure", Event.STARTUP_FAILED_EARLY, process=POSTMASTER, sample="aborting startup due to startup process failure"),
    Message("shutting down due to startup process failure", Event.STARTUP_FAILED, majors=range(14, 20), process=POSTMASTER, sample="shutting down due to startup process failure"),
    Message("terminating any other active server processes", Event.TERMINATING_OTHERS, process=POSTMASTER, sample="terminating any other active server processes"),
    Message("all server processes terminated; reinitializing", Event.REINITIALIZING, process=POSTMASTER, sample="all server processes terminated; reinitializing"),
    Message("received smart shutdown request", Event.SHUTDOWN_REQUESTED, constants={"mode": "smart"}, process=POSTMASTER, sample="received smart shutdown request"),
    Message("received fast shutdown request", Event.SHUTDOWN_REQUESTED, constants={"mode": "fast"}, process=POSTMASTER, sample="received fast shutdown request"),
    Message("received immediate shutdown request", Event.SHUTDOWN_REQUESTED, constants={"mode": "immediate"}, process=POSTMASTER, sample="received immediate shutdown request"),
    Message("shutting down", Event.SHUTTING_DOWN, process=BACKGROUND, sample="shutting down"),
    Message("database system is shut down", Event.SERVER_SHUT_DOWN, process=BACKGROUND, sample="database system is shut down"),
    Message("abnormal database system shutdown", Event.ABNORMAL_SHUTDOWN, process=POSTMASTER, sample="abnormal database system shutdown"),
    Message("performing immediate shutdown because data directory lock file is invalid", Event.LOCKFILE_INVALID, process=POSTMASTER, sample="performing immediate shutdown because data directory lock file is invalid"),
)
